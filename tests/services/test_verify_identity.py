"""Nothing is verified that OBS no longer has when its last byte has come, or that the network has damaged.

A store over sockets does the harm at a moment that no real one can be made to keep; the two real ones come last.
"""

from __future__ import annotations

import hashlib
import io
import logging
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import pytest

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliImportFlinkJobsOperator, DliVerifyFlinkExportOperator
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor
from airflow_provider_dli.services.verify import VerifyOptions, verify_archives
from dli_emulator import Emulator
from tests.http_server import HttpHandler, HttpServer
from tests.zipped import zipped

PLACE = "obs-test/a.zip"
TEN_MINUTES = 600.0
#: a byte of the first entry's time
TIME = 12


def archive_of(*jobs: int, size: int = 400_000) -> bytes:
    """Make an archive with some bytes, so that the last of them are not read at once."""
    filling: dict[str, str | bytes] = {"filling.bin": bytes(range(256)) * (size // 256)}
    return zipped(filling | {f"{job}.json": f'{{"job_id": {job}}}' for job in jobs})


@dataclass(frozen=True)
class Stored:
    """One version of an object."""

    data: bytes
    headers: dict[str, str] = field(default_factory=dict)
    written: float = 1_800_000_000.0


def stored(data: bytes, written: float = 1_800_000_000.0, headers: dict[str, str] | None = None) -> Stored:
    """Return an object with the headers of a plain PUT, or others."""
    tag = {"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'}
    return Stored(data, tag | (headers or {}), written)


def nothing(number: int) -> None:
    """Do no harm before the last byte of a GET."""
    del number


def as_it_is(number: int, start: int, body: bytes) -> bytes:
    """Damage nothing."""
    del number, start
    return body


class Store(HttpServer):
    """One object, a clock, and what happens while it is read."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.object: Stored | None = stored(archive_of(100))
        self.requests: list[str] = []
        self.during: Callable[[int], None] = nothing
        self.damage: Callable[[int, int, bytes], bytes] = as_it_is
        self.of_gets: dict[str, str] = {}

    @property
    def gets(self) -> int:
        return self.requests.count("GET")

    @property
    def heads(self) -> int:
        return self.requests.count("HEAD")


class Handler(HttpHandler):
    server: Store

    def do_HEAD(self) -> None:
        self.server.requests.append("HEAD")
        found = self.server.object
        if found is None and self.path.count("/") > 1:
            self.begin(404, {})
        elif found is not None:
            self.begin(200, self.facts(found), len(found.data))
        else:
            self.begin(200, {})

    def do_GET(self) -> None:
        store = self.server
        store.requests.append("GET")
        number, found = store.gets, store.object
        if found is None:
            self.begin(404, {})
            return
        first, last = (int(each) for each in self.headers["Range"].removeprefix("bytes=").split("-"))
        ranged = {"Content-Range": f"bytes {first}-{last}/{len(found.data)}"}
        body = store.damage(number, first, found.data[first : last + 1])
        self.begin(206, self.facts(found) | ranged | store.of_gets, len(body))
        self.wfile.write(body[:-1])
        self.wfile.flush()
        store.during(number)
        self.wfile.write(body[-1:])

    def facts(self, found: Stored) -> dict[str, str]:
        return {"Last-Modified": formatdate(found.written, usegmt=True)} | found.headers


@pytest.fixture
def store(connect: Any) -> Iterator[Store]:
    """Return a store that the connection leads to."""
    with Store() as server:
        connect(endpoint=server.url, obs_endpoint=server.url)
        yield server


def verify(**parameters: Any) -> dict[str, Any]:
    """Verify the object as a task does."""
    given = {"timeout": 0, "poll_interval": 0.05, **parameters}
    (report,) = DliVerifyFlinkExportOperator(task_id="verify", zip_file=PLACE, **given).execute({})
    return dict(report)


def codes(report: dict[str, Any]) -> list[str]:
    return [f"{each['severity']}: {each['code']}" for each in report["findings"]]


def last(store: Store, level: str) -> int:
    """Count the GETs of one reading, of the store as it is."""
    verify(level=level)
    gets, heads = store.gets, store.heads
    assert heads == (1 if level == "exists" else 2)  # one more, and no more
    store.requests.clear()
    return gets


OTHERS: dict[str, Stored | None] = {
    "deleted": None,
    "replaced": stored(archive_of(100, 101, 102)),
    "replaced by as many bytes": stored(archive_of(999)),
    "written again": stored(archive_of(100), written=1_800_000_007.0),
    "cut": stored(archive_of(100)[:-1]),
    "a new version": stored(archive_of(100), headers={"x-amz-version-id": "v2"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("level", ["directory", "full"])
@pytest.mark.parametrize("name", OTHERS)
def test_what_happens_while_the_last_get_streams_is_seen(store: Store, level: str, name: str) -> None:
    """Deleted is missing; replaced is read again from its start, and nothing of the old one is in the report."""
    gets, other = last(store, level), OTHERS[name]

    def during(number: int) -> None:
        if number == gets:
            store.object = other

    store.during = during
    if other is None:
        with pytest.raises(DliException, match="missing: there is no such object") as caught:
            verify(level=level)
        assert not isinstance(caught.value, DliFailException)
    elif name == "cut":
        with pytest.raises(DliFailException, match="no-end-record"):
            verify(level=level)
    else:
        report = verify(level=level)
        assert report["size"] == len(other.data)
        assert report["etag"] == other.headers["ETag"].strip('"')
        assert report["version_id"] == other.headers.get("x-amz-version-id")
        with zipfile.ZipFile(io.BytesIO(other.data)) as archive:
            assert report["entries"] == len(archive.namelist())


@pytest.mark.parametrize("level", ["directory", "full"])
def test_an_archive_replaced_after_every_reading_fails(store: Store, level: str) -> None:
    """Three times in all; another attempt of the task may go better."""
    gets = last(store, level)

    def during(number: int) -> None:
        if number % gets == 0:
            store.object = stored(archive_of(100), written=1_800_000_000.0 + number)

    store.during = during
    with pytest.raises(DliException, match="was replaced or deleted while it was read") as caught:
        verify(level=level)
    assert not isinstance(caught.value, DliFailException)
    assert store.gets == 3 * gets


@pytest.mark.slow
@pytest.mark.parametrize("versions", [{}, {"x-amz-version-id": "v1"}, {"x-amz-version-id": "null"}], ids=str)
@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"ETag": '"0"'}, "replaced or deleted"),
        ({"ETag": '""'}, "replaced or deleted"),
        ({"ETag": "0123456789abcdef0123456789abcdef"}, "replaced or deleted"),
        ({"Content-Range": "bytes 0-9/10"}, "requested bytes"),
        ({"Content-Range": "bytes 0-399999/*"}, "requested bytes"),
        ({"Content-Range": ""}, "requested bytes"),
    ],
    ids=str,
)
def test_every_get_must_be_about_the_version(
    store: Store, versions: dict[str, str], headers: dict[str, str], problem: str
) -> None:
    """Whatever the store makes of the conditions of the request."""
    store.object = stored(archive_of(100), headers=versions)
    store.of_gets = headers
    with pytest.raises(DliException, match=problem):
        verify()


def test_every_get_must_be_of_the_version(store: Store) -> None:
    """Where the bucket keeps versions."""
    store.object = stored(archive_of(100), headers={"x-amz-version-id": "v1"})
    store.of_gets = {"x-amz-version-id": "v2"}
    with pytest.raises(DliException, match="replaced or deleted"):
        verify()
    store.of_gets = {}
    assert verify()["version_id"] == "v1"


def test_the_sensor_and_the_restore_see_it_too(store: Store) -> None:
    """They verify by the same code."""
    gets = last(store, "directory")

    def during(number: int) -> None:
        if number == gets:
            store.object = None

    store.during = during
    with pytest.raises(DliException, match="missing: there is no such object"):
        DliExportArchiveSensor(task_id="wait", zip_file=PLACE, timeout=5, poke_interval=0.1).execute({})
    store.object, store.during = stored(archive_of(100)), nothing
    store.requests.clear()
    gets = last(store, "full")
    store.during = during
    with pytest.raises(DliException, match="missing: there is no such object"):
        DliImportFlinkJobsOperator(task_id="restore", zip_file=PLACE, plan_only=True).execute({})


@pytest.mark.parametrize("ahead", [-TEN_MINUTES, TEN_MINUTES])
def test_age_is_judged_by_the_clock_of_the_store(store: Store, ahead: float) -> None:
    """Whether it is ten minutes ahead of the worker's or behind."""
    store.ahead = ahead
    store.object = stored(archive_of(100), written=time.time() + ahead - 300)
    assert verify(max_age=400)["verified"]
    with pytest.raises(DliFailException, match=r"too-old: it was written (29|3)\d+ s ago, max_age is 200"):
        verify(max_age=200)


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [-TEN_MINUTES, TEN_MINUTES])
def test_a_write_after_the_clock_of_the_store_proves_no_age(store: Store, ahead: float) -> None:
    """If an age is required."""
    store.ahead = ahead
    store.object = stored(archive_of(100), written=time.time() + ahead + 300)
    with pytest.raises(
        DliFailException, match=r"not-yet-written: it was written at .*, after the time of OBS's clock"
    ):
        verify(max_age=400)
    assert verify()["verified"]


@pytest.mark.parametrize("ahead", [-TEN_MINUTES, TEN_MINUTES])
def test_the_sensor_measures_inactivity_by_the_clock_of_the_store(store: Store, ahead: float) -> None:
    """As with the age."""
    store.ahead = ahead
    store.object = stored(archive_of(100), written=time.time() + ahead - 300)
    sensor = DliExportArchiveSensor(task_id="wait", zip_file=PLACE, inactivity_period=200)
    assert sensor.poke({}).is_done
    sensor = DliExportArchiveSensor(task_id="wait", zip_file=PLACE, inactivity_period=400)
    assert not sensor.poke({}).is_done


def flipping(readings: int, gets: int, at: int) -> Callable[[int, int, bytes], bytes]:
    """Flip a bit of a byte of the first readings."""

    def damage(number: int, start: int, body: bytes) -> bytes:
        if number > readings * gets or not start <= at < start + len(body):
            return body
        place = at - start
        return body[:place] + bytes([body[place] ^ 1 << (number % 8)]) + body[place + 1 :]

    return damage


@pytest.mark.slow
@pytest.mark.parametrize("tag", [None, '"0123456789abcdef0123456789abcdef"'])
@pytest.mark.parametrize("at", [TIME, 300_000, -60, -20])
def test_what_arrives_damaged_is_read_once_more(store: Store, at: int, tag: str | None) -> None:
    """The second reading decides: of one byte of a time, of content, of the directory, whatever the ETag is."""
    data = archive_of(100)
    gets = last(store, "full")
    store.object = stored(data, headers={"ETag": tag} if tag else {})
    store.damage = flipping(1, gets, at % len(data))
    if at == TIME and tag:
        # No CRC is of that byte and no MD5 is known: nothing shows which of the readings is right.
        with pytest.raises(DliException, match="two readings of one version differ") as caught:
            verify()
        assert not isinstance(caught.value, DliFailException)
        return
    report = verify()
    assert report["verified"]
    assert report["sha256"] == hashlib.sha256(data).hexdigest()
    if codes(report) != ["warning: etag-mismatch"]:  # a byte that only a MD5 watches, and there was none
        assert "warning: damaged-on-the-way" in codes(report)


@pytest.mark.slow
def test_an_archive_that_arrives_otherwise_each_time_fails(store: Store) -> None:
    """And another attempt may go better: it is not the archive."""
    gets = last(store, "full")
    store.damage = flipping(9, gets, 300_000)
    with pytest.raises(DliException, match=r"damaged-on-the-way.*what is between OBS and this machine") as caught:
        verify()
    assert not isinstance(caught.value, DliFailException)
    assert store.gets == 2 * gets


def test_damage_in_obs_is_read_twice_and_reported(store: Store) -> None:
    """No more often; two readings that are the same leave no doubt where it happened."""
    data = bytearray(archive_of(100))
    gets = last(store, "full")
    data[300_000] ^= 1
    store.object = stored(bytes(data))
    with pytest.raises(DliFailException, match="bad-crc"):
        verify()
    assert store.gets == 2 * gets
    (report,) = verify_archives(
        ObsHook(), [ObsLocation("obs-test", "a.zip")], VerifyOptions(), logging.getLogger()
    )
    assert [(each.code, each.severity) for each in report.findings] == [
        ("damaged-in-obs", "warning"),
        ("bad-crc", "error"),
    ]


def test_a_missing_job_does_not_cause_a_second_reading(store: Store) -> None:
    """A requirement that is not met does not mean damage."""
    gets = last(store, "full")
    with pytest.raises(DliFailException, match="job-not-examined"):
        verify(expected_jobs=[999])
    assert store.gets == gets


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-amz-server-side-encryption": "kms"}, {"x-obs-server-side-encryption": "AES256"}],
    ids=str,
)
def test_the_etag_of_an_encrypted_object_is_not_an_md5(store: Store, headers: dict[str, str]) -> None:
    """Of the ciphertext: a note if OBS does not mark it as encrypted, and every CRC holds."""
    store.object = stored(archive_of(100), headers={"ETag": '"0123456789abcdef0123456789abcdef"'} | headers)
    report = verify()
    assert report["verified"]
    assert codes(report) == ([] if headers else ["warning: etag-mismatch"])


@pytest.mark.slow
@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("other", [None, archive_of(100, 101)], ids=["deleted", "replaced"])
def test_real_stores(
    each_store: Emulator, other: bytes | None, is_versioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is deleted or replaced while the last GET streams, also in a bucket that keeps the old version."""
    real = each_store
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", real.connection("access_key", obs_endpoint=real.dli))
    if is_versioned:
        enabled: Any = {"Status": "Enabled"}
        real.s3.put_bucket_versioning(Bucket=real.bucket, VersioningConfiguration=enabled)
    place, hook = ObsLocation(real.bucket, f"versioned-{is_versioned}.zip"), ObsHook()
    real.s3.put_object(Bucket=place.bucket, Key=place.key, Body=archive_of(100))
    total = len(archive_of(100))

    def during(parsed: Any, **_: Any) -> None:
        if parsed.get("ContentRange", "").endswith(f"-{total - 1}/{total}") and not done:
            starts.append(parsed["ContentRange"])
            if len(starts) == 2:  # the tail, and now all of it
                done.append(True)
                if other is None:
                    real.s3.delete_object(Bucket=place.bucket, Key=place.key)
                else:
                    real.s3.put_object(Bucket=place.bucket, Key=place.key, Body=other)

    starts: list[str] = []
    done: list[bool] = []
    hook.get_conn().meta.events.register("after-call.s3.GetObject", during)
    (report,) = verify_archives(hook, [place], VerifyOptions(), logging.getLogger())
    assert done
    if other is None:
        assert [each.code for each in report.errors] == ["missing"]
    else:
        assert report.verified
        assert report.report
        assert report.report.sha256 == hashlib.sha256(other).hexdigest()
