"""Expected jobs in every layout that the emulator writes and some others; and the fingerprint of the unknown."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dli.archive import Expectation, Limits, Report, inspect
from airflow_provider_dli.archive.__main__ import main
from airflow_provider_dli.archive.fingerprint import MOST, Fingerprint
from dli_emulator.dli.layouts import write_archive
from dli_emulator.settings import Settings
from tests.zipped import zipped

LAYOUTS = get_args(get_type_hints(Settings)["layout"])
NAMES = ["orders_v2", "订单-2", "pay.ments", "v2", "1001"]


def jobs(*names: str) -> list[dict[str, Any]]:
    """Return jobs of these names."""
    return [
        {"job_id": 100 + number, "name": name, "status": "job_init", "sql_body": f"-- {name}\nselect 'a\\b'",
         "job_config": {"name": None, "checkpoint_path": None}}
        for number, name in enumerate(names)
    ]  # fmt: skip


def inspected(data: bytes, *expected: int | str, limits: Limits | None = None, **options: Any) -> Report:
    """Inspect an archive for jobs."""
    return inspect(io.BytesIO(data), expect=Expectation(expected), limits=limits, **options)


def codes(report: Report) -> dict[str | None, str]:
    """Return the code of each finding by its job; None for what is about no job."""
    return {finding.job: finding.code for finding in report.findings}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_jobs_are_found_in_each_layout(layout: str) -> None:
    """By id and by name; what only begins or ends as one of them is missing."""
    data = write_archive(jobs(*NAMES), 1e9, layout)
    assert inspected(data, *NAMES, *range(100, 105)).findings == ()
    others = ("orders", "v", "订单", "pay", "ments", "10", "1010", "orders_v22")
    assert codes(inspected(data, *NAMES, *others)) == dict.fromkeys(others, "missing-job")


WORD = st.text("ab1_.-订", min_size=1, max_size=4)


@pytest.mark.slow
@given(st.sampled_from(LAYOUTS), st.sets(WORD, min_size=1, max_size=4), st.sets(WORD, max_size=6))
def test_no_job_is_found_that_is_not_there(layout: str, names: set[str], others: set[str]) -> None:
    """However similar; an id that is also a name may be either."""
    data = write_archive(jobs(*sorted(names)), 1e9, layout)
    ids = {str(100 + number) for number in range(len(names))}
    found = {*names, *others} - set(codes(inspected(data, *names, *others)))
    assert found == names | (others & ids)


TEXTS = [
    "job_id=101\nname=orders\n",
    "! a comment\r\nname: orders\r\njob_id : 101\r\n",
    "[job]\nname = orders\njob_id = 101\n",
    "jobs:\n  - name: 'orders'\n    job_id: 101\n",
    'jobs:\n  - job_id: 101\n    sql: |\n      name: other\n\n      x\n    name: "orders"\n',
    "job.1.name=orders\njob.1.job_id=101\nsql=select 1 \\\n  name=other\n",
    "name=\\u006frders\njob_id=101\nsql=a\\\\\nx=1\n",
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_jobs_are_found_in_text(text: str, encoding: str) -> None:
    """As values of keys; a line of a longer value is none."""
    data = zipped({"x": text.encode(encoding)})
    assert inspected(data, 101, "orders").findings == ()
    assert codes(inspected(data, 10, "order", "other")) == dict.fromkeys(("10", "order", "other"), "missing-job")


def test_text_in_an_unknown_encoding_may_hold_the_job() -> None:
    """It may be Chinese, and is read as that, or not."""
    assert inspected(zipped({"1.txt": "name=订单".encode("gbk")}), "订单").findings == ()
    data = zipped({"1.txt": "größe".encode("latin-1"), "2.txt": "job_id=2"})
    assert codes(inspected(data, 7)) == {"7": "job-not-examined"}


def test_an_archive_within_is_read_within_bounds() -> None:
    """Each of them from both sides; what is not opened is not examined, and named beside the limit."""
    inner = write_archive(jobs("orders", "payments"), 1e9, "one_json")
    size = len(json.dumps({"jobs": jobs("orders", "payments")}, ensure_ascii=False, indent=1).encode())
    deeper = zipped({"b.zip": zipped({"a.zip": inner})})
    cases = [
        (zipped({"a.zip": inner}), Limits(nested_bytes=len(inner)), Limits(nested_bytes=len(inner) - 1)),
        (zipped({"a.zip": inner}), Limits(nested_total=size), Limits(nested_total=size - 1)),
        (deeper, Limits(nested_depth=2), Limits(nested_depth=1)),
    ]
    for data, enough, too_little in cases:
        assert inspected(data, "orders", limits=enough).findings == ()
        report = inspected(data, "orders", limits=too_little)
        assert report.verified is False
        assert codes(report)["orders"] == "job-not-examined"


def test_archives_within_share_their_bounds() -> None:
    """Many small bombs cost no more than one."""
    bomb = zipped({"a.txt": b"x" * 1_000_000}, 8)
    data = zipped({f"{number}.zip": bomb for number in range(20)})
    report = inspected(data, limits=Limits(nested_total=3_000_000))
    assert [finding.code for finding in report.findings] == ["nested-unchecked"] * 17


@pytest.mark.parametrize("expected", [(), (1,), ("orders",)])
def test_a_damaged_archive_within_is_a_defect(expected: tuple[int | str, ...]) -> None:
    """Whether jobs are expected or not."""
    inner = bytearray(write_archive(jobs("orders"), 1e9, "jobs"))
    inner[60] ^= 0xFF
    report = inspected(zipped({"1.zip": bytes(inner)}), *expected)
    assert codes(report)[None] == "bad-nested-archive"
    assert "job 'orders' was found in nothing that was examined" in str(report.findings) or expected != ("orders",)


def test_what_is_encrypted_within_is_not_examined(maker: Any) -> None:
    """Neither missing nor a defect."""
    flags = {"flags": 1}
    inner = maker.build(maker.Member(b"a.json", flags=1, local=flags, central=flags))
    assert codes(inspected(zipped({"a.zip": inner}), "orders")) == {
        None: "nested-unchecked",
        "orders": "job-not-examined",
    }


SECRETS = ["orders", "Acme", "s3cr3t", "fraud", "订单"]
OTHER_KEYS = "{version: number, kind: text, <key>: [{<key>: text}] x 1, ok: null}"
UNKNOWN: dict[str, tuple[dict[str, str | bytes], list[str]]] = {
    "binary": (
        {"orders.bin": b"\xac\xed\x00\x05Acme", "fraud.bin": b"\xac\xed\x00\x05s3cr3t!"},
        ["2 x <text>.bin, 8 to 11 bytes: binary, begins with ac ed 00 05"],
    ),
    "keyed by name": (
        {"jobs.json": json.dumps({"orders": {"sql": "s3cr3t"}, "fraud": {"sql": "Acme"}})},
        ["1 x jobs.json, 55 bytes: JSON: {<key>: {sql: text} x 2}"],
    ),
    "other keys": (
        {"Acme/catalog-7.json": '{"version": 3, "kind": "Acme", "entries": [{"uid": "s3cr3t"}], "ok": null}'},
        [f"1 x <text>/catalog-<number>.json, 74 bytes: JSON: {OTHER_KEYS}"],
    ),
    "one key": ({"x": '{"orders": {"v": 1}}'}, ["1 x <text>, 20 bytes: JSON: {<key>: {<key>: number}}"]),
    "text": ({"fraud 订单_1.sql": "a\ns3cr3t"}, ["1 x <text>_<number>.sql, 8 bytes: text of 2 lines"]),
    "within": (
        {"orders.zip": zipped({"Acme/1": b"\0"})},
        ["1 x <text>.zip!<text>/<number>, 1 bytes: binary, begins with 00",
         "1 x <text>.zip, 111 bytes: an archive in the archive"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_layout_has_a_fingerprint(case: str) -> None:
    """Reported as such, and with nothing that is its owner's."""
    contents, expected = UNKNOWN[case]
    report = inspected(zipped(contents), "not-there")
    assert codes(report) == {None: "unknown-layout", "not-there": "job-not-examined"}
    shown = [str(group) for group in report.fingerprint]
    assert [line.partition(", with")[0] for line in shown] == expected
    shown_data = json.dumps(report.as_dict()["fingerprint"], ensure_ascii=False)
    assert [secret for secret in SECRETS if secret in shown_data] == []


