"""Lets the writers of this machine make archives, and counts those of them that fail: none should.

``python -m tests.archive.writers`` uses what is installed: Python's own modules, zip, 7z, bsdtar, jar, git, cmake,
Java, Go, Perl. ``--node FOLDER`` adds what ``npm install --prefix FOLDER jszip yazl adm-zip fflate`` has
put there, ``--python FOLDER`` what ``pip install --target FOLDER zipstream-ng stream-zip`` has, and ``--found
FOLDER…`` every archive that lies below a folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import import_module
from itertools import product
from pathlib import Path

from airflow_provider_dli.archive import inspect
from tests.archive.zip_corpus.good import zipped

PROGRAMS = Path(__file__).with_name("programs")
NAMES = ("jobs/101.json", "jobs/102.json", "größe.txt", "empty", "deep/er/noise.bin", "large.txt")
ENDINGS = (".zip", ".jar", ".whl", ".egg", ".odt", ".docx", ".xlsx", ".npz")
ZIP = ("-0", "-1", "-9", "-X", "-D", "-fz", "-fd", "-k", "-l", "-fz-")
MX = ("-mx0", "-mx1", "-mx5", "-mx9", "-mtc=on", "-mtc=off", "-mcu=on", "-mcl=on")
STORE = "--options zip:compression"
BASH = "/bin/bash"
#: by writer: commands, in which ``{}`` stands for the archive
COMMANDS: dict[str, list[str]] = {
    "zip": [f"zip -qr {option} {{}} ." for option in ZIP],
    "zip_pipe": [f"zip -qr {option} - . > {{}}" for option in ("-0", "-6", "-fz", "-fz-")],
    "zip_stdin": ["zip -q {} - < large.txt", "cat large.txt | zip -q - - > {}"],
    "7z": [f"7z a -tzip {o} {{}} ." for o in MX],
    "bsdtar": [f"bsdtar --format zip {o} -cf {{}} ." for o in ("", f"{STORE}=store", "--options zip:zip64")],
    "bsdtar_pipe": [f"bsdtar --format zip {o} -cf - . > {{}}" for o in ("", f"{STORE}=store")],
    "jar": [f"jar {option} {{}} ." for option in ("-cf", "-c0f", "-cMf", "-c0Mf")],
    "git": ["git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -qm a; "
            f"git archive --format zip {o} -o {{}} HEAD" for o in ("", "-0", "-9", "--prefix=a/")],
    "cmake": ["cmake -E tar cf {} --format=zip ."],
    "perl": [f"perl {PROGRAMS}/writers.pl .. '{';'.join(NAMES)}'"],
    "java": [f"java {PROGRAMS}/Writers.java .."],
    "go": [f"go run {PROGRAMS}/writers.go .."],
}  # fmt: skip


def main() -> int:
    """Write, inspect, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--node", "--python"):
        parser.add_argument(option, type=Path, metavar="FOLDER")
    parser.add_argument("--found", type=Path, nargs="*", default=[], metavar="FOLDER")
    options = parser.parse_args()
    counts: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as made_here:
        source, target = Path(made_here, "source"), Path(made_here, "target")
        target.mkdir()
        fill(source)
        python(source, target)
        if options.python:
            sys.path.insert(0, str(options.python))
            libraries(target, source)
        commands = dict(COMMANDS)
        if options.node:
            modules = options.node.resolve() / "node_modules"
            commands["node"] = [f"NODE_PATH={modules} node {PROGRAMS}/writers.js .. '{json.dumps(NAMES)}'"]
        for tool, each in commands.items():
            if shutil.which(tool.partition("_")[0]):
                run(tool, each, source, target)
        count(target.glob("*.zip"), counts)
    count(
        (path for folder in options.found for path in folder.rglob("*") if path.suffix in ENDINGS), counts, "found"
    )
    for writer, verdicts in sorted(counts.items()):
        bad = [each for each in verdicts if each]
        sys.stdout.write("\n  ".join([f"{writer}: {len(verdicts)} archives, {len(bad)} failed", *bad]) + "\n")
    everything = [each for verdicts in counts.values() for each in verdicts]
    bad = [each for each in everything if each]
    sys.stdout.write(f"{len(counts)} writers, {len(everything)} archives, {len(bad)} failed\n")
    return int(bool(bad))


def count(paths: Iterable[Path], counts: dict[str, list[str]], writer: str | None = None) -> None:
    """Inspect archives, and note by writer what is wrong with each, if anything is.

    :param writer: the beginning of the file's name by default
    """
    for path in paths:
        if path.is_file():
            with path.open("rb") as file:
                report = inspect(file)
            verdict = f"{path.name}: {report.errors[0]}" if report.errors else ""
            counts.setdefault(writer or path.name.partition("-")[0], []).append(verdict)


def fill(source: Path) -> None:
    """Make the files that go into each archive."""
    contents = {"empty": b"", "deep/er/noise.bin": os.urandom(70_000)}
    for number, name in enumerate(NAMES):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"job_id": 101 + number, "sql": "select 1 " * number}).encode()
        path.write_bytes(contents.get(name, text * (4000 if name == "large.txt" else 1)))


def run(tool: str, commands: list[str], source: Path, target: Path) -> None:
    """Run commands in a folder of their own, and take what they have written."""
    for number, command in enumerate(commands):
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder, "here")
            shutil.copytree(source, here)
            made = Path(folder, f"{tool}-{number}.zip")
            bounded = (
                f"ulimit -f 100000; {command.replace('{}', str(made))}"  # whatever goes wrong, no disk is filled
            )
            done = subprocess.run(
                [BASH, "-c", bounded],
                cwd=here,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=100,
            )
            if done.returncode:
                sys.stdout.write(f"{command}: {done.stderr.strip()[-300:]}\n")
            for path in Path(folder).glob("*.zip"):
                shutil.move(path, target / path.name)


def python(source: Path, target: Path) -> None:
    """Write with Python's own modules."""
    shutil.make_archive(str(target / "shutil-0"), "zip", source)
    contents = {name: (source / name).read_bytes() for name in NAMES}
    ways = product((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), (False, True), (False, True))
    for number, (method, is_piped, is_large) in enumerate(ways):
        data = zipped(contents, method, pipe=is_piped, zip64=is_large)
        (target / f"zipfile{'_pipe' if is_piped else ''}-{number}.zip").write_bytes(data)


def libraries(target: Path, source: Path) -> None:
    """Write with libraries for Python."""
    stream, ng = import_module("stream_zip"), import_module("zipstream.ng")
    now = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    for number, method in enumerate((stream.ZIP_32, stream.ZIP_64, stream.ZIP_AUTO(900_000))):
        members = [(name, now, 0o100644, method, iter([(source / name).read_bytes()])) for name in NAMES]
        (target / f"stream_zip-{number}.zip").write_bytes(b"".join(stream.stream_zip(members)))
    for number, method in enumerate((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)):
        made = ng.ZipStream(compress_type=method)
        for name in NAMES:
            made.add((source / name).read_bytes(), name)
        (target / f"zipstream_ng-{number}.zip").write_bytes(b"".join(made))


if __name__ == "__main__":
    sys.exit(main())
