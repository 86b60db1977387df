"""What it costs to list 5,000 jobs: ours, Huawei Cloud's own SDK, and requests by hand, each paging as it must.

All send to the emulator, in a process of its own, in turns; medians. Its time is in all of them alike, so that the
ratios are nearer to 1 than those of the clients alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import requests
from figures import note
from huaweicloudsdkcore.auth.credentials import BasicCredentials  # type: ignore[import-untyped]  # no types
from huaweicloudsdkdli.v1 import DliClient, ListFlinkJobsRequest  # type: ignore[import-untyped]  # no types

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.credentials import AccessKey, sdk_date, sign
from airflow_provider_dli.client.exchange import build_request, utc_now
from airflow_provider_dli.hooks.dli import DliHook

JOBS, PAGE, ROUNDS = 5000, 100, 5
#: most that ours may take of the SDK's time
MOST_OF_OFFICIAL = 1.1


def ours() -> int:
    """List through the hook, which checks for jobs that moved meanwhile."""
    return len(list(DliHook().list_flink_jobs()))


def official(described: dict[str, str]) -> int:
    """Page with the SDK."""
    credentials = BasicCredentials(described["access_key"], described["secret_key"], described["project_id"])
    client = DliClient.new_builder().with_credentials(credentials).with_endpoint(described["dli"]).build()
    found = 0
    while page := client.list_flink_jobs(ListFlinkJobsRequest(limit=PAGE, offset=found)).job_list.jobs:
        found += len(page)
    return found


def bare(described: dict[str, str]) -> int:
    """Page by hand, signing with our own function: requests signs nothing."""
    key, found = AccessKey(described["access_key"], described["secret_key"]), 0
    with requests.Session() as session:
        while True:
            call = flink.list_jobs({}, limit=PAGE, offset=found)
            request = sign(
                build_request(call, described["dli"], described["project_id"]), key, sdk_date(utc_now())
            )
            reply = session.get(request.url, headers=dict(request.headers), timeout=30)
            page = reply.json()["job_list"]["jobs"]
            if not page:
                return found
            found += len(page)


def medians(ways: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Let all list in turns; the median of each, in seconds."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            if way() != JOBS:
                raise SystemExit(f"{name} did not list all {JOBS} jobs")
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> int:
    """Print the table; 1 if the limit is missed."""
    command = [sys.executable, "-m", "dli_emulator", "--json", "--object-store", "moto"]
    with subprocess.Popen([*command, "--jobs", str(JOBS)], stdout=subprocess.PIPE, text=True) as emulator:
        try:
            described = json.loads(emulator.stdout.readline())  # type: ignore[union-attr]
            os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = described["airflow_conn"]
            ways = {
                "bare requests": lambda: bare(described),
                "ours": ours,
                "official SDK": lambda: official(described),
            }
            taken = medians(ways)
        finally:
            emulator.terminate()
    for name, seconds in taken.items():
        print(f"  {JOBS} jobs, {name:<14} {seconds:6.2f} s  {seconds / taken['bare requests']:5.2f} of bare")
    note("list 5,000 jobs", taken["ours"] / taken["bare requests"], of="requests by hand")
    note("list 5,000 jobs, with the SDK", taken["official SDK"] / taken["bare requests"], of="requests by hand")
    return int(taken["ours"] > MOST_OF_OFFICIAL * taken["official SDK"])


if __name__ == "__main__":
    sys.exit(main())
