"""What the readers on this machine make of archives: Python always, the others where they are installed.

A reader loses data by an archive if a file does not come out of it with the content it should have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

#: by path: CRC-32 of what came out
Files = dict[str, int]

JAVA = """
import java.io.*; import java.nio.file.*; import java.util.*; import java.util.zip.*;
public class Extract {
  public static void main(String[] args) throws Exception {
    for (String path : args) {
      System.out.println("> " + path);
      try (ZipFile file = new ZipFile(path)) {
        for (Enumeration<? extends ZipEntry> e = file.entries(); e.hasMoreElements();) {
          ZipEntry entry = e.nextElement();
          if (entry.isDirectory()) continue;
          try (InputStream in = file.getInputStream(entry)) {
            CRC32 crc = new CRC32(); crc.update(in.readAllBytes());
            if (crc.getValue() == entry.getCrc())
              System.out.println(crc.getValue() + " " + Paths.get(entry.getName()).normalize());
          } catch (Exception x) { }
        }
      } catch (Exception x) { }
    }
  }
}
"""
GO = """
package main
import ("archive/zip"; "fmt"; "hash/crc32"; "io"; "os"; "path")
func main() {
  for _, name := range os.Args[1:] {
    fmt.Println("> " + name)
    file, err := zip.OpenReader(name)
    if err != nil { continue }
    for _, entry := range file.File {
      if entry.Mode() & (os.ModeType &^ os.ModeNamedPipe) != 0 { continue }
      in, err := entry.Open()
      if err != nil { continue }
      data, err := io.ReadAll(in)
      if err == nil { fmt.Println(crc32.ChecksumIEEE(data), path.Clean(entry.Name)) }
    }
    file.Close()
  }
}
"""
#: names are UTF-8 wherever this runs
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}
COMMANDS: Mapping[str, Callable[[Path, Path], list[str]]] = {
    "unzip": lambda archive, out: ["unzip", "-P", "x", "-oqq", str(archive), "-d", str(out)],
    "7z": lambda archive, out: ["7z", "x", "-y", "-px", f"-o{out}", str(archive)],
    "bsdtar": lambda archive, out: ["bsdtar", "-xf", str(archive), "-C", str(out)],
}


def read_by_all(archives: Mapping[str, bytes], folder: Path) -> dict[str, dict[str, Files]]:
    """Return, by reader and archive, the files that came out.

    :param archives: by name
    :param folder: empty, to work in
    """
    paths = {}
    for number, (name, data) in enumerate(archives.items()):
        paths[name] = folder / f"{number}.zip"
        paths[name].write_bytes(data)
    found = {"Python": {name: _python(path, folder / f"py-{path.stem}") for name, path in paths.items()}}
    for reader, command in COMMANDS.items():
        if shutil.which(reader):
            found[reader] = {
                n: _extracted(path, folder / f"{reader}-{path.stem}", command) for n, path in paths.items()
            }
    if shutil.which("java"):
        (folder / "Extract.java").write_text(JAVA)
        found["Java"] = _printed(["java", "-Xshare:auto", str(folder / "Extract.java")], paths, folder)
    if shutil.which("go"):
        (folder / "extract.go").write_text(GO)
        found["Go"] = _printed(["go", "run", str(folder / "extract.go")], paths, folder)
    return found


def losing(archives: Mapping[str, tuple[bytes, Mapping[str, bytes]]], folder: Path) -> dict[str, set[str]]:
    """Return, by archive, the readers that lose data by it.

    :param archives: by name, each with the files that are in it
    :param folder: empty, to work in
    """
    found = read_by_all({name: data for name, (data, _) in archives.items()}, folder)
    wanted = {
        name: {path: zlib.crc32(data) for path, data in files.items()} for name, (_, files) in archives.items()
    }
    return {
        name: {reader for reader in found if not wanted[name].items() <= found[reader][name].items()}
        for name in archives
    }


def _files(out: Path) -> Files:
    files = {}
    for path in out.rglob("*"):
        if path.is_file() and not path.is_symlink():
            files[path.relative_to(out).as_posix()] = zlib.crc32(path.read_bytes())
    return files


def _python(archive: Path, out: Path) -> Files:
    out.mkdir()
    try:
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                try:
                    opened.extract(info, out)
                except Exception:  # noqa: BLE001, S112 -- it raises anything; what is lost is seen below
                    continue
    except Exception:  # noqa: BLE001, S110 -- likewise
        pass
    return _files(out)


def _extracted(archive: Path, out: Path, command: Callable[[Path, Path], list[str]]) -> Files:
    out.mkdir()
    subprocess.run(
        command(archive, out),
        capture_output=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    for path in out.rglob("*"):  # some archives forbid their owner to read what comes out of them
        if not path.is_symlink():
            path.chmod(0o700)
    return _files(out)


def _printed(command: list[str], paths: Mapping[str, Path], folder: Path) -> dict[str, Files]:
    environment = {**ENVIRONMENT, "GOCACHE": str(folder / "go-cache"), "GO111MODULE": "off"}
    done = subprocess.run(
        [*command, *map(str, paths.values())], capture_output=True, check=True, timeout=600, env=environment
    )
    found: dict[str, Files] = {str(path): {} for path in paths.values()}
    current: Files = {}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        first, _, rest = line.partition(" ")
        if first == ">":
            current = found[rest]
        elif first.isdigit():
            current[rest] = int(first)
    return {name: found[str(path)] for name, path in paths.items()}
