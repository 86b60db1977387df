"""The emulator without sockets: a task's requests, answered in this process and recorded.

DLI is the emulator's handlers behind its gateway, OBS the emulator's other store, moto, as a function. The tasks
are the provider's own: only what carries their bytes is another. So what is recorded is what a task sends.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import groupby
from types import SimpleNamespace
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from wsgiref.handlers import format_date_time

from airflow_provider_dli.backups import backup
from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.flink import job_pages
from airflow_provider_dli.client.flink.pages import Page
from airflow_provider_dli.client.transport.sync import Streamed, SyncTransport, TimeLimit
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import (
    DliBackupFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)
from airflow_provider_dli.parameters.models import ExportParameters
from airflow_provider_dli.services import export, verify
from dli_emulator import wire
from dli_emulator.access import check
from dli_emulator.call import Call
from dli_emulator.gateway import identify
from dli_emulator.routes import OPERATIONS, find_route
from dli_emulator.server import connection
from dli_emulator.state import Identity, State

BUCKET, CONNECTION = "obs-test", "AIRFLOW_CONN_DLI_DEFAULT"
_DLI, _OBS = "http://127.0.0.1:1", "http://127.0.0.1:2"
_BATCH = re.compile(r"batch-([0-9]{4,})")
_log = logging.getLogger("in_process")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that a task has sent.

    :param operation: of DLI, or of OBS's S3 interface
    :param batch: number of the batch that it is for; None if it is for none
    :param size: bytes of the response
    """

    operation: str
    batch: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Phase:
    """Requests of a task that follow each other, or those of batches, of which several may run at a time.

    :param parts: those of each batch; one part where they are for none
    """

    parts: tuple[tuple[Sent, ...], ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a task has sent and pushed.

    :param phases: its requests
    :param xcoms: what it pushes, by key
    """

    phases: tuple[Phase, ...]
    xcoms: Mapping[str, Any]

    def sent(self) -> Iterator[Sent]:
        """Yield all requests, in order."""
        for phase in self.phases:
            for part in phase.parts:
                yield from part

    def scaled(self, jobs: int, batch_size: int) -> Recorded:
        """Return the requests of the same task with other jobs, in batches as large as the recorded ones.

        :param jobs: of the project
        :param batch_size: of the recorded batches, of which there are several
        """
        batches, pages = -(-jobs // batch_size), list_requests(jobs)
        return replace(
            self,
            phases=tuple(
                Phase(phase.parts[:1] * batches) if len(phase.parts) > 1 else Phase((_with_pages(phase, pages),))
                for phase in self.phases
            ),
        )


def list_requests(jobs: int) -> int:
    """Return how many requests the client's walk through a list of jobs takes."""
    pages, requests = job_pages({}), 0
    ids = range(jobs)
    while call := pages.next_call():
        requests += 1
        offset, limit = int(str(call.query["offset"])), int(str(call.query["limit"]))
        items: Any = tuple(SimpleNamespace(job_id=each) for each in ids[offset : offset + limit])
        list(pages.accept(Page(jobs, items)))
    return requests


def _with_pages(phase: Phase, pages: int) -> tuple[Sent, ...]:
    """Return the requests of a phase with so many pages in the place of each list of jobs."""
    sent: list[Sent] = []
    for is_list, group in groupby(phase.parts[0], key=lambda each: each.operation == "ListFlinkJobs"):
        found = list(group)
        sent += found[:1] * pages if is_list else found
    return tuple(sent)


class InProcess(SyncTransport):
    """Answers the requests of hooks, and records them.

    :param jobs: sample jobs of the project
    """

    def __init__(self, jobs: int) -> None:
        super().__init__()
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415 -- takes long, and the tests of the night alone need none
        from werkzeug.test import Client  # noqa: PLC0415 -- likewise

        self.sent: list[Sent] = []
        self.state = State(Identity("AK0123456789", "SK0123456789"), jobs=jobs, operations=OPERATIONS)
        self._loop = asyncio.new_event_loop()
        self._store = Client(DomainDispatcherApplication(create_backend_app))
        self._s3("POST", "/moto-api/reset")
        self._s3("PUT", f"/{BUCKET}")

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Set the connection ``dli_default`` to this, and close it in the end."""
        before = os.environ.get(CONNECTION)
        os.environ[CONNECTION] = connection(
            self.state, _DLI, _OBS, "access_key", agency=False, user=None, extra={}
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # moto's
                yield
        finally:
            os.environ.pop(CONNECTION)
            if before is not None:
                os.environ[CONNECTION] = before
            self._loop.close()
            self.close()

    def fetch(self, request: Request, data: BinaryIO | bytes | None = None) -> Reply:
        """Answer a request."""
        body = data.read() if data is not None and not isinstance(data, bytes) else data or request.body
        reply = self._dli(request) if request.url.startswith(_DLI) else self._obs(request, body)
        found = _BATCH.search(f"{request.url} {body.decode('latin-1')[:2000] if body else ''}")
        self.sent.append(Sent(request.operation, int(found[1]) if found else None, len(reply.body)))
        return reply

    def stream(self, request: Request) -> Reply | Streamed:
        """Answer a request; a success is read as it comes."""
        reply = self.fetch(request)
        if reply.status >= 300:
            return reply
        return Streamed(replace(reply, body=b""), _Raw(reply.body), TimeLimit(60.0), nullcontext)

    def _dli(self, request: Request) -> Reply:
        parts = urlsplit(request.url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        arrived = wire.Request(request.method, target, request.headers, request.body)
        found = find_route(arrived)
        if found is None:
            raise LookupError(f"the emulator does not have {request.method} {parts.path}")
        route, path = found
        try:
            user = identify(self.state, arrived, path.get("project_id"))
            check(self.state, user, route.action)
            call = Call(self.state, self, arrived, path, None, user, route.action, lambda *_: None)
            reply = self._loop.run_until_complete(_answered(route.handler(call)))
        except wire.Refusal as refusal:
            reply = refusal.reply("0")
        body, kind = reply.payload()
        return _reply(reply.status, {"content-type": kind, **reply.headers}, body)

    def _obs(self, request: Request, body: bytes) -> Reply:
        return self._s3(request.method, request.url.removeprefix(_OBS), dict(request.headers), body)

    def _s3(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        # moto finds the service by the header, and checks no signature as long as it has no users.
        given = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request",
            **(headers or {}),
        }
        given.pop("Host", None)
        reply = self._store.open(path, method=method, base_url=_OBS, headers=given, data=body or None)
        return _reply(reply.status_code, dict(reply.headers.items()), reply.get_data())

    # The store, as the emulator's handlers see it.

    def has_bucket(self, bucket: str) -> bool:
        """Return whether the store has that bucket."""
        return bucket == BUCKET

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object."""
        self._s3("PUT", f"/{bucket}/{key}", body=data)

    def get(self, bucket: str, key: str) -> bytes | None:
        """Read an object; None if there is none."""
        reply = self._s3("GET", f"/{bucket}/{key}")
        return reply.body if reply.status == 200 else None

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Return the keys that begin so."""
        return re.findall("<Key>(.*?)</Key>", self._s3("GET", f"/{bucket}?prefix={prefix}").body.decode())


def _reply(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return a response as it would arrive: with the time by the service's clock."""
    now = time.time()
    return Reply(
        status,
        {"date": format_date_time(now), **{name.lower(): headers[name] for name in headers}},
        body,
        now,
        now,
    )


class _Raw(io.BytesIO):
    """A body as urllib3 has it."""

    def read(self, size: int | None = None, *, decode_content: bool = False) -> bytes:
        del decode_content
        return super().read(size)


async def _answered(reply: Any) -> wire.Reply:  # noqa: ANN401 -- an awaitable, of which the loop wants a coroutine
    answered: wire.Reply = await reply
    return answered


def backup_task(jobs: int, batch_size: int) -> Recorded:
    """Return what a backup of all jobs of a project sends and pushes."""
    served = InProcess(jobs)
    with served.serving():
        operator = DliBackupFlinkJobsOperator(
            task_id="back_up", backup_dir=f"{BUCKET}/flink-backups", batch_size=batch_size, max_concurrency=1
        )
        options, dli, obs = backup.prepare(operator)
        _serve(served, dli, obs)
        result = backup.back_up(options, dli, obs, {}, _log)
        backup.raise_for_failures(result, options)
        return Recorded(phases_of(served.sent), result.xcoms)


def export_tasks(jobs: int, batch_size: int) -> tuple[Recorded, Recorded]:
    """Return what an export of all jobs by their ids sends and pushes, and its verification."""
    served = InProcess(jobs)
    with served.serving():
        exporting = DliExportFlinkJobsOperator(
            task_id="export",
            obs_dir=f"{BUCKET}/flink/night",
            selection={},
            batch_size=batch_size,
            max_concurrency=1,  # so that all requests are in order
        )
        options, dli, obs = export.prepare(exporting, ExportParameters)
        _serve(served, dli, obs)
        outcome = export.export_jobs(options, dli, obs, {}, _log)
        exported = Recorded(phases_of(served.sent), {**outcome.xcoms, "return_value": outcome.archives})
        served.sent.clear()
        verifying = DliVerifyFlinkExportOperator(task_id="verify", zip_file=outcome.archives)
        wanted, hook = verify.prepare(verifying)
        _serve(served, hook)
        reports = verify.verify_archives(hook, wanted.zip_file, verify.VerifyOptions(), _log)
        verify.raise_for_failures(reports)
        pushed = {"return_value": [report.as_dict() for report in reports]}
        return exported, Recorded(phases_of(served.sent), pushed)


def _serve(served: InProcess, *hooks: DliHook | ObsHook) -> None:
    for hook in hooks:
        hook._transport = served  # noqa: SLF001 -- the hooks' own place for what carries their bytes


def phases_of(sent: Iterable[Sent]) -> tuple[Phase, ...]:
    """Return the phases of a task that has sent its requests one after the other.

    Those for batches are a phase as long as the numbers of the batches grow.
    """
    phases: list[list[tuple[Sent, ...]]] = []
    last: int | None = None
    for number, of_batch in groupby(sent, key=lambda each: each.batch):
        part = tuple(of_batch)
        if last is not None and number is not None and number > last:
            phases[-1].append(part)
        else:
            phases.append([part])
        last = number
    return tuple(Phase(tuple(parts)) for parts in phases)


def operations(sent: Iterable[Sent]) -> dict[str, int]:
    """Return how many requests there are of each operation."""
    counts: dict[str, int] = {}
    for each in sent:
        counts[each.operation] = counts.get(each.operation, 0) + 1
    return dict(sorted(counts.items()))
