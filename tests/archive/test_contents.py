"""Expected jobs are found wherever a DLI archive may keep them, and nowhere else."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dli.archive import Expectation, Limits, inspect
from airflow_provider_dli.archive.jsontext import JsonError, JsonStream, parse
from airflow_provider_dli.archive.search import Search


def missing(archive: bytes, expect: Expectation, level: Any = "full") -> list[tuple[str, str]]:
    report = inspect(io.BytesIO(archive), level, expect=expect)
    return [(finding.code, finding.message) for finding in report.findings]


@pytest.mark.parametrize("name", ["101", "101.json", "jobs/101.json", "101.tar.gz", "a/101/b", "101.PROPERTIES"])
def test_ids_are_found_in_names(writers: Any, name: str) -> None:
    """A part of the path, with or without its extension, is an id."""
    assert missing(writers.zipped({name: b"{}"}), Expectation((101,))) == []


@pytest.mark.parametrize("name", ["1010.json", "jobs/10/1.json"])
def test_other_ids_in_names_show_which_are_missing(writers: Any, name: str) -> None:
    """Job 101 is not job 1010, once the numbers are ids; else they may count the entries."""
    archive = writers.zipped({name: b"{}", "7.json": b"{}"})
    assert missing(archive, Expectation((101, 7))) == [("missing-job", "job '101' was found nowhere")]
    assert [code for code, _ in missing(archive, Expectation((101,)))] == NOT_RECOGNISED


NOT_RECOGNISED = ["unknown-layout", "job-not-examined"]


@pytest.mark.parametrize("name", ["x101.json", "101b", "job_101/a.json", "export-101-2026.txt", "2026-01-101"])
def test_parts_of_other_words_are_no_ids(writers: Any, name: str) -> None:
    """Job 101 may be in ``job_101``, and so may be the job of that name: it is neither found nor missing."""
    assert [code for code, _ in missing(writers.zipped({name: b"{}"}), Expectation((101,)))] == NOT_RECOGNISED


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("orders", True),
        ("a/orders.json", True),
        ("orders/a", True),
        ("orders-2.json", False),
        ("orders_v2", False),
        ("orders_v2.json", False),
        ("orders.v2.json", False),
        ("orders.v2", False),
        ("a_orders.json", False),
        ("Orders.json", False),
    ],
)
def test_names_are_found_as_parts_of_the_path(writers: Any, name: str, found: bool) -> None:
    """A job's name is a whole part of the path, with or without its extension."""
    codes = [code for code, _ in missing(writers.zipped({name: b"1"}), Expectation(("orders",)))]
    assert codes == ([] if found else NOT_RECOGNISED)


@pytest.mark.parametrize(
    "document",
    [
        {"job_id": 101},
        {"job_id": "101"},
        {"name": "101"},
        [{"x": 1}, {"jobs": [{"detail": {"job_id": 101}}]}],
    ],
)
def test_jobs_are_found_in_json(writers: Any, document: Any) -> None:
    """Members named ``job_id`` or ``name`` count at any depth."""
    archive = writers.zipped({"all.json": json.dumps(document).encode()})
    assert missing(archive, Expectation((101,))) == []


@pytest.mark.parametrize("document", [{"id": 101}, {"job_id": [101]}, {"job_id": True}, [101], None])
def test_other_json_is_not_taken_for_a_job(writers: Any, document: Any) -> None:
    """A number somewhere is not a job; whether the job is there is not known."""
    archive = writers.zipped({"all.json": json.dumps(document).encode()})
    assert [code for code, _ in missing(archive, Expectation((101,)))] == NOT_RECOGNISED


@pytest.mark.parametrize("name", ["all.json", "all.txt"])
def test_a_job_whose_name_begins_another_is_missing(writers: Any, name: str) -> None:
    """In JSON, whatever its entry is called: the archive shows names and ids, and these are not among them."""
    archive = writers.zipped({name: json.dumps({"jobs": [{"job_id": 1010, "name": "orders_v2"}]}).encode()})
    assert [code for code, _ in missing(archive, Expectation((101, "orders", "v2")))] == ["missing-job"] * 3
    assert missing(archive, Expectation((1010, "orders_v2"))) == []