def test_expected_jobs_are_replaced() -> None:
    """Where they stand by themselves, also where their name is an ordinary word."""
    report = inspected(zipped({"config.bin": b"\0", "x.json": '{"catalog": 1, "a": ""}'}), "config", "catalog", 7)
    assert [group.name for group in report.fingerprint] == ["<job>.bin", "<text>.json"]
    assert report.fingerprint[1].content == "JSON: {<key>: number, a: text}"


def test_a_fingerprint_is_made_only_where_it_is_wanted() -> None:
    """Of a known layout only on request, at both levels."""
    data = write_archive(jobs("orders"), 1e9, "jobs")
    assert (
        inspected(data, "other").fingerprint
        == inspected(data, "orders").fingerprint
        == inspected(data).fingerprint
        == ()
    )
    (group,) = inspected(data, "orders", fingerprint=True).fingerprint
    assert group.name == "<number>.json"
    assert group.content.startswith(
        "JSON: {job_id: number, name: text, status: text, sql_body: text, job_config: {"
    )
    (group,) = inspect(io.BytesIO(data), "directory", fingerprint=True).fingerprint
    assert (group.name, group.content) == ("<number>.json", "not read")


def test_entries_are_described_only_until_the_layout_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first shows ids and names, so the others need no description."""
    described: list[str] = []
    monkeypatch.setattr(Fingerprint, "add", lambda _, name, *_rest: described.append(name))
    data = write_archive(jobs(*"abc"), 1e9, "jobs")
    assert [each.code for each in inspected(data, "other", 100).findings] == ["missing-job"]
    assert described == []
    other = zipped({"1.bin": b"\0", **{f"{number}.json": f'{{"job_id": {number}}}' for number in range(2, 9)}})
    assert codes(inspected(other, 99)) == {"99": "job-not-examined"}
    assert described == ["1.bin"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_ids_of_all_jobs_are_listed(layout: Any) -> None:
    """Whatever is expected; not those of an archive of which something was not examined."""
    keys = Expectation(json_keys=("job_id",))
    data = write_archive(jobs("1", "b", "c"), 1e9, layout)
    for limits in (None, Limits(json_bytes=100)) if layout in ("jobs", "one_json") else (None,):
        report = inspect(io.BytesIO(data), expect=keys, limits=limits, lists_ids=True)
        assert report.job_ids == {"100", "101", "102"}
    assert inspect(io.BytesIO(data), expect=keys).job_ids == frozenset()
    part = zipped({"1.json": '{"job_id": 1}', "2.bin": b"\0"})
    assert inspect(io.BytesIO(part), expect=keys, lists_ids=True).job_ids == frozenset()


def test_a_fingerprint_is_bounded() -> None:
    """Whatever the archive has."""
    data = zipped({f"{'a/' * number}x": b"\0" for number in range(1, MOST + 9)})
    report = inspected(data, 1, fingerprint=True)
    assert len(report.fingerprint) == MOST + 1
    assert sum(group.entries for group in report.fingerprint) == MOST + 8


def test_the_command_prints_a_fingerprint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On request, and of a layout that is not known."""
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"Acme.bin": struct.pack("<I", 1)}))
    assert main([str(path), "--fingerprint"]) == 0
    assert "  1 x <text>.bin, 4 bytes: binary, begins with 01 00 00 00" in capsys.readouterr().out.splitlines()
    assert main([str(path), "--expect", "1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["fingerprint"][0]["name"] == "<text>.bin"
