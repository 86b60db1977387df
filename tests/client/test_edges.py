"""Small things that hold, each found by changing the code and seeing that no other test noticed."""

from __future__ import annotations

import gc
import io
import pickle
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RefusedError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.flink import FlinkJob
from airflow_provider_dli.client.flink.definitions import _updated
from airflow_provider_dli.client.flink.settings import differences, settings_of
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.asking import MissingError, _kind
from airflow_provider_dli.client.obs.listing import has_objects, list_entries, list_keys
from airflow_provider_dli.client.obs.objects import ObjectFacts
from airflow_provider_dli.client.obs.reader import ObjectReader
from airflow_provider_dli.client.obs.settings import LivingCredentials
from airflow_provider_dli.client.proxies import Proxy, uses_tls
from airflow_provider_dli.client.replies import decode, moment


@pytest.mark.usefixtures("abroad")
@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_a_date_is_read_in_utc_wherever_the_worker_is(zone: str) -> None:
    """``-0000`` says that no zone is told."""
    read = moment(f"Wed, 25 Nov 2026 01:02:03 {zone}")
    assert read == datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
    assert read.utcoffset() == datetime.now(UTC).utcoffset()


def test_an_error_passes_between_processes() -> None:
    """With all that it says: Airflow hands exceptions over pickled."""
    error = AuthenticationError("ExportFlinkJobs", 401, "APIG.0301", "no such key", "r-1")
    passed = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own
    assert (type(passed), str(passed), vars(passed)) == (AuthenticationError, str(error), vars(error))


def test_a_refusal_in_a_success_is_of_the_kind_of_its_status() -> None:
    """What has no code of its own goes by the HTTP status, which is a success here."""
    with pytest.raises(RefusedError) as refused:
        decode("ExportFlinkJobs", Reply(200, {}, b'{"is_success": false, "message": "no"}'))
    assert type(refused.value) is RefusedError
    assert refused.value.status == 200


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_an_envelope_in_a_message_may_have_blanks_around_it(blank: str) -> None:
    """It is JSON all the same."""
    inner = blank.encode("unicode_escape").decode() + '{\\"is_success\\": \\"true\\", \\"path\\": \\"p\\"}'
    told = decode(
        "ExecuteFlinkJobSavepoint", Reply(200, {}, f'{{"is_success": true, "message": "{inner}"}}'.encode())
    )
    assert told["path"] == "p"


def test_the_words_of_one_are_its_own() -> None:
    """An array of one is that one, its message untouched, be it missing."""
    assert decode("RunFlinkJobs", Reply(200, {}, b'[{"is_success": "true"}]')) == {"is_success": "true"}


def job(job_type: str, **raw: Any) -> FlinkJob:
    return FlinkJob(1, "a", job_type, "job_init", raw=raw)


def test_the_settings_of_a_jar_job_are_its_own() -> None:
    """And those of a SQL job its own."""
    given = {"entrypoint": "a.jar", "sql_body": "select 1", "parallel_number": 2}
    assert settings_of(job("flink_jar_job", job_config=given)) == {"entrypoint": "a.jar", "parallel_number": 2}
    assert settings_of(job("flink_sql_job", job_config=given)) == {"sql_body": "select 1", "parallel_number": 2}


def test_a_change_may_come_without_its_time() -> None:
    """It was made all the same."""
    assert _updated(1, {"job": {}}).update_time is None
    assert _updated(1, {"job": {"update_time": "1606266000000"}}).update_time == 1606266000000


def test_what_follows_a_job_s_own_setting_is_compared() -> None:
    """The owner of a job is its own, and stands among others."""
    one, other = (job("flink_sql_job", user_name=name, parallel_number=at) for at, name in enumerate("ab"))
    assert [each.field for each in differences(one, other)] == ["parallel_number"]


@pytest.mark.parametrize(
    ("url", "proxy", "tls"),
    [
        ("http://a", None, False),
        ("https://a", None, True),
        ("http://a", "http://p", False),
        ("http://a", "https://p", True),
    ],
)
def test_tls_is_spoken_to_a_host_or_to_a_proxy(url: str, proxy: str | None, tls: bool) -> None:
    """So certificates matter for a proxy too."""
    request = Request("GET", url, ())
    assert uses_tls(request, Proxy(proxy) if proxy else None) is tls