def test_names_of_other_things_do_not_show_which_jobs_are_missing(writers: Any) -> None:
    """A name beside which there is no id may be a table's."""
    archive = writers.zipped({"all.json": b'{"tables": [{"name": "a"}]}'})
    assert [code for code, _ in missing(archive, Expectation(("orders",)))] == NOT_RECOGNISED


def test_other_members_can_be_named(writers: Any) -> None:
    """Where the layout is known, the keys can be."""
    archive = writers.zipped({"all.json": b'{"id": 7}', "8.json": b"{}"})
    assert missing(archive, Expectation((7,), json_keys=("id",))) == []
    assert [code for code, _ in missing(archive, Expectation((7,), json_keys=()))] == ["missing-job"]


def test_names_can_be_matched_by_a_pattern(writers: Any) -> None:
    """Where the layout is known, the pattern can be; an empty one leaves the names alone."""
    archive = writers.zipped({"jobs/a-b.conf": b"", "8/x": b""})
    pattern = r"^jobs/(?P<job>[^/]+)\.conf$"
    assert missing(archive, Expectation(("a-b",), entry_pattern=pattern)) == []
    assert [code for code, _ in missing(archive, Expectation((8,), entry_pattern=pattern))] == ["missing-job"]
    assert [code for code, _ in missing(archive, Expectation((8,), entry_pattern=""))] == ["missing-job"]


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_names_are_read_in_the_encodings_that_writers_do_not_mark(maker: Any, encoding: str) -> None:
    """Chinese or UTF-8 without its flag."""
    archive = maker.build(maker.Member("作业/订单.json".encode(encoding)))
    assert missing(archive, Expectation(("订单",))) == []
    assert [code for code, _ in missing(archive, Expectation(("订",)))] == ["missing-job"]


def test_a_name_in_no_known_encoding_may_be_the_job(maker: Any) -> None:
    """Nothing is reported missing that was not understood."""
    archive = maker.build(maker.Member(b"gr\xf6\xff.json"))
    why = "'gr÷\\xa0.json' (the encoding of its name is not known)"
    assert missing(archive, Expectation(("größ",))) == [
        ("job-not-examined", f"job 'größ' was found in nothing that was examined; not: the entry {why}")
    ]


@pytest.mark.parametrize("size", [0, 300_000])
@pytest.mark.parametrize(
    "magic", [b"PK\3\4", b"PK\5\6", b"\x1f\x8b\x08", b"7z\xbc\xaf\x27\x1c", b"\xfd7zXZ\0", b"Rar!\x1a\7", b"BZh9"]
)
def test_an_archive_within_is_recognized_by_its_first_bytes(writers: Any, magic: bytes, size: int) -> None:
    """Whatever it is called; once, if its name shows it too."""
    for name in ("jobs.data", "jobs.gz"):
        archive = writers.zipped({name: magic + writers.noise(size), "b.json": b"{}"})
        *_, (code, message) = missing(archive, Expectation((999,)))
        assert code == "job-not-examined"
        assert message.endswith(f"not: the entry '{name}' (an archive in the archive)")


def test_content_of_no_known_form_is_not_examined(writers: Any) -> None:
    """It may hold the job; text in which the job does not stand does not."""
    ids = {"1.json": b'{"job_id": 1}'}
    archive = writers.zipped({**ids, "x.data": b"P" + writers.noise(300_000)})
    assert [code for code, _ in missing(archive, Expectation((999,)))] == ["job-not-examined"]
    archive = writers.zipped({**ids, "y.data": b"", "z.txt": b"a, b, 99"})
    assert [code for code, _ in missing(archive, Expectation((999,)))] == ["missing-job"]
    archive = writers.zipped({**ids, "z.txt": b"a, b, 999"})
    assert [code for code, _ in missing(archive, Expectation((999,)))] == ["job-not-examined"]
    archive = writers.zipped({**ids, "z.txt": b"x" * 1_100_000}, 0)
    assert "Limits(json_bytes)" in missing(archive, Expectation((999,)))[0][1]


