"""Scripted faults: what each does to the response, to the store and to the log, and how they are set."""

from __future__ import annotations

import http.client
import io
import json
import time
import zipfile
import zlib
from typing import Any

import pytest

from api_client import ApiClient, Response
from dli_emulator import Fault
from dli_emulator.faults import KINDS, Faults


def met(api: ApiClient) -> tuple[str | None, bool]:
    """Return the last request's fault, and whether it was carried out."""
    entry = api.emulator.requests[-1]
    return entry.fault, entry.acted


@pytest.mark.parametrize(
    ("kind", "parameters", "error"),
    [
        ("error", {}, (400, "DLI.0999")),
        ("error", {"status": 403, "code": "APIGW.0302", "message": "no"}, (403, "APIGW.0302")),
        ("throttled", {}, (429, "APIGW.0308")),
        ("expired_token", {}, (401, "APIGW.0307")),
        ("locked", {}, (401, "APIGW.0301")),
        ("no_agency", {}, (400, "DLI.10001")),
        ("skewed_clock", {}, (401, "APIGW.0303")),
        ("skewed_clock", {"seconds": -1200}, (401, "APIGW.0303")),
    ],
)
def test_refusals(api: ApiClient, kind: str, parameters: dict[str, Any], error: tuple[int, str]) -> None:
    """S3Refusal once with the service's code, nothing done; the next request gets through."""
    api.emulator.fault("ExportFlinkJobs", kind, **parameters)
    reply = api.export(100)
    assert reply.error == error
    assert reply.headers["x-request-id"]
    assert ("request_id" in reply.body) == error[1].startswith("APIGW.")
    assert met(api) == (kind, False)
    assert api.stored_keys() == []
    assert api.export(100).status == 200


def test_throttling_with_and_without_a_time_to_wait(api: ApiClient) -> None:
    """``Retry-After`` in seconds, as a date, or not at all; three times each."""
    api.emulator.fault("*", "throttled", times=2, retry_after=1)
    api.emulator.fault("ListFlinkJobs", "throttled", retry_after="Thu, 15 Jan 2026 08:30:45 GMT")
    api.emulator.fault("ListFlinkJobs", "throttled")
    answers = [api.jobs() for _ in range(5)]
    assert [reply.status for reply in answers] == [429] * 4 + [200]
    waits = [reply.headers.get("retry-after") for reply in answers]
    assert waits == ["1", "1", "Thu, 15 Jan 2026 08:30:45 GMT", None, None]


def test_an_html_page_of_a_load_balancer(api: ApiClient) -> None:
    """502 and no JSON at all."""
    api.emulator.fault("ExportFlinkJobs", "html")
    reply = api.export(100)
    assert (reply.status, reply.headers["content-type"]) == (502, "text/html")
    assert reply.content.startswith(b"<html>")
    assert api.stored_keys() == []


@pytest.mark.parametrize(
    ("body", "content", "content_type"),
    [
        ({"a": "ü"}, '{"a": "ü"}', "application/json"),
        ([{"error_code": "DLI.13024", "error_msg": "m"}], "[{", "application/json"),
        ('{"cut": ', '{"cut": ', "text/plain"),
        ("", "", "text/plain"),
    ],
)
def test_a_free_reply(api: ApiClient, body: Any, content: str, content_type: str) -> None:
    """Any status, headers and body."""
    api.emulator.fault("ListFlinkJobs", "reply", status=418, body=body, headers={"X-Tea": "pot"})
    reply = api.jobs()
    assert (reply.status, reply.headers["x-tea"]) == (418, "pot")
    assert reply.content.decode().startswith(content)
    assert reply.headers["content-type"].startswith(content_type)
    code = api.emulator.requests[-1].error_code
    assert code == ("DLI.13024" if isinstance(body, list) else None)


def test_a_success_that_is_none(api: ApiClient) -> None:
    """HTTP 200 with ``is_success`` false, and HTTP 200 without ``zip_file``; nothing is written."""
    api.emulator.fault("ExportFlinkJobs", "is_success_false", message="No permission to write.")
    api.emulator.fault("ExportFlinkJobs", "no_zip_file")
    assert api.export(100).body == {"is_success": "false", "message": "No permission to write."}
    assert api.export(100).body == {"is_success": "true", "message": ""}
    assert api.stored_keys() == []


