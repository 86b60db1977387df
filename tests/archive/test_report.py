"""What a person and a program read."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli import archive
from airflow_provider_dli.archive import Finding, inspect
from airflow_provider_dli.archive.report import escape


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("jobs/größe 値.json", "jobs/größe 値.json"),
        ("a\0b", "a\\x00b"),
        ("a\nb\r", "a\\nb\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202etxt", "\\u202etxt"),
        ("a\\x00b", "a\\\\x00b"),
        ("\udcff", "\\udcff"),
        ("x" * 300, "x" * 200 + "…"),
    ],
)
def test_names_are_escaped(name: str, shown: str) -> None:
    """What would be obeyed is spelled out, unambiguously; what is too long is cut."""
    assert escape(name) == shown


def test_a_finding_is_one_line() -> None:
    """Code, entry, place and sentence."""
    full = Finding("bad-crc", "error", "it is bad", 12, "a")
    assert str(full) == "error: bad-crc in 'a' at byte 12: it is bad"
    assert str(Finding("no-entries", "error", "it is empty")) == "error: no-entries: it is empty"


def test_report_as_plain_data(maker: Any) -> None:
    """It fits into JSON and XCom, whatever the number of entries."""
    report = inspect(io.BytesIO(maker.build(maker.Member(), maker.Member(b"../x"))))
    facts = json.loads(json.dumps(report.as_dict()))
    assert facts["findings"] == [
        {
            "code": "path-traversal",
            "severity": "error",
            "message": "its path climbs with '..'",
            "offset": report.entries[1].header,
            "entry": "../x",
            "job": None,
        }
    ]
    assert (facts["verified"], facts["entries"], facts["level"]) == (False, 2, "full")
    assert (facts["size"], facts["sha256"], facts["md5"]) == (report.size, report.sha256, None)


def test_entries_have_their_places(maker: Any) -> None:
    """All facts of the directory, with places in the file, behind data in front of the archive, too."""
    data = maker.build(maker.Member(), maker.Member(b"d/", b"", 0, descriptor="s32"), prefix=b"#!")
    first, second = inspect(io.BytesIO(data)).entries
    assert data[first.offset :].startswith(b"PK\3\4")
    assert data[second.header :].startswith(b"PK\1\2")
    assert (first.name, first.size, first.method, first.is_directory) == (
        "jobs/101.json",
        len(maker.JOB),
        8,
        False,
    )
    assert (second.compressed_size, second.crc32, second.flags, second.is_directory) == (0, 0, 8, True)


def test_everything_public_is_listed() -> None:
    """What is imported into the package is its interface, and no more."""
    public = {name for name, value in vars(archive).items() if name[0] != "_" and not hasattr(value, "__path__")}
    assert set(archive.__all__) <= public
    assert all(hasattr(archive, name) for name in archive.__all__)


def test_it_needs_the_standard_library_alone() -> None:
    """Neither Airflow nor anything else of this provider is loaded."""
    home = str(Path(archive.__file__).parents[2])
    code = (
        f"import sys; sys.path.insert(0, {home!r}); import airflow_provider_dli.archive; "
        "tops = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names; "
        "ours = {name for name in sys.modules if name.startswith('airflow_provider_dli.')}; "
        "print(sorted(tops), all(name.split('.')[1] == 'archive' for name in ours))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['__main__', 'airflow_provider_dli'] True\n"
