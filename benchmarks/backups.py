"""What a catalogue of backups costs who reads it: time, memory and requests, of 400 backups of 5,000 jobs.

The catalogue is in the emulator's real object store: manifests and lists of jobs as a backup writes them, and
small objects for archives, which nobody reads here. Each reader is a process of its own: one that lists the
catalogue; the check of the coverage where the newest backup has all jobs; and the same with a job that the oldest
backup alone has, so that every list of jobs is read. The page is timed reply by reply, as a browser requests it.
``python benchmarks/backups.py [--backups N] [--jobs N]`` generates for some minutes; ``make bench`` omits it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import md5, sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from airflow_provider_dli.backups.catalogue import Catalogue  # noqa: E402 -- found on the path above
from airflow_provider_dli.backups.diff import row_of  # noqa: E402 -- likewise
from airflow_provider_dli.backups.manifest import JOBS, MANIFEST, Archive, Content, Job, Manifest, Verification  # noqa: E402 -- likewise
from airflow_provider_dli.client.locations import ObsLocation  # noqa: E402 -- likewise
from airflow_provider_dli.hooks.dli import DliHook  # noqa: E402 -- likewise
from airflow_provider_dli.hooks.obs import ObsHook  # noqa: E402 -- likewise
from airflow_provider_dli.services.selection import list_with_settings  # noqa: E402 -- likewise
from dli_emulator import Emulator  # noqa: E402 -- likewise

MOST_SECONDS, MOST_MIB = 60, 286  # 300 MB
MOST_SECONDS_OF_PAGE = 2
BATCH, WRITERS, MIB = 100, 8, 1 << 20
DIRECTORY = "flink-backups"
#: runs in a process of its own: prints what it measured as JSON
READER = """
import json, logging, sys, time
from collections import Counter
from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.coverage_report import check_projects, prepare
from airflow_provider_dli.operators.dli import DliCheckBackupCoverageOperator

def peak():
    # Not of getrusage, which counts the process that this one was started by.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

what, root, exclude = sys.argv[1:]
operator = DliCheckBackupCoverageOperator(task_id="check", backup_dir=root, exclude=json.loads(exclude))
options, obs = prepare(operator)
sent = []
obs.get_conn().meta.events.register("before-send.s3.*", lambda event_name, **_: sent.append(event_name))
idle, began, started = peak(), time.perf_counter(), time.process_time()
if what == "list":
    found = {"backups": len(Catalogue(obs, options.backup_dir).backups())}
elif what == "page":
    from airflow_provider_dli.plugins import app
    source, replies = app.Source("dli_default", options.backup_dir), []
    def send():
        began_reply = time.perf_counter()
        reply = app.show({source.name: source})
        replies.append(f"{reply.status_code} after {time.perf_counter() - began_reply:.2f} s")
        found["slowest"] = max(found["slowest"], time.perf_counter() - began_reply)
        return reply
    found = {"slowest": 0.0}
    while (reply := send()).status_code == 503:
        time.sleep(int(reply.headers["Refresh"]))
    send()
    time.sleep(app._FRESH + 1)
    send()
    found |= {"row": f"{len(reply.body) / 1e6:.1f} MB, replies: {', '.join(replies)}"}
else:
    (check,) = check_projects(options, obs, logging.getLogger("quiet"))
    found = {"row": check.as_dict()}