def test_pattern_without_a_job_is_refused() -> None:
    """It could never find one."""
    with pytest.raises(ValueError, match="has no group named 'job'"):
        inspect(io.BytesIO(), expect=Expectation(("x",), entry_pattern="x"))


def test_every_missing_job_is_named(writers: Any) -> None:
    """One finding each, in order, with the job's name made harmless."""
    archive = writers.zipped({"2.json": b'{"job_id": 2, "name": "a"}'})
    found = missing(archive, Expectation(("9\n", 2, 1)))
    assert [message for _, message in found] == ["job '1' was found nowhere", "job '9\\n' was found nowhere"]


def test_broken_json_holds_no_job(writers: Any) -> None:
    """It is reported by itself, and what may be in it is not called missing."""
    archive = writers.zipped({"all.json": b'{"job_id": 101'})
    assert [code for code, _ in missing(archive, Expectation((101,)))] == ["bad-json", "job-not-examined"]


def test_directory_level_does_not_accuse(writers: Any) -> None:
    """It does not read contents, and reports that; with names alone it can decide."""
    archive = writers.zipped({"all.json": b'{"job_id": 101}', "102.json": b"{}"})
    report = inspect(io.BytesIO(archive), "directory", expect=Expectation((101, 102)))
    assert [(finding.code, finding.severity) for finding in report.findings] == [("job-unproven", "warning")]
    assert missing(archive, Expectation((101,), json_keys=()), "directory")[0][0] == "missing-job"


def test_entries_are_counted_without_directories(maker: Any) -> None:
    """A directory is not a job."""
    archive = maker.build(maker.Member(b"jobs/", b"", 0), maker.Member())
    assert missing(archive, Expectation(min_entries=1)) == []
    assert missing(archive, Expectation(min_entries=2)) == [("too-few-entries", "1 files, at least 2 expected")]


@pytest.mark.parametrize(("content", "code"), [(b"", "empty-file"), (b"<html>", "no-end-record")])
def test_entries_that_nobody_can_count_are_not_called_too_few(content: bytes, code: str) -> None:
    """The report names why the directory cannot be read, and that alone."""
    report = inspect(io.BytesIO(content), expect=Expectation(min_entries=1))
    assert [finding.code for finding in report.errors] == [code]


def large(count: int = 600) -> bytes:
    """Make a document that is larger than what is parsed at once."""
    jobs = [{"job_id": 1000 + i, "name": f"größe-{i}", "sql": "-- 9999\n" * 300} for i in range(count)]
    return json.dumps({"jobs": jobs}).encode()


def test_a_document_of_any_size_is_searched(writers: Any) -> None:
    """By ids and names, escaped as they are; nothing else in it is taken for one."""
    archive = writers.zipped({"jobs.json": large()})
    assert missing(archive, Expectation((1005, "1599", "größe-7"))) == []
    found = missing(archive, Expectation((1005, 100, 9999, "größe", 1600)))
    assert [message.split("'")[1] for _, message in found] == ["100", "1600", "9999", "größe"]
    assert {code for code, _ in found} == {"missing-job"}
    assert [code for code, _ in missing(archive, Expectation((100,)), "directory")] == ["job-unproven"]
    assert [code for code, _ in missing(archive, Expectation())] == ["json-unchecked"]


def test_a_large_document_that_is_not_json_is_reported(writers: Any) -> None:
    """And its jobs are not called missing."""
    archive = writers.zipped({"jobs.json": large()[:-1]})
    found = missing(archive, Expectation((1005, 7)))
    assert [code for code, _ in found] == ["bad-json", "job-not-examined", "job-not-examined"]


@pytest.mark.slow
def test_memory_of_a_large_document_is_bounded(writers: Any) -> None:
    """Also where it is one string, or one number, or brackets."""
    for content in (b'"' + b"x" * 40_000_000 + b'"', b"[" * 3_000_000, b"1" * 3_000_000, b'["\\u00e9' * 500_000):
        archive = writers.zipped({"a.json": content}, 0)
        reader = io.BytesIO(archive)
        tracemalloc.start()
        inspect(reader, expect=Expectation((1,)))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 20_000_000


