"""A client of the emulator that signs for itself, and a clock that can be moved."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from dli_emulator import Emulator
from dli_emulator.signature import canonical_request, signing_key, string_to_sign
from dli_emulator.wire import Request

NOON = datetime(2026, 1, 15, 8, 30, 45, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = NOON.timestamp()) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def date(self) -> str:
        """Return the present time as ``X-Sdk-Date`` has it."""
        return datetime.fromtimestamp(self.now, UTC).strftime("%Y%m%dT%H%M%SZ")


def signed(
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes,
    key: tuple[str, str],
    scope: tuple[str, ...] | None = None,
) -> dict[str, str]:
    """Return the headers with the signature over all of them added."""
    names = sorted(name.lower() for name in headers)
    request = Request(method, target, tuple(headers.items()), body)
    text = string_to_sign(headers["X-Sdk-Date"], scope, canonical_request(request, names))
    signature = hmac.new(signing_key(key[1], scope), text.encode(), hashlib.sha256).hexdigest()
    who = f"Credential={'/'.join((key[0], *scope))}" if scope else f"Access={key[0]}"
    proof = f"SDK-HMAC-SHA256 {who}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return headers | {"Authorization": proof}


@dataclass(frozen=True)
class Response:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.body["error_code"]


class ApiClient:
    """Sends requests to an emulator over a real socket."""

    def __init__(self, emulator: Emulator, clock: Callable[[], float] | None = None) -> None:
        self.emulator = emulator
        self.clock = clock or (lambda: datetime.now(UTC).timestamp())

    def send(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Response:
        """Send a request as it is."""
        place = urlsplit(self.emulator.dli)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, target, body or None, headers or {})
            reply = connection.getresponse()
            return Response(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())

    def request(
        self, method: str, path: str, body: Any = None, key: tuple[str, str] | None = None, **query: Any
    ) -> Response:
        """Send a signed request; a query's value that is a boolean goes out in lower case."""
        pairs = {k: str(v).lower() if isinstance(v, bool) else v for k, v in query.items()}
        target = quote(path) + (f"?{urlencode(pairs, quote_via=quote)}" if pairs else "")
        date = datetime.fromtimestamp(self.clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        content = b"" if body is None else json.dumps(body).encode()
        host = urlsplit(self.emulator.dli).netloc
        headers = {"Host": host, "X-Sdk-Date": date, "Content-Type": "application/json"}
        key = key or (self.emulator.access_key, self.emulator.secret_key)
        return self.send(method, target, signed(method, target, headers, content, key), content)

    def request_with_token(self, target: str, key: tuple[str, str], token: str, body: Any = None) -> Response:
        """Send a request signed with a temporary key; a POST if it has a body."""
        date = datetime.fromtimestamp(self.clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"Host": urlsplit(self.emulator.dli).netloc, "X-Sdk-Date": date, "X-Security-Token": token}
        method, content = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
        return self.send(method, target, signed(method, target, headers, content, key), content)

    def flink(
        self, method: str, what: str, body: Any = None, key: tuple[str, str] | None = None, **query: Any
    ) -> Response:
        """Send a request below the project's ``streaming/``."""
        return self.request(method, f"/v1.0/{self.emulator.project_id}/streaming/{what}", body, key, **query)

    def jobs(self, **query: Any) -> Response:
        """List jobs."""
        return self.request("GET", f"/v1.0/{self.emulator.project_id}/streaming/jobs", **query)

    def ids(self, **query: Any) -> list[int]:
        """List jobs; give the ids only."""
        return [job["job_id"] for job in self.jobs(**query).body["job_list"]["jobs"]]

    def show(self, job_id: object) -> Response:
        """Show a job."""
        return self.request("GET", f"/v1.0/{self.emulator.project_id}/streaming/jobs/{job_id}")

    def export(self, *ids: int, obs_dir: str | None = None) -> Response:
        """Export jobs, all if none is given."""
        body: dict[str, Any] = {"obs_dir": obs_dir or self.emulator.bucket, "is_selected": bool(ids)}
        return self.export_body(body | ({"job_selected": list(ids)} if ids else {}))

    def export_body(self, body: Any) -> Response:
        """Export with just this body."""
        return self.request("POST", f"/v1.0/{self.emulator.project_id}/streaming/jobs/export", body)

    def stored(self, entry: str) -> bytes:
        """Return the bytes of an object of the store, given as ``bucket/key``."""
        bucket, key = entry.split("/", 1)
        content: bytes = self.emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def stored_keys(self) -> list[str]:
        """Return the keys of all objects in the bucket."""
        found = self.emulator.s3.list_objects_v2(Bucket=self.emulator.bucket)
        return [item["Key"] for item in found.get("Contents", [])]


def store_url(emulator: Emulator, bucket: str = "") -> str:
    """Return the URL of an emulator's store, with its key."""
    place = urlsplit(emulator.obs)
    key = f"{quote(emulator.access_key, safe='')}:{quote(emulator.secret_key, safe='')}"
    return f"{place.scheme}://{key}@{place.netloc}/{bucket}"
