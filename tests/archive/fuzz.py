"""Coverage-guided fuzzing with atheris, which is not among the project's requirements: ``pip install atheris``.

``python tests/archive/fuzz.py -max_total_time=600`` starts from the corpus, good and bad; libFuzzer gets the
arguments. An input that makes ``inspect`` raise, take more than 5 s or 512 MB, or verify what Python cannot
read, ends the run and is left behind as ``crash-…``.
"""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
LARGEST = 20_000


def main() -> None:
    """Instrument the module, write the corpus, and go."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["airflow_provider_dli.archive"]):
        archive = import_module("airflow_provider_dli.archive")
    limits = archive.Limits(entries=100, directory_bytes=1 << 20, entry_bytes=1 << 20, total_bytes=1 << 22)

    def one(data: bytes) -> None:
        report = archive.inspect(io.BytesIO(data), limits=limits)
        quick = archive.inspect(io.BytesIO(data), "directory", limits=limits)
        assert {finding.code for finding in quick.findings} <= {finding.code for finding in report.findings}
        assert all(str(finding).isprintable() for finding in report.findings)
        assert not report.verified or facts(data) == sorted((entry.size, entry.crc32) for entry in report.entries)

    with tempfile.TemporaryDirectory() as folder:
        write_seeds(Path(folder))
        options = ["-timeout=5", "-rss_limit_mb=512", f"-max_len={LARGEST}", *sys.argv[1:]]
        atheris.Setup([sys.argv[0], *options, folder], one)
        atheris.Fuzz()


def facts(data: bytes) -> list[tuple[int, int]]:
    """Read an archive with Python's own module: size and CRC-32 of each entry."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return sorted((len(content), zlib.crc32(content)) for content in map(file.read, file.infolist()))


def write_seeds(folder: Path) -> None:
    """Write the corpus, as far as it is small, into files."""
    bad = import_module("zip_corpus.bad_structure").STRUCTURE | import_module("zip_corpus.bad_entries").ENTRIES
    makers: list[Any] = [*import_module("zip_corpus.good").GOOD.values(), *(case.make for case in bad.values())]
    for number, make in enumerate(makers):
        data = make()
        if len(data) <= LARGEST:
            (folder / f"{number}.zip").write_bytes(data)


if __name__ == "__main__":
    main()