NOT_EXAMINED: dict[str, tuple[dict[str, bytes], Limits]] = {
    "nested too deeply": ({"a.json": b"[" * 1_100_000 + b"]" * 1_100_000}, Limits(ratio_floor=1 << 23)),
    "an archive in the archive": ({"inner.zip": b"PK", "b.json": b"{}"}, Limits()),
    "Limits(entry_bytes": ({"a.json": b"[" + b"1," * 900 + b"1]", "b.json": b"{}"}, Limits(entry_bytes=1000)),
    "the central directory does not locate it": ({"a.json": b"{}", "b.json": b"{}"}, Limits(entries=1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("reason", NOT_EXAMINED)
def test_what_was_not_examined_is_not_called_missing(writers: Any, reason: str) -> None:
    """But named, with why, and with the limit to raise where there is one."""
    contents, limits = NOT_EXAMINED[reason]
    report = inspect(io.BytesIO(writers.zipped(contents)), expect=Expectation((101,)), limits=limits)
    assert "missing-job" not in {each.code for each in report.findings}
    (finding,) = [each for each in report.errors if each.code == "job-not-examined"]
    assert reason in finding.message


@pytest.mark.parametrize("flag", [0x01, 0x41])
def test_what_is_encrypted_is_not_called_empty(maker: Any, flag: int) -> None:
    """It was not examined."""
    archive = maker.build(maker.Member(b"a.json", flags=flag, local={"flags": flag}, central={"flags": flag}))
    report = inspect(io.BytesIO(archive), expect=Expectation((101,)))
    assert {"encrypted", "job-not-examined"} == {each.code for each in report.errors}


@pytest.mark.parametrize("name", ["2026-01-15/x", "a_20260115/x", "a-2026-01-15T10-15-30.json", "x.2026.01.15"])
def test_a_date_holds_no_id(writers: Any, name: str) -> None:
    """Whatever numbers are in it."""
    archive = writers.zipped({name: b"{}", "2.json": b'{"job_id": 2}'})
    expected = Expectation((15, 1, 10, 30))
    assert [code for code, _ in missing(archive, expected)] == ["missing-job"] * 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["job_id", "name"]), inner),
    max_leaves=20,
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


def in_pieces(data: bytes, size: int, jobs: frozenset[str]) -> set[str] | None:
    """Read a document in a stream; None where it is none."""
    stream = JsonStream(frozenset(("job_id", "name")), jobs)
    try:
        for at in range(0, len(data), size):
            stream.feed(data[at : at + size])
        stream.finish()
    except JsonError:
        return None
    return stream.found


def at_once(data: bytes, jobs: frozenset[str]) -> set[str] | None:
    """Read a document as a whole."""
    try:
        document = parse(data)
    except JsonError:
        return None
    search = Search(Expectation(tuple(jobs)))
    search.in_json(document)
    return set(jobs) - set(search.missing)


@pytest.mark.slow
@given(JSON, st.integers(1, 9), st.sampled_from(ENCODINGS), st.booleans(), st.data())
def test_in_a_stream_it_is_what_it_is_at_once(
    document: Any, size: int, encoding: str, is_ascii: bool, data: st.DataObject
) -> None:
    """JSON or none, and the same jobs, wherever it is cut, and with any byte of it changed."""
    text = json.dumps(document, ensure_ascii=is_ascii)
    raw = bytearray(text.encode(encoding, "surrogatepass" if "utf-8" not in encoding else "replace"))
    if raw and data.draw(st.booleans()):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b'{}[]:,"\\ 01.-eE\ntx\xff\0'))
    words = set(re.findall(r"[\w-]+", text)) | {"", "1", "é"}
    jobs = frozenset(words)
    whole, pieces = at_once(bytes(raw), jobs), in_pieces(bytes(raw), size, jobs)
    assert (whole is None) == (pieces is None)
    assert whole is None or whole <= (pieces or set())
