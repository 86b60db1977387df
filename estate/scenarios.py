"""The chaos table: what happens to the estate while the fleet runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from components import CELERY, LOCAL, TRIGGERERS
from processes import freeze, kill, stop, thaw, until

if TYPE_CHECKING:
    from estate import Estate, Run

#: seconds for which a server that was killed is gone, and DLI or the store stopped or frozen for a moment
MOMENT = 5
#: longer than all timeouts of an export and the pauses between three of its attempts
LONG = 45


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    :param title: of the row
    :param happens: what happens once exports run
    :param executor: Airflow's
    :param deferred: whether to wait until the waits are on the triggerer
    """

    title: str
    happens: Callable[[Estate, Run], None]
    executor: str = CELERY
    deferred: bool = False


def nothing(estate: Estate, run: Run) -> None:
    """Nothing goes wrong."""
    del estate, run


def kill_tasks(estate: Estate, run: Run) -> None:
    """Kill processes in which exports run, while DLI acts on their requests; two times."""
    for _ in range(2):
        kill(until(lambda: estate.airflow.task_processes()[:2], 60, "a task runs"))
        run.wait_for_exports()


def kill_pool_process(estate: Estate, run: Run) -> None:
    """Kill a process of Celery's pool, with the task that it supervises."""
    del run
    busy = until(lambda: [each for each in estate.airflow.pool_processes() if _children(each)], 60, "a task runs")
    kill(busy[:1])


def kill_server(*names: str) -> Callable[[Estate, Run], None]:
    """Return what kills components of Airflow with all their processes, and starts them again after a moment."""

    def happens(estate: Estate, run: Run) -> None:
        del run
        servers = [estate.airflow.servers[name] for name in names]
        for server in servers:
            server.kill()
        time.sleep(MOMENT)
        for server in servers:
            server.start()

    return happens


def restart_database(estate: Estate, run: Run) -> None:
    """Restart PostgreSQL, which is away for a moment."""
    del run
    stop([estate.database.server])
    time.sleep(MOMENT)
    estate.database.start()


def restart_broker(estate: Estate, run: Run) -> None:
    """Restart Redis, which is away for a moment."""
    del run
    stop([estate.broker.server])
    time.sleep(MOMENT)
    estate.broker.start()


def kill_broker(estate: Estate, run: Run) -> None:
    """Kill Redis, which loses what is queued and what workers have not acknowledged."""
    del run
    estate.broker.server.kill()
    time.sleep(MOMENT)
    estate.broker.start()


def stop_cloud(name: str, seconds: int) -> Callable[[Estate, Run], None]:
    """Return what closes the port of DLI or of the object store for a while."""

    def happens(estate: Estate, run: Run) -> None:
        del run
        gate = estate.cloud.dli if name == "dli" else estate.cloud.obs
        gate.close()
        time.sleep(seconds)
        gate.open()

    return happens


def freeze_cloud(name: str, seconds: int) -> Callable[[Estate, Run], None]:
    """Return what freezes DLI or the object store for a while: then they act on what was requested meanwhile."""

    def happens(estate: Estate, run: Run) -> None:
        del run
        processes = estate.cloud.dli_processes if name == "dli" else estate.cloud.store_processes
        freeze(processes)
        try:
            time.sleep(seconds)
        finally:
            thaw(processes)

    return happens


def _children(process: psutil.Process) -> Sequence[psutil.Process]:
    with suppress(psutil.Error):
        return list(process.children())
    return []


SCENARIOS = {
    "undisturbed": Scenario("nothing", nothing),
    "kill-task": Scenario("four task processes are killed", kill_tasks),
    "kill-pool": Scenario("a process of Celery's pool is killed", kill_pool_process),
    "kill-worker": Scenario("one of two workers is killed, with its tasks", kill_server("worker-1")),
    "kill-triggerer": Scenario("one of two triggerers is killed", kill_server(TRIGGERERS[0]), deferred=True),
    "kill-triggerers": Scenario("both triggerers are killed", kill_server(*TRIGGERERS), deferred=True),
    "kill-scheduler": Scenario("the scheduler is killed", kill_server("scheduler")),
    "kill-api-server": Scenario("the API server is killed", kill_server("api-server")),
    "postgres-restart": Scenario("PostgreSQL is restarted", restart_database),
    "redis-restart": Scenario("Redis is restarted", restart_broker),
    "redis-kill": Scenario("Redis is killed, and loses its queues", kill_broker),
    "dli-stopped": Scenario(f"DLI refuses connections for {MOMENT} s", stop_cloud("dli", MOMENT)),
    "dli-stopped-long": Scenario(f"the same for {LONG} s", stop_cloud("dli", LONG)),
    "dli-frozen": Scenario(f"DLI is frozen for {MOMENT} s", freeze_cloud("dli", MOMENT)),
    "dli-frozen-long": Scenario(f"the same for {LONG} s", freeze_cloud("dli", LONG)),
    "store-stopped": Scenario(f"OBS refuses connections for {MOMENT} s", stop_cloud("obs", MOMENT)),
    "store-stopped-long": Scenario(f"the same for {LONG} s", stop_cloud("obs", LONG)),
    "store-frozen": Scenario(f"OBS is frozen for {MOMENT} s", freeze_cloud("obs", MOMENT)),
    "store-frozen-long": Scenario(f"the same for {LONG} s", freeze_cloud("obs", LONG)),
    "local-undisturbed": Scenario("nothing", nothing, LOCAL),
    "local-kill-task": Scenario("four task processes are killed", kill_tasks, LOCAL),
    "local-kill-scheduler": Scenario("the scheduler is killed, with its tasks", kill_server("scheduler"), LOCAL),
}
