"""The estate: what it needs, what it counts, and its page. ``make estate`` runs it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import chaos_table
import processes
import pytest
from chaos_table import PAGE, RESULTS, with_table
from counts import Counts, Xcom, count
from needs import MissingError, find_programs, unprivileged
from processes import Gate, Server, freeze, is_alive, mark, still_running, stop, until
from scenarios import SCENARIOS

from dli_emulator.child_process import free_ports

KNOWN: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
PLACE = "b/manual__1"
RUN = {"state": "success", "seconds": 40, "batches": 2, "place": PLACE, "ended": []}
ARCHIVES = [f"{PLACE}/export/0/a.zip", f"{PLACE}/export/1/b.zip"]
RECORD = [
    {"operation": "ExportFlinkJobs", "body": json.dumps({"obs_dir": f"{PLACE}/export/{number}"}), "acted": True}
    for number in (0, 1)
]
INSTANCES = [("success", 1)] * 4
XCOMS = [
    each
    for number, archive in enumerate(ARCHIVES)
    for each in (
        Xcom("export", number, "return_value", [archive]),
        Xcom("verify", number, "return_value", [{"zip_file": archive, "verified": True}]),
    )
]


def executable(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch(0o755)
    return folder


def test_what_is_missing_is_named_with_its_package(tmp_path: Path) -> None:
    """All of it in one message, not one after the other."""
    with pytest.raises(MissingError) as missing:
        find_programs(str(tmp_path), tmp_path)
    assert "package postgresql\n" in str(missing.value)
    assert "package redis-server or valkey-server\n" in str(missing.value)


def test_the_newest_postgresql_is_used_and_valkey_as_well(tmp_path: Path) -> None:
    """Debian has each version of PostgreSQL in a folder of its own, which PATH does not name."""
    for version in ("9", "15"):
        executable(tmp_path / version / "bin", "initdb", "postgres")
    path = executable(tmp_path / "path", "valkey-server")
    found = find_programs(str(path), tmp_path)
    assert (found.postgres, found.redis) == (tmp_path / "15/bin/postgres", path / "valkey-server")
    with pytest.raises(MissingError) as missing:
        find_programs("", tmp_path)
    assert "PostgreSQL" not in str(missing.value)


def test_root_has_an_account_for_postgresql(tmp_path: Path) -> None:
    """Its own, if there is one."""
    accounts = tmp_path / "passwd"
    accounts.write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    assert unprivileged(accounts) == "nobody"
    accounts.write_text("root:x:0:0::/:/bin/sh\n")
    with pytest.raises(MissingError, match="postgres or nobody"):
        unprivileged(accounts)


def test_a_run_of_which_all_is_there() -> None:
    """Each batch has an archive that is named and verified; those that the waits wait for are not counted."""
    found = count(RUN, RECORD, [*ARCHIVES, f"{PLACE}/wait/0.zip"], INSTANCES, XCOMS)
    assert found == Counts("success", 2, 2, 2, states={"success": 4}, seconds=40)
    assert found.problems == []
    assert found.as_dict()["problems"] == []


def test_requests_of_other_runs_do_not_count() -> None:
    """DLI may act late on those of the run before."""
    other = {**RECORD[0], "body": json.dumps({"obs_dir": f"{PLACE}0/export/0"})}
    assert count(RUN, [*RECORD, other], ARCHIVES, INSTANCES, XCOMS).requested == 2


@pytest.mark.parametrize("key", ["extra_archives", "late_archives"])
def test_a_second_archive_needs_a_name(key: str) -> None:
    """Whichever task names it."""
    twice, second = [*RECORD, RECORD[0]], f"{PLACE}/export/0/c.zip"
    found = count(RUN, twice, [*ARCHIVES, second], INSTANCES, XCOMS)
    assert (found.acted, found.archives, found.orphans) == (3, 3, [second])
    assert found.problems == [f"doubled without a name: 1 archives: {second}"]
    named = [*XCOMS, Xcom("verify", 1, key, [second])]
    assert count(RUN, twice, [*ARCHIVES, second], INSTANCES, named).problems == []


@pytest.mark.parametrize(
    ("archives", "xcoms"),
    [
        pytest.param(ARCHIVES[:1], XCOMS, id="not in the store"),
        pytest.param(ARCHIVES, XCOMS[:3], id="not verified"),
        pytest.param(
            ARCHIVES,
            [*XCOMS[:3], Xcom("verify", 1, "return_value", [{"zip_file": ARCHIVES[1], "verified": False}])],
            id="damaged",
        ),
        pytest.param(
            ARCHIVES, [*XCOMS[:2], Xcom("late", 0, "late_archives", ARCHIVES), XCOMS[3]], id="not returned"
        ),
    ],
)
def test_a_batch_is_lost(archives: list[str], xcoms: list[Xcom]) -> None:
    """Unless its archive is in the store, the export has returned it, and the verification has found it intact."""
    found = count(RUN, RECORD, archives, INSTANCES, xcoms)
    assert found.lost == [1]
    assert "lost" in found.problems[0]


def test_a_run_that_fails_is_a_problem() -> None:
    """Though nothing is lost; the attempts beyond the first of each task are counted."""
    instances = [("success", 1), ("success", 3), ("failed", 6), ("None", 0)]
    found = count({**RUN, "state": "failed"}, RECORD, ARCHIVES, instances, XCOMS)
    assert (found.attempts, found.states) == (7, {"success": 2, "failed": 1, "None": 1})
    assert found.problems == [f"the run has ended as failed, with tasks {found.states}"]


def test_the_page_is_made_of_the_results() -> None:
    """``python estate/chaos_table.py`` writes it again."""
    text = PAGE.read_text(encoding="utf-8")
    assert "<!-- estate: begin -->" in text
    assert text == with_table(text, KNOWN)


def test_all_scenarios_are_recorded_and_right() -> None:
    """Nothing was lost, nothing doubled without a name, and every run succeeded."""
    assert set(KNOWN) == {*SCENARIOS, "pod"}
    assert [name for name, found in KNOWN.items() if found["problems"]] == []


def test_what_is_not_right_is_bold() -> None:
    """So that it is seen."""
    found = Counts("failed", 3, 3, 2, ["b/x.zip"], [0], {"failed": 1}, 2, 9, ["triggerer-1", "triggerer-2"])
    row = chaos_table.table({"kill-task": found.as_dict()}).splitlines()[2]
    assert (
        "**four task processes are killed** | **3** | **3** | **2** | **1** | **1** | **2** | **triggerer** |"
        in row
    )


def begin(server: Server) -> None:
    """Start a server, and wait for its child: one that comes later would outlive it."""
    server.start()
    until(lambda: len(server.family()) == 2, 10, "it has a child", 0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Return a server that has a child, as Airflow's have."""
    mark()
    made = Server("sleeper", ["sh", "-c", "sleep 300 & wait"], tmp_path)
    begin(made)
    yield made
    stop([made])


