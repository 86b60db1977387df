"""A night of backups of 100,000 Flink jobs in 1,000 projects, simulated: what it takes, and what breaks first.

``python benchmarks/simulation.py [--write] [--no-calibration] [--export-seconds S] [--quota N]`` prints tables,
and writes them into docs/quality/scale.md with ``--write``. Nothing sleeps but the calibration, which runs tasks
against the emulator too and compares. The exit status is 1 where the two have sent different requests.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

sys.path[:0] = [str(Path(__file__).parents[1])]

import airflow_limits as limits  # noqa: E402 -- imports what the path above has
from in_process import Recorded, backup_task  # noqa: E402 -- likewise
from night import CALLS, Assumed, Night, Outcome  # noqa: E402 -- likewise

from airflow_provider_dli.triggers.flink import FlinkJobsTrigger  # noqa: E402 -- likewise
from airflow_provider_dli.triggers.obs import ArchivesTrigger  # noqa: E402 -- likewise

PAGE = Path(__file__).parents[1] / "docs" / "quality" / "scale.md"
MARKS = ("<!-- simulation: begin -->\n", "<!-- simulation: end -->\n")
#: projects by their number of jobs: a few have half of all jobs
ESTATE = {4600: 10, 400: 90, 20: 900}
BATCH_SIZES, CONCURRENCIES = (1, 20, 100), (1, 4, 8, 32)
SLOTS, CORES = (8, 16, 32, 64), (4, 16, 64)
QUOTAS = (200, 50, 20, 5)
#: what most nights here have
BATCH_SIZE, CONCURRENCY, POOL = 20, 4, 32
HOURS, LARGEST = 8, max(ESTATE)
#: seconds of a service that exports slowly
SLOW = 10.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How the projects of a night become tasks.

    :param name: of the layout
    :param tasks: how many tasks have them; None for one each
    :param slots: tasks at a time
    """

    name: str
    tasks: int | None
    slots: int


def layouts() -> list[Layout]:
    """Return the layouts, with the limits that Airflow has by default."""
    mapped = int(limits.setting("core", "max_active_tasks_per_dag"))
    return [
        Layout("one task for all", 1, 1),
        Layout(f"one DAG, a mapped task for each project: {mapped} at a time", None, mapped),
        *(Layout(f"a DAG for each project, a pool of {slots}", None, slots) for slots in (POOL, 2 * POOL)),
    ]


