"""Reading OBS: settings, look-ups and ranged reads, from a store that misbehaves on demand."""

from __future__ import annotations

import gc
import io
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_dli.client.errors import (
    AuthenticationError,
    ConfigurationError,
    DliClientError,
    NotSentError,
    PermissionDeniedError,
    RefusedError,
    ResponseLostError,
    ThrottledError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.client import addressing_style, make_client
from airflow_provider_dli.client.obs.objects import ObjectFacts, find_object
from airflow_provider_dli.client.obs.reader import ObjectReader
from tests.http_server import HttpHandler, HttpServer

FACTS = ObjectFacts(10, "etag", "2026-01-01T00:00:00Z")
BYTES = random.Random(7).randbytes(300_000)
PLACE = ObsLocation("obs-test", "dir/a.zip")


class Store(HttpServer):
    """A server with one object, and the faults of its responses."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.requests: list[tuple[str, str, str | None]] = []
        self.etag = '"e1"'
        self.cuts = 0
        self.at_most: int | None = None
        self.whole = False
        self.status: int | None = None
        self.code = ""
        self.missing: set[str] = set()
        self.headers: dict[str, str] = {}


class Handler(HttpHandler):
    """Responds as S3 does."""

    server: Store

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        store = self.server
        requested = self.headers.get("Range")
        store.requests.append((self.command, self.path, requested))
        if store.status:
            return self.refuse(store.status, store.code)
        if self.path.strip("/") in store.missing:
            return self.refuse(404, "NoSuchBucket" if "/" not in self.path.strip("/") else "NoSuchKey")
        if self.headers.get("If-Match") not in (None, store.headers.get("ETag", store.etag)):
            return self.refuse(412, "PreconditionFailed")
        headers = {"ETag": store.etag, "Last-Modified": "Thu, 15 Jan 2026 08:30:45 GMT"} | store.headers
        status, first, last = 200, 0, len(BYTES) - 1
        if requested and not store.whole:
            first, last = (int(n) for n in requested.removeprefix("bytes=").split("-"))
            status, headers["Content-Range"] = 206, f"bytes {first}-{last}/{len(BYTES)}"
        self.begin(status, headers, last + 1 - first)
        if self.command == "GET":
            self.send(BYTES[first : last + 1])
        return None

    def send(self, body: bytes) -> None:
        if self.server.at_most is not None:
            self.wfile.write(body[: self.server.at_most])
            self.close_connection = len(body) > self.server.at_most
        elif self.server.cuts:
            self.server.cuts -= 1
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>reason {code}</Message></Error>".encode()
        self.begin(status, {"x-amz-request-id": "r-1"}, len(body))
        if self.command == "GET":
            self.wfile.write(body)


def obs_client(account: Any) -> Any:
    return make_client(account, lambda: account.credentials)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        yield server


@pytest.fixture
def client(store: Store, account_at: Any) -> Iterator[Any]:
    made = obs_client(account_at(store.url, "the-token"))
    yield made
    made.close()


@pytest.fixture
def reader(client: Any) -> Iterator[ObjectReader]:
    facts = find_object(client, PLACE)
    assert facts
    with ObjectReader(client, PLACE, facts) as opened:
        yield opened


@pytest.mark.parametrize(
    ("endpoint", "style"),
    [
        ("https://obs.cn-north-4.myhuaweicloud.com", "virtual"),
        ("https://obs.eu-de.otc.t-systems.com", "virtual"),
        ("http://127.0.0.1:9000", "path"),
        ("http://[::1]:9000", "path"),
        ("http://localhost:9000", "path"),
    ],
)
def test_buckets_are_addressed_as_obs_wants_it(endpoint: str, style: str, account_at: Any) -> None:
    """OBS refuses path style; addresses without sub-domains need it."""
    assert addressing_style(endpoint) == style
    client = obs_client(account_at(endpoint))
    url = client.generate_presigned_url("get_object", Params={"Bucket": "obs-test", "Key": "a.zip"})
    host = endpoint.replace("://", "://obs-test.") if style == "virtual" else f"{endpoint}/obs-test"
    assert url.startswith(f"{host}/a.zip?")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


def test_settings_are_those_of_the_obs_faq(account_at: Any) -> None:
    """Checksums only when required, payload unsigned, the given keys and no others."""
    client: Any = obs_client(account_at("https://obs.cn-north-4.myhuaweicloud.com", "the-token"))
    config = client.meta.config
    assert config.request_checksum_calculation == "when_required"
    assert config.response_checksum_validation == "when_required"
    assert config.s3["payload_signing_enabled"] is False
    keys = client._request_signer._credentials  # noqa: SLF001 -- boto3 shows them nowhere else
    assert (keys.access_key, keys.token, keys.method) == ("EXAMPLEAK00000000001", "the-token", "explicit")


AWS_CONFIG = """[default]
region = eu-west-1
endpoint_url = http://127.0.0.1:9
max_attempts = 1
s3 =
    addressing_style = virtual
    use_accelerate_endpoint = true
    use_dualstack_endpoint = true
"""
AWS = {
    "AWS_PROFILE": "nope",
    "AWS_DEFAULT_PROFILE": "nope",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_supported",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_DEFAULTS_MODE": "nonsense",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_RETRY_MODE": "adaptive",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_S3_USE_ARN_REGION": "true",
    "AWS_SDK_UA_APP_ID": "somebody",
    "AWS_DATA_PATH": "/nowhere",
}


def settings_of(client: Any) -> dict[str, Any]:
    """Return all settings of a client."""
    return {**vars(client.meta.config), "endpoint": client.meta.endpoint_url}


@pytest.mark.parametrize("name", [*AWS, "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME"])
def test_settings_for_aws_have_no_effect(
    name: str, account_at: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Store
) -> None:
    """Neither its variables nor its files are ours: the settings are those of the connection."""
    account = account_at(store.url)
    plain = settings_of(obs_client(account))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(AWS_CONFIG)
    (tmp_path / "broken").write_text("[default\nno = config")
    files = {"AWS_SHARED_CREDENTIALS_FILE": tmp_path / "broken", "AWS_CONFIG_FILE": tmp_path / "broken"}
    monkeypatch.setenv(name, AWS.get(name, str(files.get(name, tmp_path))))
    client = obs_client(account)
    assert settings_of(client) == plain
    assert find_object(client, PLACE)


def test_what_no_client_can_be_made_of_is_our_error(account_at: Any) -> None:
    """A region or an endpoint that boto3 does not take."""
    good = account_at("http://127.0.0.1:9000")
    advice = "check region and obs_endpoint"
    with pytest.raises(ConfigurationError, match=rf"^obs_endpoint: .*\(InvalidRegionError\); {advice}"):
        obs_client(replace(good, region="no region"))
    with pytest.raises(ConfigurationError, match=rf"^obs_endpoint: .*\(ValueError\); {advice}"):
        obs_client(replace(good, obs_endpoint="http://a..b"))


def test_an_object_is_found(client: Any) -> None:
    """Size, ETag without its quotes, time of the last write."""
    assert find_object(client, PLACE) == ObjectFacts(len(BYTES), "e1", "2026-01-15T08:30:45+00:00")


def test_a_missing_object_is_none_and_a_missing_bucket_an_error(client: Any, store: Store) -> None:
    """The first may still come, the second will not."""
    store.missing = {"obs-test/dir/a.zip"}
    assert find_object(client, PLACE) is None
    store.missing = {"obs-test/dir/a.zip", "obs-test"}
    with pytest.raises(RefusedError, match="NoSuchBucket: there is no bucket 'obs-test'"):
        find_object(client, PLACE)


def test_it_reads_forward_in_two_requests(reader: ObjectReader, store: Store) -> None:
    """A sequential pass is a GET for the first piece, and one for all the rest; each with both ends."""
    assert reader.readable()
    assert reader.seekable()
    pieces = iter(lambda: reader.read(70_000), b"")
    assert b"".join(pieces) == BYTES
    assert [r[2] for r in store.requests if r[0] == "GET"] == ["bytes=0-69999", "bytes=70000-299999"]


def test_a_short_read_after_a_seek_moves_just_its_bytes(reader: ObjectReader, store: Store) -> None:
    """Reading the end of a large archive transfers no more than its length."""
    reader.seek(-1000, io.SEEK_END)
    assert reader.read(600) == BYTES[-1000:-400]
    reader.seek(500)
    assert reader.read(100) == BYTES[500:600]
    assert [r[2] for r in store.requests if r[0] == "GET"] == ["bytes=299000-299599", "bytes=500-599"]


def test_it_goes_back_to_the_beginning(reader: ObjectReader, store: Store) -> None:
    """Byte 0 included; there is nothing before it."""
    assert reader.read(10) == BYTES[:10]
    assert reader.seek(0) == 0
    assert reader.read(10) == BYTES[:10]
    assert reader.seek(-5, io.SEEK_SET) == 0
    assert reader.read(1) == BYTES[:1]
    assert [r[2] for r in store.requests if r[0] == "GET"] == ["bytes=0-9", "bytes=0-9", "bytes=0-0"]


@pytest.mark.parametrize(
    ("headers", "md5", "readable"),
    [
        ({"ETag": '"9e107d9d372bb6826bd81d3542a419d6"'}, "9e107d9d372bb6826bd81d3542a419d6", True),
        ({"ETag": '"9e107d9d372bb6826bd81d3542a419d6-2"'}, None, True),
        (
            {"ETag": '"9e107d9d372bb6826bd81d3542a419d6"', "x-amz-server-side-encryption": "aws:kms"},
            None,
            True,
        ),
        ({"x-amz-storage-class": "WARM"}, None, True),
        ({"x-amz-storage-class": "COLD"}, None, False),
        ({"x-amz-storage-class": "DEEP_ARCHIVE"}, None, False),
        ({"x-amz-storage-class": "COLD", "x-amz-restore": 'ongoing-request="true"'}, None, False),
        (
            {"x-amz-storage-class": "COLD", "x-amz-restore": 'ongoing-request="false", expiry-date="x"'},
            None,
            True,
        ),
    ],
    ids=str,
)
def test_all_facts_of_an_object_are_kept(
    client: Any, store: Store, headers: dict[str, str], md5: str | None, readable: bool
) -> None:
    """Whether its tag is an MD5, and whether it lies where it cannot be read."""
    store.headers = headers
    facts = find_object(client, PLACE)
    assert facts
    assert (facts.md5, facts.readable) == (md5, readable)
    if readable:
        assert ObjectReader(client, PLACE, facts).read(10) == BYTES[:10]
    else:
        with pytest.raises(RefusedError, match=r"is in storage class \w+, where it cannot be read.*Restore it"):
            ObjectReader(client, PLACE, facts)


def test_the_version_that_was_found_is_the_one_that_is_read(client: Any, store: Store) -> None:
    """By its id, in a bucket that keeps versions."""
    store.headers = {"x-amz-version-id": "v1"}
    facts = find_object(client, PLACE)
    assert facts
    ObjectReader(client, PLACE, facts).read(10)
    assert store.requests[-1][1] == "/obs-test/dir/a.zip?versionId=v1"
    store.headers = {"x-amz-version-id": "null"}
    assert find_object(client, PLACE) == ObjectFacts(
        facts.size, facts.etag, facts.last_modified, None, None, encrypted=False, restored=False
    )


def test_a_refusal_of_head_is_explained_by_a_get(client: Any, store: Store) -> None:
    """Of one byte: a response to HEAD has no body with a reason."""
    store.status, store.code = 403, "AccessDenied"
    with pytest.raises(PermissionDeniedError, match=r"GetObject: HTTP 403 AccessDenied: .*reason AccessDenied"):
        find_object(client, PLACE)
    assert [r[2] for r in store.requests] == [None, "bytes=0-0"]


@pytest.mark.slow
def test_it_behaves_like_a_file(reader: ObjectReader) -> None:
    """Against BytesIO, over a thousand random moves and reads."""
    chance, twin = random.Random(11), io.BytesIO(BYTES)
    for _ in range(300):
        whence = chance.choice([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
        low = {io.SEEK_SET: 0, io.SEEK_CUR: -min(1000, twin.tell()), io.SEEK_END: -len(BYTES)}[whence]
        offset = chance.randint(low, 1000)
        assert reader.seek(offset, whence) == twin.seek(offset, whence)
        size = chance.choice([0, 1, 100, 5000])
        assert reader.read(size) == twin.read(size)
        assert reader.tell() == twin.tell()
    reader.seek(len(BYTES) - 10)
    assert reader.read() == BYTES[-10:]
    assert reader.read(5) == b""
    reader.seek(5)
    buffer = bytearray(7)
    assert reader.readinto(buffer) == 7
    assert bytes(buffer) == BYTES[5:12]


def test_a_body_cut_short_is_resumed_where_it_broke_off(reader: ObjectReader, store: Store) -> None:
    """With the rest as its range; the bytes are the same."""
    store.cuts = 2
    assert reader.read() == BYTES
    ranges = [r[2] for r in store.requests if r[0] == "GET"]
    assert ranges[0] == "bytes=0-299999"
    assert len(ranges) == 3
    assert all(r and r.endswith("-299999") for r in ranges)


@pytest.mark.slow
@pytest.mark.parametrize("at_most", [100_000, 65_536, 20_001, 2_000])
def test_resumptions_that_bring_new_bytes_are_not_counted(
    reader: ObjectReader, store: Store, at_most: int
) -> None:
    """However often a body is cut, the next attempt goes on where it broke off."""
    store.at_most = at_most
    assert reader.read() == BYTES
    assert len(store.requests) > len(BYTES) // at_most


def test_resumptions_without_a_new_byte_are(reader: ObjectReader, store: Store) -> None:
    """Five in a row, wherever they begin."""
    assert reader.read(100_000) == BYTES[:100_000]
    store.at_most, before = 0, len(store.requests)
    with pytest.raises(ResponseLostError, match=r"cut 6 times"):
        reader.read()
    assert len(store.requests) - before == 6


def test_it_does_not_resume_for_ever(reader: ObjectReader, store: Store) -> None:
    """A store that cuts each body is an error."""
    store.cuts = 1000
    with pytest.raises(ResponseLostError, match=r"obs://obs-test/dir/a.zip: cut 6 times"):
        reader.read()


def test_another_version_is_refused(reader: ObjectReader, store: Store) -> None:
    """One version is verified; parts of two versions are not an archive."""
    assert reader.read(10) == BYTES[:10]
    store.etag = '"e2"'
    reader.seek(100)
    with pytest.raises(UnavailableError, match="replaced or deleted while it was read"):
        reader.read(10)


def test_an_object_deleted_meanwhile_is_an_error(reader: ObjectReader, store: Store) -> None:
    """It was there a moment ago."""
    store.missing = {"obs-test/dir/a.zip"}
    with pytest.raises(UnavailableError, match="replaced or deleted while it was read"):
        reader.read(10)


def test_a_response_with_the_whole_object_is_refused(reader: ObjectReader, store: Store) -> None:
    """OBS returns the whole object for a range that it does not accept."""
    store.whole = True
    reader.seek(100)
    with pytest.raises(UnexpectedReplyError, match="requested bytes 100-109/300000 and received the whole object"):
        reader.read(10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "InvalidAccessKeyId", AuthenticationError),
        (403, "SignatureDoesNotMatch", AuthenticationError),
        (403, "AccessDenied", PermissionDeniedError),
        (400, "InvalidArgument", RefusedError),
        (429, "TooManyRequests", ThrottledError),
        (503, "SlowDown", ThrottledError),
        (500, "InternalError", UnavailableError),
    ],
)
def test_refusals_are_our_errors(
    status: int, code: str, kind: type[DliClientError], reader: ObjectReader, store: Store
) -> None:
    """With status, code, words and request id."""
    store.status, store.code = status, code
    with pytest.raises(
        kind, match=f"GetObject: HTTP {status} {code}: obs://obs-test/dir/a.zip: reason {code}"
    ) as caught:
        reader.read(10)
    assert type(caught.value) is kind
    assert "r-1" in str(caught.value)


def test_a_bucket_deleted_meanwhile_is_an_error(reader: ObjectReader, store: Store) -> None:
    """As a bucket that is not there, and not as an object that was replaced."""
    store.status, store.code = 404, "NoSuchBucket"
    with pytest.raises(RefusedError, match=r"^GetObject: HTTP 404 NoSuchBucket: there is no bucket 'obs-test' "):
        reader.read(10)


def test_nothing_listens(account_at: Any) -> None:
    """The request was not sent."""
    client = obs_client(account_at("http://127.0.0.1:1"))
    with pytest.raises(NotSentError, match=r"could not reach obs://obs-test/dir/a\.zip"):
        find_object(client, PLACE)


def test_it_fills_a_buffer(reader: ObjectReader) -> None:
    """As a file does; the number of bytes is what there was."""
    buffer = bytearray(b"....")
    assert reader.seek(-3, io.SEEK_END) == len(BYTES) - 3
    assert reader.readinto(buffer) == 3
    assert bytes(buffer) == BYTES[-3:] + b"."


def test_what_cannot_be_read_at_all(client: Any) -> None:
    """An archive tier is refused before any request, with what to do."""
    with pytest.raises(RefusedError) as raised:
        ObjectReader(client, PLACE, ObjectFacts(1, "e", "t", storage_class="COLD"))
    error = raised.value
    assert (error.operation, error.status, error.code) == ("GetObject", 403, "InvalidObjectState")
    assert error.message == f"{PLACE.url} is in storage class COLD, where it cannot be read"
    assert str(error).endswith("Restore it in OBS first, or keep archives of exports in the standard class.")


def test_errors_of_reading_name_the_operation(reader: ObjectReader, store: Store) -> None:
    """Whether a body was cut again and again, or the range was not kept to."""
    store.cuts = 100
    with pytest.raises(ResponseLostError) as lost:
        reader.read()
    assert (lost.value.operation, lost.value.host) == ("GetObject", PLACE.url)
    store.cuts, store.whole = 0, True
    reader.seek(1)
    with pytest.raises(UnexpectedReplyError) as caught:
        reader.read(5)
    assert (caught.value.operation, caught.value.status) == ("GetObject", 200)


@pytest.mark.parametrize(
    ("status", "given"), [(206, "bytes 1-5/10"), (206, None), (200, "bytes 0-3/10"), (200, None)]
)
def test_another_range_than_requested_is_refused(status: int, given: str | None) -> None:
    """By status or range; the body is closed."""
    body = io.BytesIO(b"0123")
    reply = {"ResponseMetadata": {"HTTPStatusCode": status}, "ContentRange": given, "Body": body}
    client: Any = SimpleNamespace(get_object=lambda **_: reply)
    with pytest.raises(UnexpectedReplyError, match=f"received {given or 'the whole object'}"):
        ObjectReader(client, PLACE, FACTS).read(4)
    assert body.closed


def test_a_reader_that_was_refused_is_thrown_away_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python closes it; from 3.13 on it reports errors in that."""
    errors: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)
    facts = replace(FACTS, storage_class="COLD")
    with pytest.raises(RefusedError, match="storage class COLD"):
        ObjectReader(SimpleNamespace(), PLACE, facts)  # type: ignore[arg-type]
    gc.collect()
    assert errors == []
    made = ObjectReader.__new__(ObjectReader)
    with suppress(RefusedError):
        made.__init__(SimpleNamespace(), PLACE, facts)  # type: ignore[misc]
    made.close()
    assert made.closed


def test_a_buffer_takes_no_more_than_it_has_room_for() -> None:
    """As of any file."""
    requested: list[str] = []

    def get_object(**settings: Any) -> dict[str, Any]:
        requested.append(settings["Range"])
        status = {"HTTPStatusCode": 206}
        return {"ResponseMetadata": status, "ContentRange": "bytes 0-3/10", "Body": io.BytesIO(b"0123")}

    client: Any = SimpleNamespace(get_object=get_object)
    buffer = bytearray(4)
    assert ObjectReader(client, PLACE, FACTS).readinto(buffer) == 4
    assert (bytes(buffer), requested) == (b"0123", ["bytes=0-3"])