def test_a_server_is_killed_with_all_below_it(server: Server) -> None:
    """And can be started again."""
    family = server.family()
    assert {each.pid for each in family} <= {each.pid for each in still_running()}
    server.kill()
    assert not any(map(is_alive, family))
    assert server.family() == []
    begin(server)
    assert server.is_running


def test_a_frozen_server_is_stopped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on first: a process that is frozen does not end in order."""
    monkeypatch.setattr(processes, "_STOP_SECONDS", 2)
    freeze(server.family())
    family = server.family()
    stop([server])
    assert not any(map(is_alive, family))
    assert not still_running()


def test_a_gate_refuses_connections_while_it_is_closed() -> None:
    """Connections that there are end; once it is open, it passes them on again."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as target:
        threading.Thread(target=target.serve_forever, daemon=True).start()
        gate = Gate(free_ports(1)[0], target.server_port)
        kept = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=5)
        assert _requested(kept) == b"ok"
        gate.close()
        with pytest.raises(ConnectionError):
            _requested(kept)
        with pytest.raises(ConnectionRefusedError):
            _requested(http.client.HTTPConnection("127.0.0.1", gate.port, timeout=5))
        gate.open()
        again = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=5)
        assert _requested(again) == b"ok"
        for each in (kept, again):
            each.close()
        gate.close()
        target.shutdown()


def _requested(connection: http.client.HTTPConnection) -> bytes:
    connection.request("GET", "/")
    return connection.getresponse().read()


def test_an_unknown_scenario_is_refused() -> None:
    """Before anything starts, and with all names."""
    command = [sys.executable, "estate/estate.py", "kill-nobody"]
    done = subprocess.run(command, cwd=PAGE.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no scenario is called kill-nobody; there are undisturbed, kill-task" in done.stderr