def test_boto3_has_all_of_a_key() -> None:
    """Access key, secret key and token, of the moment."""
    living = LivingCredentials(lambda: AccessKey("AK", "SK", "TOKEN"))
    assert tuple(living.get_frozen_credentials())[:3] == ("AK", "SK", "TOKEN")
    assert (living.access_key, living.secret_key, living.token) == ("AK", "SK", "TOKEN")


class Listing:
    """A client whose listing has these pages."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = pages
        self.markers: list[str] = []

    def list_objects(self, **wanted: Any) -> dict[str, Any]:
        self.markers.append(wanted.get("Marker", ""))
        at = self.markers[-1]
        number = next(n for n, page in enumerate(self.pages) if page.get("From", "") == at)
        more = (
            {"IsTruncated": True, "NextMarker": self.pages[number + 1]["From"]}
            if number + 1 < len(self.pages)
            else {}
        )
        return {"Name": wanted["Bucket"], "IsTruncated": False, **self.pages[number], **more}


def test_a_page_of_a_listing_may_have_nothing() -> None:
    """Then boto3 leaves out the list."""
    entry = {"Key": "d/a.zip", "Size": 1, "ETag": '"e"', "LastModified": datetime(2026, 1, 1, tzinfo=UTC)}
    client: Any = Listing(
        {}, {"From": "d/a", "Contents": [entry]}, {"From": "d/b", "CommonPrefixes": [{"Prefix": "d/b/"}]}
    )
    place = ObsLocation("obs-test", "d")
    assert list_keys(client, place) == ["d/a.zip"]
    found = list_entries(client, place)
    assert found
    assert (found.directories, [(each.key, each.etag) for each in found.objects]) == (("d/b",), [("d/a.zip", "e")])
    assert has_objects(client, place)
    assert not has_objects(Listing({}), place)  # type: ignore[arg-type]


def test_a_permission_that_is_missing_is_no_missing_object() -> None:
    """Nor is another 404 than those that say so; see the OBS facts of :func:`asked`."""
    assert _kind(404, "NoSuchKey") is MissingError
    assert _kind(404, "Other") is RefusedError
    assert _kind(403, "NoSuchKey") is PermissionDeniedError
    assert _kind(400, "NoSuchKey") is RefusedError


FACTS = ObjectFacts(10, "etag", "2026-01-01T00:00:00Z")
PLACE = ObsLocation("obs-test", "a.zip")


@pytest.mark.parametrize(
    ("status", "given"), [(206, "bytes 1-5/10"), (206, None), (200, "bytes 0-3/10"), (200, None)]
)
def test_another_range_than_was_asked_for_is_refused(status: int, given: str | None) -> None:
    """Whichever of status and range says so; and the body is let go."""
    body = io.BytesIO(b"0123")
    reply = {"ResponseMetadata": {"HTTPStatusCode": status}, "ContentRange": given, "Body": body}
    client: Any = SimpleNamespace(get_object=lambda **_: reply)
    with pytest.raises(UnexpectedReplyError, match=f"got {given or 'the whole object'}"):
        ObjectReader(client, PLACE, FACTS).read(4)
    assert body.closed


def test_a_reader_that_was_refused_is_thrown_away_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python closes it; from 3.13 on it tells of what then goes wrong."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    facts = replace(FACTS, storage_class="COLD")
    with pytest.raises(RefusedError, match="storage class COLD"):
        ObjectReader(SimpleNamespace(), PLACE, facts)  # type: ignore[arg-type]
    gc.collect()
    assert told == []
    made = ObjectReader.__new__(ObjectReader)
    with suppress(RefusedError):
        made.__init__(SimpleNamespace(), PLACE, facts)  # type: ignore[misc]
    made.close()
    assert made.closed


def test_a_buffer_takes_no_more_than_it_has_room_for() -> None:
    """As of any file."""
    asked: list[str] = []

    def get_object(**settings: Any) -> dict[str, Any]:
        asked.append(settings["Range"])
        status = {"HTTPStatusCode": 206}
        return {"ResponseMetadata": status, "ContentRange": "bytes 0-3/10", "Body": io.BytesIO(b"0123")}

    client: Any = SimpleNamespace(get_object=get_object)
    buffer = bytearray(4)
    assert ObjectReader(client, PLACE, FACTS).readinto(buffer) == 4
    assert (bytes(buffer), asked) == (b"0123", ["bytes=0-3"])