@pytest.mark.parametrize(
    ("kind", "acted", "error"),
    [
        ("cut_before", False, http.client.RemoteDisconnected),
        ("cut_after", True, http.client.RemoteDisconnected),
        ("cut_during", True, http.client.IncompleteRead),
        ("reset_before", False, ConnectionResetError),
        ("reset_after", True, ConnectionResetError),
    ],
)
def test_lost_responses(api: ApiClient, kind: str, acted: bool, error: type[Exception]) -> None:
    """The connection ends; the archive is there if, and only if, it ended after the service had acted."""
    api.emulator.fault("ExportFlinkJobs", kind)
    with pytest.raises(error) as caught:
        api.export(100)
    assert type(caught.value) is error
    assert met(api) == (kind, acted)
    assert len(api.stored_keys()) == acted
    assert api.emulator.requests[-1].status == (200 if kind == "cut_during" else None)
    assert api.export(100).status == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_slow(api: ApiClient, when: str) -> None:
    """The response takes its time; the log has the request at once."""
    api.emulator.fault("ListFlinkJobs", "slow", times=1, **{when: 0.3})
    begun = time.monotonic()
    assert api.jobs().status == 200
    assert 0.3 <= time.monotonic() - begun < 60


def test_archive_missing(api: ApiClient) -> None:
    """The response names an archive that is not there."""
    api.emulator.fault("ExportFlinkJobs", "archive_missing")
    assert len(api.export(100).body["zip_file"]) == 1
    assert met(api) == ("archive_missing", True)
    assert api.stored_keys() == []


@pytest.mark.slow
def test_archive_late(api: ApiClient) -> None:
    """It appears after the response."""
    api.emulator.fault("ExportFlinkJobs", "archive_late", seconds=2.0)
    (entry,) = api.export(100).body["zip_file"]
    assert api.stored_keys() == []
    end = time.monotonic() + 60
    while not api.stored_keys() and time.monotonic() < end:
        time.sleep(0.05)
    assert [f"obs-test/{key}" for key in api.stored_keys()] == [entry]


def test_a_late_archive_does_not_come_into_the_next_state(api: ApiClient) -> None:
    """A reset ends what is still to come."""
    api.emulator.fault("ExportFlinkJobs", "archive_late", seconds=0.2)
    api.export(100)
    api.emulator.reset()
    time.sleep(0.5)
    assert api.stored_keys() == []


@pytest.mark.slow
def test_archive_cut(each_store: ApiClient) -> None:
    """Half of it, or as many bytes as wanted."""
    each_store.emulator.fault("ExportFlinkJobs", "archive_cut")
    each_store.emulator.fault("ExportFlinkJobs", "archive_cut", keep=10)
    half, ten, whole = (each_store.stored(each_store.export(100).body["zip_file"][0]) for _ in range(3))
    assert (len(half), ten) == (len(whole) // 2, whole[:10])
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(half))


@pytest.mark.slow
def test_archive_flipped(each_store: ApiClient) -> None:
    """One byte differs, by default where only inflating finds it; or the given one."""
    each_store.emulator.fault("ExportFlinkJobs", "archive_flipped")
    entry = each_store.export(100, 101).body["zip_file"][0]
    damaged = each_store.stored(entry)
    with zipfile.ZipFile(io.BytesIO(damaged)) as archive:
        assert archive.namelist() == ["100.json", "101.json"]
        with pytest.raises((zipfile.BadZipFile, zlib.error)):
            archive.read("100.json")
        archive.read("101.json")
    each_store.emulator.fault("ExportFlinkJobs", "archive_flipped", at=-1)
    last = each_store.stored(each_store.export(100).body["zip_file"][0])
    assert last[-1] == 0xFF


def test_each_request_meets_one_fault_the_oldest_first(api: ApiClient) -> None:
    """Faults for one operation and for all, with turns, until cleared."""
    api.emulator.fault("ShowFlinkJob", "error", code="DLI.0001")
    api.emulator.fault("*", "error", code="DLI.0002", times=None)
    api.emulator.fault("ListFlinkJobs", "error", code="DLI.0003")
    codes = [reply.body["error_code"] for reply in (api.jobs(), api.show(1), api.show(1), api.export(1))]
    assert codes == ["DLI.0002", "DLI.0001", "DLI.0002", "DLI.0002"]
    assert [fault.times for fault in api.emulator.faults] == [None, 1]
    api.emulator.faults.clear()
    assert api.jobs().status == 200


def test_a_wrong_signature_is_refused_whatever_the_fault(api: ApiClient) -> None:
    """The gateway authenticates before all else."""
    api.emulator.fault("ListFlinkJobs", "html", times=None)
    path = f"/v1.0/{api.emulator.project_id}/streaming/jobs"
    wrong: Response = api.request("GET", path, key=(api.emulator.access_key, "wrong"))
    assert wrong.error == (401, "APIGW.0301")
    assert api.jobs().status == 502


