"""One hook shared by many threads and many tasks of an event loop: one token, and each gets its own response."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.hooks.dli import DliHook

MANY = 200
JOBS = 26
TOKEN = "KeystoneCreateUserTokenByPassword"

CallAll = Callable[[DliHook], list[tuple[int, int]]]


def job_of(number: int) -> int:
    """Spread the callers over all jobs."""
    return 100 + number % JOBS


def by_threads(hook: DliHook) -> list[tuple[int, int]]:
    """Call from threads that all start at once; return the job that each requested and got."""
    start = threading.Barrier(MANY)

    def call(number: int) -> tuple[int, int]:
        start.wait()
        return job_of(number), hook.get_flink_job(job_of(number)).job_id

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(call, range(MANY)))


def by_tasks(hook: DliHook) -> list[tuple[int, int]]:
    """Call from tasks of one event loop, through connections that they share."""

    async def call(number: int) -> tuple[int, int]:
        return job_of(number), (await hook.arun(flink.show_job(job_of(number)))).job_id

    async def all_at_once() -> list[tuple[int, int]]:
        async with hook:
            return await asyncio.gather(*(call(number) for number in range(MANY)))

    return asyncio.run(all_at_once())


def by_both(hook: DliHook) -> list[tuple[int, int]]:
    """Call from threads, and from tasks on another thread, at the same time."""
    with ThreadPoolExecutor(2) as pool:
        return [pair for results in pool.map(lambda kind: kind(hook), [by_threads, by_tasks]) for pair in results]


@pytest.fixture
def hook(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> DliHook:
    """Return a hook that needs a token and looks up its project."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection("password", project_id=None))
    return DliHook()


def request_counts(emulator: Any) -> Counter[str]:
    """Count the requests of each operation."""
    return Counter(request.operation for request in emulator.requests)


@pytest.mark.slow
@pytest.mark.parametrize("call_all", [by_threads, by_tasks, by_both])
def test_many_share_one_token_and_each_gets_its_own_response(
    hook: DliHook, dli_emulator: Any, call_all: CallAll
) -> None:
    """The first fetches the token and the project, the others wait for it."""
    results = call_all(hook)
    assert len(results) in (MANY, 2 * MANY)
    assert [pair for pair in results if pair[0] != pair[1]] == []
    assert request_counts(dli_emulator) == {TOKEN: 1, "KeystoneListAuthProjects": 1, "ShowFlinkJob": len(results)}


@pytest.mark.slow
@pytest.mark.parametrize("call_all", [by_threads, by_tasks])
def test_a_token_that_ends_early_is_renewed_once_for_all(
    hook: DliHook, dli_emulator: Any, call_all: CallAll
) -> None:
    """Each is refused with the old one, and none throws away the new one."""
    hook.get_flink_job(100)
    keys = dli_emulator.state.keys
    for old in list(keys.tokens.values()):
        keys.tokens[old.value] = type(old)(old.value, old.user, old.issued, 0.0)
    results = call_all(hook)
    assert [pair for pair in results if pair[0] != pair[1]] == []
    assert request_counts(dli_emulator)[TOKEN] == 2
    refused = [request for request in dli_emulator.requests if request.error_code == "APIGW.0307"]
    assert 1 <= len(refused) <= MANY


@pytest.mark.slow
def test_threads_keep_their_connections(hook: DliHook, caplog: pytest.LogCaptureFixture) -> None:
    """None is thrown away because there are too many."""
    by_threads(hook)
    assert "Connection pool is full" not in caplog.text


def test_tasks_of_an_open_hook_share_connections_and_leave_none(hook: DliHook, dli_emulator: Any) -> None:
    """One connection serves calls in turn; outside the block each call has its own; the last block closes it."""

    async def calls() -> tuple[int, int]:
        async with hook, hook:
            inside = set()
            for _ in range(3):
                await hook.arun(flink.show_job(100))
                inside |= connections() - before
        async with hook:
            pass
        await hook.arun(flink.show_job(100))
        return len(inside), len(connections() - before)

    def connections() -> set[int]:
        """Return the local ports of connections to the emulator."""
        port = urlsplit(dli_emulator.dli).port
        links = psutil.Process().net_connections("tcp")
        return {
            link.laddr.port
            for link in links
            if getattr(link.raddr, "port", 0) == port and link.status == "ESTABLISHED"
        }

    # A hook of another test may not have been collected yet, with its connection.
    before = connections()
    inside, after = asyncio.run(calls())
    assert (inside, after) == (1, 0)
    assert request_counts(dli_emulator)["ShowFlinkJob"] == 4


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_cookie_of_one_response_is_in_no_later_request(hook: DliHook, dli_emulator: Any, driver: str) -> None:
    """A load balancer that wants its clients to stick must not tie one call to another."""
    headers = {"Set-Cookie": "elb=1; Path=/"}
    dli_emulator.fault("ShowFlinkJob", "reply", status=200, body="{}", headers=headers)

    async def call() -> None:
        async with hook:
            for _ in range(2):
                await asyncio.gather(hook.arun(flink.show_job(100)), return_exceptions=True)

    if driver == "async":
        asyncio.run(call())
    else:
        with pytest.raises(Exception, match="ShowFlinkJob"):
            hook.get_flink_job(100)
        hook.get_flink_job(100)
    shown = [request for request in dli_emulator.requests if request.operation == "ShowFlinkJob"]
    assert [request.status for request in shown] == [200, 200]
    assert [request for request in shown if "cookie" in request.headers] == []


GREENLETS = """
import asyncio, greenback
from airflow_provider_dli.hooks.obs import ObsHook

class Masking(ObsHook):
    def _read(self, connection):
        greenback.await_(asyncio.sleep(0.1))
        return super()._read(connection)

async def main():
    hook = Masking()
    async def use():
        await greenback.ensure_portal()
        return id(hook.account)
    print(len(set(await asyncio.gather(use(), use(), use()))))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.usefixtures("hook")
def test_a_task_that_waits_while_it_reads_the_connection_stops_no_other() -> None:
    """As on a triggerer, where masking a secret lets other triggers run in the same thread."""
    pytest.importorskip("greenback")
    command = [sys.executable, "-c", GREENLETS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.stdout.splitlines()[-1:] == ["1"], done.stderr


def test_tasks_that_start_together_read_the_connection_once(
    dli_emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand triggers must not read it a thousand times."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
    reads = []

    class Counting(DliHook):
        def _read(self, connection: Any) -> Any:
            reads.append(1)
            return super()._read(connection)

    assert by_tasks(Counting())
    assert len(reads) == 1
