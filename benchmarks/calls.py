"""What a call costs beside the service's own time: through our hook, by hand, and with Huawei Cloud's own SDK.

The server answers from a string, in a process of its own, so that its cost is small and the same for all. One run,
the ways in turn, the median of each; the ratio counts, the times are this machine's.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import requests
from figures import note
from huaweicloudsdkcore.auth.credentials import BasicCredentials  # type: ignore[import-untyped]  # no types
from huaweicloudsdkdli.v1 import DliClient, ListFlinkJobsRequest  # type: ignore[import-untyped]  # no types
from yarl import URL

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.credentials import AccessKey, sign
from airflow_provider_dli.client.exchange import build_request
from airflow_provider_dli.hooks.dli import DliHook

ROUNDS = 300
WARM_UP = 30
#: what `make bench` holds: ours over a bare requests.Session that sends the same bytes
MOST_OVER_BARE = 1.5
SECRET = "a-secret-for-this-benchmark"  # noqa: S105 -- of nobody
PROJECT = "48cc2c48765f481480c7db940d6409d1"
ANSWER = json.dumps({"is_success": "true", "message": "", "job_list": {"total_count": 0, "jobs": []}}).encode()


def serve(listener: socket.socket) -> None:
    """Answer every request with the same page, each connection in a thread."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            while data := connection.recv(65536):
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                connection.sendall(reply % (len(ANSWER), ANSWER))

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(connection,), daemon=True).start()


def hook_at(url: str) -> DliHook:
    """Make a hook on a connection of the environment."""
    extra = {"region": "cn-north-4", "project_id": PROJECT, "endpoint": url}
    fields = {"conn_type": "dli", "login": "AK", "password": SECRET, "extra": extra}
    os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = json.dumps(fields)
    return DliHook()


def ours(url: str) -> Callable[[], Any]:
    """List jobs through the hook."""
    hook, call = hook_at(url), flink.list_jobs({}, limit=1)
    return lambda: hook.run(call)


def the_same_request(url: str) -> Request:
    """Build the request that our hook sends, once."""
    return sign(
        build_request(flink.list_jobs({}, limit=1), url, PROJECT), AccessKey("AK", SECRET), "20260115T083045Z"
    )


def bare(url: str) -> Callable[[], Any]:
    """Send the same bytes with a requests.Session, and parse the JSON."""
    request, session = the_same_request(url), requests.Session()
    headers = dict(request.headers)
    return lambda: session.request(request.method, request.url, headers=headers, timeout=10).json()


def official(url: str) -> Callable[[], Any]:
    """List jobs with Huawei Cloud's own SDK."""
    builder = DliClient.new_builder().with_credentials(BasicCredentials("AK", SECRET, PROJECT))
    client = builder.with_endpoint(url).build()
    return lambda: client.list_flink_jobs(ListFlinkJobsRequest(limit=1))


def medians(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Go round all ways in turn; the median of each in seconds."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(WARM_UP + ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn >= WARM_UP:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in times.items()}


async def async_medians(url: str) -> dict[str, float]:
    """Measure an open hook's arun, and aiohttp by hand with the same bytes."""
    hook, call, request = hook_at(url), flink.list_jobs({}, limit=1), the_same_request(url)
    async with hook, aiohttp.ClientSession() as session:

        async def by_hand() -> None:
            target, headers = URL(request.url, encoded=True), dict(request.headers)
            async with session.request(request.method, target, headers=headers) as reply:
                await reply.json()

        async def by_hook() -> None:
            await hook.arun(call)

        ways: dict[str, Callable[[], Awaitable[None]]] = {"bare aiohttp": by_hand, "DliHook.arun": by_hook}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(WARM_UP + ROUNDS):
            for name, way in ways.items():
                began = time.perf_counter()
                await way()
                if turn >= WARM_UP:
                    times[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> int:
    """Print the table; 1 if a limit is missed."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), daemon=True)
    server.start()
    try:
        sync = medians({"bare requests": bare(url), "DliHook.run": ours(url), "official SDK": official(url)})
        waiting = asyncio.run(async_medians(url))
    finally:
        server.terminate()
        server.join()
    for name, seconds in {**sync, **waiting}.items():
        reference = sync["bare requests"] if name in sync else waiting["bare aiohttp"]
        print(f"  {name:<14} {seconds * 1e6:7.0f} µs  {seconds / reference:5.2f} of bare")
    note("a call", sync["DliHook.run"] / sync["bare requests"], of="requests, same bytes")
    note("a call with the SDK", sync["official SDK"] / sync["bare requests"], of="requests, same bytes")
    note("an awaited call", waiting["DliHook.arun"] / waiting["bare aiohttp"], of="aiohttp, same bytes")
    over = sync["DliHook.run"] / sync["bare requests"]
    faster = sync["official SDK"] / sync["DliHook.run"]
    print(f"  ours / bare {over:.2f} (at most {MOST_OVER_BARE}); official / ours {faster:.2f} (more than 1)")
    return int(over > MOST_OVER_BARE or faster <= 1)


if __name__ == "__main__":
    sys.exit(main())