def test_the_skewed_clock_shows_in_the_date(api: ApiClient) -> None:
    """A client can compute how far the clocks are apart."""
    api.emulator.fault("ListFlinkJobs", "skewed_clock", seconds=86400)
    given = api.jobs().headers["date"]
    right = api.jobs().headers["date"]
    assert given[5:7] != right[5:7]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("ExportFlinkJobs", "nonsense"), "no fault is called 'nonsense'; there are reply, error"),
        (("ListFlinkJobs", "archive_cut"), "is for operation ExportFlinkJobs, not 'ListFlinkJobs'"),
        (("*", "no_zip_file"), "is for operation ExportFlinkJobs, not '*'"),
        (("*", "slow", 0), "times must be"),
        (("*", "slow", True), "times must be"),
        (("*", "slow", "3"), "times must be"),
        (("*", "slow", 1, {"delay": 3}), "no parameter delay; it has before, after"),
        (("*", "locked", 1, {"x": 3}), "no parameter x; it has none"),
        (("*", "slow", 1, {"before": "x"}), "before of fault 'slow' must be seconds, not 'x'"),
        (("*", "slow", 1, {"after": -1}), "must be seconds"),
        (("*", "skewed_clock", 1, {"seconds": True}), "must be seconds"),
        (("*", "reply", 1, {"status": 99}), "must be an HTTP status"),
        (("*", "reply", 1, {"headers": {"A": 1}}), "must be a mapping of strings"),
        (("*", "error", 1, {"code": 1}), "must be a string"),
        (("*", "error", 1, {"message": None}), "must be a string"),
        (("*", "throttled", 1, {"retry_after": []}), "must be seconds or an HTTP date"),
        (("ExportFlinkJobs", "archive_cut", 1, {"keep": -1}), "must be a number of bytes"),
        (("ExportFlinkJobs", "archive_flipped", 1, {"at": 0.5}), "must be an offset"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_when_it_is_set(given: tuple[Any, ...], expected: str) -> None:
    """The text names what is wrong and what there is."""
    with pytest.raises(ValueError, match=r"fault|times") as caught:
        Fault(*given)
    assert expected in str(caught.value)


def test_an_unknown_operation_is_refused(api: ApiClient) -> None:
    """And the known ones are named."""
    with pytest.raises(ValueError, match=r"no operation is called 'Export'; there are .*ExportFlinkJobs"):
        api.emulator.fault("Export", "html")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "ExportFlinkJobs:throttled:times=3,retry_after=1",
            Fault("ExportFlinkJobs", "throttled", 3, {"retry_after": 1}),
        ),
        ("*:html", Fault("*", "html")),
        ("*:slow:before=0.5,times=null", Fault("*", "slow", None, {"before": 0.5})),
        ("*:error:code=DLI.0003,status=400", Fault("*", "error", 1, {"code": "DLI.0003", "status": 400})),
        ('{"kind": "reply", "body": "a,b", "times": 2}', Fault("*", "reply", 2, {"body": "a,b"})),
    ],
)
def test_faults_from_the_command_line(text: str, fault: Fault) -> None:
    """The short form, and JSON where that does not reach."""
    assert Fault.parse(text) == fault
    assert Fault.from_dict(json.loads(json.dumps(fault.as_dict()))) == fault


def test_every_kind_can_be_set_with_its_defaults() -> None:
    """The table of kinds is consistent."""
    operations = {
        "range_ignored": "GetObject",
        "import_drops": "ImportFlinkJobs",
        "import_alters": "ImportFlinkJobs",
        "statuses": "BatchRunFlinkJobs",
    }
    faults = Faults(["ExportFlinkJobs", *operations.values()])
    for kind, defaults in KINDS.items():
        given = {**defaults, "job": 100} if "job" in defaults else dict(defaults)
        faults.add(Fault(operations.get(kind, "ExportFlinkJobs"), kind, 1, given))
    assert [fault.kind for fault in faults] == list(KINDS)


def test_an_error_in_the_emulator_is_a_response_too(api: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
    """A job that cannot be written as JSON: the client gets a 500 with the gateway's code, the log the reason."""
    api.emulator.state.add_job(job_id=1, name="odd", job_config={"odd": object()})
    assert api.export(1).error == (500, "APIGW.0601")
    assert "broke the emulator" in caplog.text
    assert "not JSON serializable" in caplog.text