def projects(of: int = 1) -> list[int]:
    """Return the number of jobs of each project, or of a part of them, in an order by chance.

    :param of: how many times smaller the estate is
    """
    sizes = [size for size, number in ESTATE.items() for _ in range(number // of)]
    random.Random(1).shuffle(sizes)  # noqa: S311 -- no secret
    return sizes


@cache
def recorded(jobs: int, batch_size: int) -> Recorded:
    """Return what a backup of a project sends."""
    size = min(jobs, batch_size)
    return _recording(size).scaled(jobs, size)


@cache
def _recording(batch_size: int) -> Recorded:
    return backup_task(3 * batch_size, batch_size)


def night(
    layout: Layout,
    assumed: Assumed,
    max_concurrency: int = CONCURRENCY,
    batch_size: int = BATCH_SIZE,
    sizes: Sequence[int] | None = None,
) -> Outcome:
    """Simulate a night."""
    found = [recorded(size, batch_size) for size in sizes or projects()]
    tasks = [found] if layout.tasks == 1 else [[each] for each in found]
    return Night(tasks, layout.slots, max_concurrency, assumed).run()


def by_concurrency(assumed: Assumed) -> Iterator[str]:
    """Yield how long a night takes, by layout and concurrency."""
    yield from _head("batches of a task at a time", *CONCURRENCIES)
    for layout in layouts():
        yield _row(layout.name, *(_time(night(layout, assumed, each)) for each in CONCURRENCIES))
    slow = replace(assumed, seconds={**assumed.seconds, "ExportFlinkJobs": SLOW})
    for layout in layouts()[:-1]:
        yield _row(
            f"{layout.name}; an export takes {SLOW:.0f} s",
            *(_time(night(layout, slow, each)) for each in CONCURRENCIES),
        )


def by_slots(assumed: Assumed) -> Iterator[str]:
    """Yield what pools and workers of different sizes change."""
    yield from _head(
        "slots of the pool", *(f"{cores} cores" for cores in CORES), "requests to DLI a second", "to OBS"
    )
    for slots in SLOTS:
        found = [night(Layout("", None, slots), replace(assumed, cores=cores)) for cores in CORES]
        yield _row(slots, *map(_time, found), _rate(found[-1], "DLI"), _rate(found[-1], "OBS"))


def by_batch_size(assumed: Assumed) -> Iterator[str]:
    """Yield what the size of batches changes."""
    yield from _head(
        *("`batch_size`", "the night", "requests to DLI", "peak a second", "to OBS", "archives read"),
        *("XComs of all backups", f"largest, of {LARGEST:,} jobs", "row of a trigger for its archives"),
    )
    for size in BATCH_SIZES:
        found = night(Layout("", None, POOL), assumed, batch_size=size)
        dli = sum(number for name, number in found.sent.items() if name in CALLS)
        pushed = {jobs: limits.sizes(limits.of_backup(jobs, size)) for jobs in ESTATE}
        xcoms = sum(sum(pushed[jobs]) * number for jobs, number in ESTATE.items())
        row = limits.row_size(limits.waiting_for_archives(-(-LARGEST // size)))
        read = sum(
            each.size
            for jobs in projects()
            for each in recorded(jobs, size).sent()
            if each.operation == "GetObject"
        )
        yield _row(
            *(f"{size}", _time(found), f"{dli:,}", f"{found.peak('DLI')}", f"{sum(found.sent.values()) - dli:,}"),
            f"{read / 1e6:,.0f} MB",
            *(f"{xcoms / 1e6:.1f} MB", _kilobytes(max(pushed[LARGEST])), _kilobytes(row)),
        )


def by_quota(assumed: Assumed) -> Iterator[str]:
    """Yield what happens where DLI throttles: more requests than without, and batches that are given up."""
    yield from _head("DLI throttles above, for one operation", *(f"{each} at a time" for each in CONCURRENCIES))
    for quota in QUOTAS:
        found = [
            night(Layout("", None, POOL), replace(assumed, quota=quota), at_a_time) for at_a_time in CONCURRENCIES
        ]
        yield _row(f"{quota} requests a second", *map(_time, found))


def by_growth(assumed: Assumed) -> Iterator[str]:
    """Yield how a night grows, each project with a DAG of its own."""
    yield from _head(
        *("jobs, projects", "the night", "requests to DLI a second", "to OBS"),
        *("rows of triggers, if all wait", "together", "their polls a second"),
    )
    for of in (10, 2, 1):
        sizes = projects(of)
        found = night(Layout("", None, POOL), assumed, sizes=sizes)
        archives = [-(-size // BATCH_SIZE) for size in sizes]
        rows = sum(limits.row_size(limits.waiting_for_archives(each)) for each in archives)
        polls = limits.polls(len(sizes), round(sum(archives) / len(sizes)), 30)
        yield _row(
            *(f"{sum(sizes):,}, {len(sizes):,}", _time(found), _rate(found, "DLI"), _rate(found, "OBS")),
            *(f"{len(sizes):,}", _kilobytes(rows), f"{polls.mean:.0f}, peak {polls.peak:,}"),
        )


def breaks(assumed: Assumed) -> Iterator[str]:
    """Yield what breaks, in the order in which it does where all grows alike, and by which limit."""
    yield from _head("what breaks, first above", "holds up to", "here", "the limit")
    found = [*_by_jobs(), *_by_projects(assumed)]
    for what, largest, here, noun, limit in sorted(found, key=lambda each: each[1] / each[2]):
        verdict = "**breaks**" if here > largest else "holds"
        yield _row(what, f"{largest:,.0f} {noun}", f"{here:,}: {verdict}", limit)


def _by_jobs() -> Iterator[tuple[str, float, int, str, str]]:
    """Yield the limits of one task, and the largest project."""
    mysql, ours = limits.LARGEST_ROW, limits.LARGEST_XCOM
    row, xcom = f"{mysql:,} B of a trigger in MySQL", f"{ours:,} B of an XCom"
    for what, trigger in (
        ("stop of running jobs, deferred", limits.stopping),
        ("sensor of jobs, deferred", limits.waiting_for_jobs),
    ):
        yield what, limits.most(partial(_row_size, trigger), mysql), LARGEST, "jobs", row
    for size in BATCH_SIZES[1:]:
        batches = f"`batch_size` {size}"
        archives = limits.most(partial(_row_size, limits.waiting_for_archives), mysql)
        yield f"verification, deferred, {batches}", archives * size, LARGEST, "jobs", row
        reports = limits.most(lambda number: limits.largest(limits.of_verification(number)), ours)
        yield f"verification, {batches}", reports * size, LARGEST, "jobs", xcom
        for what, xcoms in (("export", limits.of_export), ("backup", limits.of_backup)):
            yield f"{what}, {batches}", limits.most(partial(_largest, xcoms, size), ours), LARGEST, "jobs", xcom


def _by_projects(assumed: Assumed) -> Iterator[tuple[str, float, int, str, str]]:
    """Yield the limits of all tasks together."""
    here, one = len(projects()), layouts()[0]
    slow = replace(assumed, seconds={**assumed.seconds, "ExportFlinkJobs": SLOW})
    for times, at_a_time in ((assumed, CONCURRENCY), (slow, 1)):
        exported = times.seconds["ExportFlinkJobs"]
        what = f"one task for all, {at_a_time} at a time, an export takes {exported:g} s"
        seconds = night(one, times, at_a_time).seconds
        yield what, here * HOURS * 3600 / seconds, here, "projects", f"a night of {HOURS} h"
    read, timeout = limits.dag_file(200), limits.setting("core", "dagbag_import_timeout")
    file = f"DAGs of one file, {1000 * read.seconds:.1f} ms each"
    yield file, timeout / read.seconds, here, "projects", f"`dagbag_import_timeout` of {timeout:.0f} s"
    mapped, capacity = limits.setting("core", "max_map_length"), limits.setting("triggerer", "capacity")
    yield "one DAG, a mapped task for each project", mapped, here, "projects", "`max_map_length`"
    yield "a wait for each project, one triggerer", capacity, here, "projects", "`capacity`: others wait for it"


def _row_size(trigger: Callable[[int], ArchivesTrigger | FlinkJobsTrigger], number: int) -> int:
    return limits.row_size(trigger(number))


def _largest(xcoms: Callable[[int, int], Mapping[str, Any]], batch_size: int, jobs: int) -> int:
    return limits.largest(xcoms(jobs, batch_size))


def assumptions(assumed: Assumed) -> str:
    """Return in words what is assumed."""
    listed, exported = (assumed.seconds[name] for name in ("ListFlinkJobs", "ExportFlinkJobs"))
    return (
        f"Assumed, and not established: DLI takes {listed} s for a page of the list and {exported} s for an "
        f"export, OBS {assumed.other_seconds} s and {assumed.bytes_per_second / 1e6:.0f} MB a second, the worker "
        f"{assumed.client_seconds} s of its own for each request. The scheduler starts "
        f"{assumed.starts_per_second:.0f} tasks a second, each of which takes one of {assumed.cores} cores for "
        f"{assumed.start_seconds:.0f} s before its first request. DLI throttles above {assumed.quota} requests "
        "for one operation in one second, of all projects together: the default of Huawei Cloud's gateway; DLI "
        "documents none."
    )


def text(assumed: Assumed, calibrated: Sequence[str]) -> str:
    """Return all tables as Markdown."""
    estate = ", ".join(f"{number} of {size:,}" for size, number in ESTATE.items())
    usual = f"`batch_size` {BATCH_SIZE}, {CONCURRENCY} batches of a task at a time, {POOL} slots"
    jobs = sum(size * number for size, number in ESTATE.items())
    parts = [
        [f"{jobs:,} jobs in {sum(ESTATE.values()):,} projects by their jobs: {estate}. {assumptions(assumed)}"],
        [f"Unless a table has others: {usual}, a DAG for each project."],
        *(
            list(table(assumed))
            for table in (by_concurrency, by_slots, by_batch_size, by_quota, by_growth, breaks)
        ),
        calibrated,
    ]
    return "\n" + "\n\n".join("\n".join(part) for part in parts if part) + "\n\n"


def main() -> int:
    """Print the tables; 1 if simulation and emulator have sent different requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/quality/scale.md")
    parser.add_argument("--no-calibration", action="store_true", help="do not start the emulator")
    parser.add_argument("--export-seconds", type=float, default=Assumed().seconds["ExportFlinkJobs"])
    parser.add_argument("--quota", type=int, default=Assumed().quota)
    options = parser.parse_args()
    logging.disable()
    # Without a key Airflow would not encrypt rows, which makes them larger.
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = Fernet.generate_key().decode()
    seconds = {**Assumed().seconds, "ExportFlinkJobs": options.export_seconds}
    calibrated, is_same = ([], True) if options.no_calibration else calibration()
    found = text(Assumed(seconds, quota=options.quota), calibrated)
    print(found)
    if options.write:
        head, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        PAGE.write_text(f"{head}{MARKS[0]}{found}{MARKS[1]}{after}", encoding="utf-8")
    return int(not is_same)


def calibration() -> tuple[list[str], bool]:
    """Return what the emulator took, beside the simulation; and whether the requests were the same."""
    import calibration as against  # noqa: PLC0415 -- starts the emulator

    found = list(against.compare())
    rows = [
        _row(
            each.what,
            f"{each.simulated:.1f} s",
            f"{each.measured:.1f} s",
            f"{each.simulated / each.measured:.2f}",
            "the same" if each.is_equal else "others",
        )
        for each in found
    ]
    head = list(_head("against the emulator", "simulated", "measured", "ratio", "requests"))
    start = min(each.start for each in found)
    assumed = Assumed().start_seconds
    rows.append(
        _row(
            "CPU until a task begins", f"{assumed:.1f} s, assumed", f"{start:.1f} s", f"{assumed / start:.2f}", ""
        )
    )
    return head + rows, all(each.is_equal for each in found)


def _head(*cells: object) -> list[str]:
    return [_row(*cells), "|---" * len(cells) + "|"]


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _time(found: Outcome) -> str:
    hours, minutes = found.seconds / 3600, found.seconds / 60
    shown = f"{hours:.1f} h" if hours >= 1 else f"{minutes:.1f} min"
    throttled = f", {found.throttled:,} throttled" if found.throttled else ""
    return shown + throttled + (f", {found.failed:,} given up" if found.failed else "")


def _rate(found: Outcome, service: str) -> str:
    return f"{found.mean(service):.0f}, peak {found.peak(service):,}"


def _kilobytes(size: float) -> str:
    return f"{size / 1000:,.1f} kB"


if __name__ == "__main__":
    sys.exit(main())