print(json.dumps(found | {
    "seconds": time.perf_counter() - began, "cpu": time.process_time() - started, "idle": idle, "peak": peak(),
    "obs": dict(sorted(Counter(each.rpartition(".")[2] for each in sent).items())),
}))
"""


def archive(ids: tuple[int, ...], number: int) -> tuple[Archive, bytes]:
    """Return an archive as a manifest has it, and what is in its place in the store."""
    data = f"{number} {ids[0]}".encode()
    name = f"archives/batch-{number:04d}/aggregate_{1_582_677_879_475 + number}.zip"
    etag, digest = md5(data, usedforsecurity=False).hexdigest(), sha256(data).hexdigest()
    return Archive(name=name, size=len(data), etag=etag, sha256=digest, entries=len(ids), job_ids=ids), data


def manifest(
    backup_id: str, at: datetime, project_id: str, jobs: Content, archives: tuple[Archive, ...]
) -> Manifest:
    """Return the manifest of a backup of some time."""
    return Manifest(
        backup_id=backup_id,
        project_id=project_id,
        region="cn-north-4",
        connection_id="dli_default",
        provider_version="0",
        started_at=at - timedelta(minutes=5),
        exported_at=at,
        completed_at=at + timedelta(minutes=5),
        is_all_jobs=True,
        selection="all jobs",
        jobs=jobs,
        archives=archives,
        verification=Verification(level="full", verified_at=at + timedelta(minutes=4), passed=True),
    )


def generate(emulator: Emulator, backups: int) -> tuple[int, dict[str, float]]:
    """Write the catalogue; return a job that the oldest backup alone has, and sizes."""
    obs = ObsHook()
    catalogue = Catalogue(obs, ObsLocation(emulator.bucket, DIRECTORY))
    live = [row_of(job).model_copy(update={"in_archive": True}) for job in list_with_settings(DliHook())]
    lost, now = live[0].job_id, catalogue.now()
    print(f"{len(live):,} live jobs, listed; writing {backups} backups", flush=True)
    sizes: dict[str, float] = {}
    with ThreadPoolExecutor(WRITERS) as pool:
        for number in range(backups):
            at = now - timedelta(days=backups - 1 - number, hours=1)
            backup_id = catalogue.new_id(at)
            place = catalogue.place(emulator.project_id, backup_id)
            has: list[Job] = live if number == 0 else live[1:]
            ids = tuple(job.job_id for job in has)
            made = [archive(ids[start : start + BATCH], start // BATCH + 1) for start in range(0, len(ids), BATCH)]
            list(
                pool.map(lambda each, to=place: obs.put(to.below(each[0].name), each[1], "application/zip"), made)
            )
            jobs = catalogue.write_content(place, JOBS, has)
            catalogue.write_manifest(
                manifest(backup_id, at, emulator.project_id, jobs, tuple(each for each, _ in made))
            )
            if number % 20 == 0:
                facts = obs.find(place.below(MANIFEST))
                sizes = {"jobs": jobs.size / jobs.count, "manifest": (facts.size if facts else 0) / jobs.count}
                print(f"  {number + 1} of {backups}", flush=True)
    return lost, sizes


def measure(what: str, root: str, exclude: list[int]) -> dict[str, object]:
    """Run the reader in a process of its own; return what it has measured."""
    command = [sys.executable, "-c", READER, what, root, json.dumps(exclude)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def growth(sizes: dict[str, float], backups: int, jobs: int) -> Iterator[str]:
    """Yield a table of what grows how, computed from what one job takes."""
    head = ("jobs", "backups", "objects", "requests to list them", "a list of jobs", "manifests", "pages of jobs")
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for some, many in ((jobs, backups), (20_000, 400), (100_000, 400), (100_000, 1_000)):
        objects = many * (-(-some // BATCH) + 3)
        one, all_manifests = some * sizes["jobs"] / 1e6, many * some * sizes["manifest"] / 1e6
        requests, pages = -(-objects // 1000), -(-some // 99)
        sizes_of = f"{one:.1f} MB | {all_manifests:,.0f} MB"
        yield f"| {some:,} | {many:,} | {objects:,} | {requests:,} | {sizes_of} | {pages:,} |"


def main() -> int:
    """Print the measurements; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backups", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=5000)
    options = parser.parse_args()
    is_missed = False
    with Emulator(jobs=options.jobs, object_store="seaweedfs") as emulator:
        os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = emulator.connection()
        began = time.perf_counter()
        lost, sizes = generate(emulator, options.backups)
        print(f"generated in {time.perf_counter() - began:.0f} s; bytes a job: {sizes}", flush=True)
        root = f"{emulator.bucket}/{DIRECTORY}"
        for title, what, exclude in (
            ("Catalogue.backups()", "list", []),
            ("the page in Airflow", "page", []),
            ("coverage, the newest backup has all jobs", "check", [lost]),
            ("coverage, every list of jobs is read", "check", []),
        ):
            before = len(emulator.requests)
            found = measure(what, root, exclude)
            seconds, peak, idle = (float(str(found[name])) for name in ("seconds", "peak", "idle"))
            cpu = float(str(found["cpu"]))
            is_page = what == "page"
            is_missed = is_missed or seconds > MOST_SECONDS or (peak > MOST_MIB and not is_page)
            is_missed = is_missed or float(str(found.get("slowest", 0))) > MOST_SECONDS_OF_PAGE
            requests = f"DLI {len(emulator.requests) - before}, OBS {found['obs']}"
            memory = f"peak {peak:.0f} MiB ({idle:.0f} MiB before)"
            print(
                f"{title}: {seconds:.1f} s ({cpu:.1f} s of CPU), {memory}, {requests}, {found.get('row', '')}",
                flush=True,
            )
    print("\n".join(growth(sizes, options.backups, options.jobs)))
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
