"""The command line: what it prints, its JSON, its exit status, and that it needs no Airflow that works."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers_manager import ProvidersManager

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.cli import COMMANDS, main
from airflow_provider_dli.backups.cli import run as run_command_line
from airflow_provider_dli.backups.coverage import REMEDIES, Coverage, write_coverage
from airflow_provider_dli.backups.manifest import EXPIRED, JOBS, MANIFEST
from airflow_provider_dli.client.locations import ObsLocation
from dli_emulator import Emulator
from tests.airflow_cli import AirflowCli
from tests.backups.commands_page import PAGE, page_with
from tests.backups.made import PROJECT, catalogue_of, make_backup, rot

OTHER = "0" * 32
HOUR = timedelta(hours=1)

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def catalogue(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return catalogue_of(dli_emulator)


@pytest.fixture
def run(catalogue: Catalogue, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command on the catalogue, and returns exit status and standard output."""

    def run_command(name: str, *arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main([name, str(catalogue.root), *arguments])
        return status, capsys.readouterr().out

    return run_command


@pytest.fixture
def run_json(run: Run) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a command with ``--json``; the document has its exit status."""

    def run_command(name: str, *arguments: str) -> dict[str, Any]:
        status, out = run(name, *arguments, "--json")
        document: dict[str, Any] = json.loads(out)
        assert (document["schema_version"], document["command"]) == (1, name)
        assert ["OK", "WARNING", "CRITICAL", "UNKNOWN"].index(document["status"]) == status
        return document

    return run_command


def test_an_empty_catalogue(run: Run, run_json: Callable[..., dict[str, Any]]) -> None:
    """Has no backups, which a check does not take for good."""
    assert run_json("list")["backups"] == []
    assert run("list")[1].endswith("0 backups in obs://obs-test/flink-backups\n")
    status, out = run("check")
    text = (
        "there is no backup in obs://obs-test/flink-backups. Back up the project with DliBackupFlinkJobsOperator."
    )
    assert (status, out.partition(" |")[0]) == (2, f"CRITICAL: {text}")


def test_list(catalogue: Catalogue, run: Run, run_json: Callable[..., dict[str, Any]]) -> None:
    """Each backup with its state, whatever it is, oldest first; filtered by project and state."""
    now = catalogue.now()
    old = make_backup(catalogue, now - 50 * HOUR)
    killed = make_backup(catalogue, now - 30 * HOUR)
    catalogue.obs.delete(killed.place.below(MANIFEST))
    new = make_backup(catalogue, now - HOUR, project_id=OTHER)
    catalogue.record(new, "hold", {"reason": "audit"})
    catalogue.record(new, "drill", {"jobs": []}, "passed")
    document = run_json("list")
    assert [each["backup_id"] for each in document["backups"]] == [old.backup_id, killed.backup_id, new.backup_id]
    assert [each["state"] for each in document["backups"]] == ["verified", "incomplete", "verified"]
    last = document["backups"][-1]
    assert last.pop("age") in range(3600, 3660)
    assert last == {
        "project_id": OTHER,
        "backup_id": new.backup_id,
        "state": "verified",
        "problem": None,
        "exported_at": f"{now - HOUR:%Y-%m-%dT%H:%M:%SZ}",
        "jobs": 2,
        "archives": 1,
        "size": sum(entry.size for entry in catalogue.obs.list_tree(new.place)),
        "level": "full",
        "verified_at": f"{now - HOUR + timedelta(seconds=20):%Y-%m-%dT%H:%M:%SZ}",
        "is_held": True,
        "drills": 1,
        "last_drill": "passed",
        "last_drill_at": last["last_drill_at"],
        "copies": 0,
    }
    assert [each["backup_id"] for each in run_json("list", "--project", OTHER)["backups"]] == [new.backup_id]
    assert [each["backup_id"] for each in run_json("list", "--state", "incomplete")["backups"]] == [
        killed.backup_id
    ]
    status, out = run("list")
    lines = out.splitlines()
    assert (status, len(lines), lines[-1]) == (0, 7, "3 backups in obs://obs-test/flink-backups")
    assert lines[0].split() == [
        *("project", "backup", "exported", "age", "jobs", "size", "state", "held", "verified", "drills")
    ]
    assert [" 2 d " in lines[2], " incomplete " in lines[3], "1, last passed" in lines[4]] == [True] * 3


def test_show(catalogue: Catalogue, run: Run, run_json: Callable[..., dict[str, Any]]) -> None:
    """Manifest, records and jobs of one backup, by its id, the first characters of it, or latest."""
    made = make_backup(catalogue, catalogue.now() - HOUR)
    catalogue.record(made, "hold", {"reason": "audit"})
    document = run_json("show", made.backup_id, "--jobs")
    assert made.manifest
    assert document["manifest"] == made.manifest.model_dump(mode="json")
    assert [(each["kind"], each["content"]) for each in document["records"]] == [("hold", {"reason": "audit"})]
    assert [each["job_id"] for each in document["jobs"]] == [100, 101]
    assert (document["place"], document["changes"], document["unnamed"]) == (str(made.place), [], [])
    assert "jobs" not in run_json("show", made.backup_id)
    status, out = run("show", "latest", "--jobs")
    assert status == 0
    for shown in (made.place.url, "archives/batch-0001/aggregate_1.zip", '{"reason": "audit"}', "job_101"):
        assert shown in out
    # What may be secret is in settings.jsonl.gz, which no command reads.
    assert "cu_number" not in out + json.dumps(document)


@pytest.mark.parametrize("command", [("show",), ("hold", "--reason", "x"), ("release",), ("verify",)])
@pytest.mark.parametrize("name", ["", "2026"])
def test_an_id_that_is_too_short_acts_on_nothing(
    catalogue: Catalogue, run: Run, command: tuple[str, ...], name: str
) -> None:
    """Though one backup alone fits it: an empty variable names none."""
    made = make_backup(catalogue, catalogue.now() - HOUR)
    catalogue.record(made, "hold", {"reason": "audit"})
    status, out = run(command[0], name, *command[1:])
    assert (status, "is not the id of a backup" in out) == (3, True), out
    (found,) = Catalogue(catalogue.obs, catalogue.root).backups()
    assert [record.kind for record in found.records] == ["hold"]


def test_live_jobs_of_another_project_are_not_compared(catalogue: Catalogue, run: Run) -> None:
    """Nothing is right or wrong then."""
    make_backup(catalogue, catalogue.now() - HOUR, project_id="b" * 32)
    status, out = run("check", "--live", "--project", "b" * 32)
    assert (status, "--live compares the jobs of project 48cc" in out) == (3, True), out


def test_show_names_what_is_wrong(catalogue: Catalogue, run: Run) -> None:
    """What changed, what the manifest does not name, and why it cannot be read."""
    made = make_backup(catalogue, catalogue.now())
    catalogue.obs.put(made.place.below("archives/batch-0001/aggregate_1.zip"), b"x", "application/zip")
    catalogue.obs.put(made.place.below("archives/batch-0001/late.zip"), b"x", "application/zip")
    out = run("show", made.backup_id)[1]
    assert re.search(r"^changed +archives/batch-0001/aggregate_1.zip has 1 bytes and had", out, re.MULTILINE)
    assert re.search(r"^not named +archives/batch-0001/late.zip", out, re.MULTILINE)
    catalogue.obs.put(made.place.below(MANIFEST), b"{}", "application/json")
    assert re.search(r"^problem +schema_version is None", run("show", made.backup_id)[1], re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        (
            "20260101",
            [],
            "there is no backup '20260101' in obs://obs-test/flink-backups. The command list shows all.",
        ),
        ("today", [], " fits 2 backups: "),
        ("latest", [], "latest: there are backups of 2 projects in obs://obs-test/flink-backups: "),
        (
            "latest",
            ["--project", "x"],
            "latest: there is no backup in obs://obs-test/flink-backups of project 'x' ",
        ),
    ],
)
def test_a_backup_that_is_not_clear(
    catalogue: Catalogue, run: Run, name: str, arguments: list[str], problem: str
) -> None:
    """Is not guessed."""
    made = [make_backup(catalogue, catalogue.now(), project_id=project) for project in (PROJECT, OTHER)]
    status, out = run("show", made[0].backup_id[:8] if name == "today" else name, *arguments)
    assert (status, out.startswith("UNKNOWN: "), problem in out) == (3, True, True), out


def spoil(catalogue: Catalogue, kind: str) -> None:  # noqa: C901 -- one branch for each kind
    """Make a catalogue of two backups of which something is wrong."""
    now = catalogue.now()
    good = make_backup(catalogue, now - (30 if kind == "too_old" else 1) * HOUR)
    other = make_backup(catalogue, now - 50 * HOUR)
    archive = other.place.below("archives/batch-0001/aggregate_1.zip")
    if kind == "no_backups":
        catalogue.record(good, "verification", {}, "failed")
        catalogue.obs.delete(archive)
    elif kind == "damaged":
        catalogue.obs.delete(archive)
    elif kind == "unreadable":
        catalogue.obs.put(other.place.below(MANIFEST), b"{}", "application/json")
    elif kind == "unproven":
        make_backup(catalogue, now, in_archive=None)
    elif kind == "drill_failed":
        catalogue.record(good, "drill", {"jobs": [{"job_id": 100, "equal": False}]}, "failed")
    elif kind == "not_in_archive":
        make_backup(catalogue, now, [100, 101, 102], in_archive={101: False}, changed=[102])
    elif kind == "selection":
        make_backup(catalogue, now, is_all_jobs=False)
        catalogue.record(good, "verification", {}, "failed")
    elif kind == "lost":
        make_backup(catalogue, now, project_id=OTHER)
        coverage = {"checked_at": now, "project_id": OTHER, "passed": True, "level": "full", "max_age": 1.0}
        write_coverage(catalogue, Coverage.model_validate(coverage))
        for entry in list(catalogue.obs.list_tree(catalogue.root.below(OTHER))):
            if "/reports/" not in entry.key:
                catalogue.obs.delete(ObsLocation(catalogue.root.bucket, entry.key))
    elif kind == "rotten":
        rot(catalogue, good, JOBS)
    elif kind == "unnamed":
        catalogue.obs.put(other.place.below("archives/late|.zip"), b"x", "application/zip")


@pytest.mark.parametrize(
    ("kind", "status", "kinds"),
    [
        ("good", 0, []),
        ("too_old", 2, ["too_old"]),
        ("no_backups", 2, ["damaged", "damaged", "no_backups"]),
        ("damaged", 2, ["damaged"]),
        ("unreadable", 2, ["unreadable"]),
        ("unnamed", 1, ["unnamed"]),
        ("unproven", 1, ["unproven"]),
        ("drill_failed", 2, ["drill_failed"]),
        ("rotten", 2, ["damaged"]),
        ("not_in_archive", 1, ["changed", "no_backup"]),
        ("selection", 2, ["damaged", "too_old"]),
        ("lost", 2, ["no_backups"]),
    ],
)
def test_check(
    catalogue: Catalogue,
    run: Run,
    run_json: Callable[..., dict[str, Any]],
    kind: str,
    status: int,
    kinds: list[str],
) -> None:
    """Each thing that may be wrong has its status; the worst is the command's, in its first line."""
    spoil(catalogue, kind)
    document = run_json("check")
    assert sorted(finding["kind"] for finding in document["findings"]) == kinds
    assert {name for finding in document["findings"] for name in finding} <= {
        *("kind", "status", "project_id", "backup_id", "job_id", "name", "message", "remedy")
    }
    found, out = run("check")
    assert (found, document["status"]) == (status, out.partition(":")[0])
    first, *rest = out.splitlines()
    assert len(rest) == len(kinds)
    assert all(REMEDIES[each["kind"]] in line for each, line in zip(document["findings"], rest, strict=True))
    # As monitoring plugins have it: nothing but figures follows the only bar.
    text, bar, figures = first.partition(" | ")
    assert bar
    assert "|" not in text + "".join(rest)
    assert re.fullmatch(r"('[\w.-]+'|\w+)=\d+[sB]?;;\d*;0( ('[\w.-]+'|\w+)=\d+[sB]?;;\d*;0)*", figures)
    assert (f"'age_{PROJECT}'=" in figures) == (kind != "no_backups")


def test_check_live_jobs(
    catalogue: Catalogue, dli_emulator: Emulator, run: Run, run_json: Callable[..., dict[str, Any]]
) -> None:
    """With ``--live`` each job that could not be brought back is a finding; the connection's project is meant."""
    make_backup(catalogue, catalogue.now() - HOUR)
    make_backup(catalogue, catalogue.now() - HOUR, project_id=OTHER)
    assert run("check")[0] == 0
    document = run_json("check", "--live")
    jobs = dli_emulator.state.jobs
    found = [(each["kind"], each["job_id"]) for each in document["findings"]]
    assert (document["status"], document["counts"]["uncovered"]) == ("CRITICAL", len(jobs))
    assert {job for kind, job in found if kind == "no_backup"} == set(jobs) - {100, 101}
    assert {each["project_id"] for each in document["findings"]} == {PROJECT}
    first = run("check", "--live")[1].splitlines()[0]
    assert re.match(rf"CRITICAL: {PROJECT}: job \d+ \S+: .* \(and \d+ more findings\) \|", first)


def test_a_backup_that_is_being_made_counts_as_well(catalogue: Catalogue, run: Run) -> None:
    """Its directory has no manifest yet."""
    make_backup(catalogue, catalogue.now() - HOUR)
    begun = make_backup(catalogue, catalogue.now())
    catalogue.obs.delete(begun.place.below(MANIFEST))
    assert run("check")[0] == 0


def test_levels_and_ages(catalogue: Catalogue, run: Run) -> None:
    """A backup counts if it was verified at the level, and is not of the future."""
    now = catalogue.now()
    make_backup(catalogue, now - 10 * HOUR, level="directory")
    assert [run("check", "--level", level)[0] for level in ("exists", "directory", "full")] == [0, 0, 2]
    assert [run("check", "--max-age", age)[0] for age in ("11h", "9h", "599m", "1d")] == [0, 2, 2, 0]
    make_backup(catalogue, now + 10 * HOUR)
    assert run("check", "--max-age", "9h")[0] == 2


def test_names_that_somebody_else_chose(
    catalogue: Catalogue, run: Run, run_json: Callable[..., dict[str, Any]]
) -> None:
    """Neither drive a terminal, nor make figures of a monitoring system."""
    project = "a|b='1'\u202e"
    make_backup(catalogue, catalogue.now() - 90 * HOUR, project_id=project)
    for name in ("list", "check"):
        assert "\u202e" not in run(name)[1]
    assert run("check")[1].count("|") == 1
    assert run_json("list")["backups"][0]["project_id"] == project


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["list"], "the following arguments are required: BACKUP_DIR"),
        (["list", "bucket/x", "--state", "good"], "argument --state: invalid choice: 'good'"),
        (
            ["check", "bucket/x", "--max-age", "soon"],
            "argument --max-age: must be such as 90m, 26h or 7d, not 'soon'",
        ),
        (
            ["list", "bucket/x", "--conn-id", "a b"],
            "argument --conn-id: must be the id of a connection, not 'a b'",
        ),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_usage(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Is unknown to a monitoring system, and not critical."""
    assert main(arguments) == 3
    out, errors = capsys.readouterr()
    assert (out, problem in errors, errors.startswith("usage: ")) == ("", True, True)
    assert main([*arguments, "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert problem in document.pop("error")
    assert document == {"schema_version": 1, "command": next(iter(arguments), None), "status": "UNKNOWN"}


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["bucket//b"], "BACKUP_DIR: 'bucket//b' has an empty, '.' or '..' directory in it; give bucket"),
        (["no-such-bucket/x"], "there is no bucket 'no-such-bucket'"),
        (
            ["bucket/x", "--conn-id", "dli_other"],
            "connection 'dli_other' is not in the environment. Set AIRFLOW_CONN_DLI_",
        ),
        (
            ["bucket/x", "--connection", "{tmp}/none"],
            "--connection: {tmp}/none cannot be read: No such file or directory",
        ),
        (["bucket/x", "--connection", "{tmp}"], "--connection: {tmp} cannot be read: Is a directory"),
        (
            ["bucket/x", "--connection", "{tmp}/bytes"],
            "--connection: {tmp}/bytes does not hold a connection. Give its JSON",
        ),
        (["bucket/x", "--connection", "{tmp}/text"], "connection 'dli_default' cannot be read"),
        (["bucket/x", "--connection", "{tmp}/json"], "connection 'dli_default': region: is missing"),
    ],
)
def test_what_cannot_be_read(
    arguments: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is named in one line, also as JSON."""
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "text").write_text("no connection")
    (tmp_path / "json").write_text('{"conn_type": "dli", "login": "AK", "password": "SECRET", "extra": {}}')
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    before = dict(os.environ)
    for extra in ([], ["--json"]):
        assert main(["list", *given, *extra]) == 3
        out = capsys.readouterr().out
        message = json.loads(out)["error"] if extra else out.removeprefix("UNKNOWN: ").removesuffix("\n")
        assert problem.format(tmp=tmp_path) in message
        assert "\n" not in message
        assert "SECRET" not in out
    assert dict(os.environ) == before


@pytest.mark.usefixtures("catalogue")
def test_a_mistake_of_ours_is_unknown_to_a_monitoring_system(capsys: pytest.CaptureFixture[str]) -> None:
    """Python would exit with the status of a warning; the traceback is beside the output."""
    wrong = replace(COMMANDS[0], function="commands:no_such_function")
    options = argparse.Namespace(conn_id="dli_default", connection=None, json=True)
    assert run_command_line(wrong, options, is_standalone=True) == 3
    out, errors = capsys.readouterr()
    assert "AttributeError, which should not happen" in json.loads(out)["error"]
    assert "Traceback" in errors


def test_a_key_that_may_not_list(dli_emulator: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing permission is named."""
    dli_emulator.add_user("visitor")
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(user="visitor", retry_budget=0))
    status, out = run("list")
    assert (status, "the permission to list the objects of this bucket" in out) == (3, True), out


def test_diff(
    catalogue: Catalogue, dli_emulator: Emulator, run: Run, run_json: Callable[..., dict[str, Any]]
) -> None:
    """Two backups, or one and the project now; different is a warning."""
    now = catalogue.now()
    old = make_backup(catalogue, now - 2 * HOUR, {100: "a", 101: "b"})
    new = make_backup(catalogue, now - HOUR, {100: "a", 102: "c"})
    document = run_json("diff", old.backup_id, "latest")
    assert (document["status"], document["counts"]) == (
        "WARNING",
        {"removed": 1, "changed": 0, "added": 1, "equal": 1},
    )
    status, out = run("diff", f"{PROJECT}/{old.backup_id}", new.backup_id)
    assert (status, [line[:5] for line in out.splitlines()[1:]]) == (1, ["- 101", "+ 102"])
    assert run("diff", "latest", new.backup_id)[0] == 0
    document = run_json("diff", old.backup_id, "now")
    assert document["counts"]["added"] == len(dli_emulator.state.jobs) - 2


def test_page(catalogue: Catalogue, run: Run, run_json: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """One file of HTML, which any encoding can have; to standard output, or into a file."""
    made = make_backup(catalogue, catalogue.now())
    status, out = run("page")
    assert (status, out.isascii(), made.backup_id in out, out.lower().startswith("<!doctype html>")) == (
        0,
        True,
        True,
        True,
    )
    # References mean nothing in scripts and styles.
    assert not [
        text for _, text in re.findall(r"(?s)<(script|style)[^>]*>(.*?)</\1>", out) if re.search(r"&#\d", text)
    ]
    file = tmp_path / "page.html"
    document = run_json("page", "--output", str(file))
    assert (document["file"], document["size"]) == (str(file), file.stat().st_size)
    assert made.backup_id in file.read_text(encoding="ascii")
    assert run("page", "--output", str(tmp_path))[1] == (
        f"UNKNOWN: --output: {tmp_path} cannot be written: Is a directory\n"
    )


def test_hold_and_release(catalogue: Catalogue, run: Run, run_json: Callable[..., dict[str, Any]]) -> None:
    """A backup is held, with the reason; then all of its holds end."""
    made = make_backup(catalogue, catalogue.now())
    assert run("hold", "latest", "--reason", "audit\x1b")[1] == f"{made.place.url} is held: audit\\x1b\n"
    assert run_json("hold", made.backup_id, "--reason", "again")["place"] == str(made.place)
    shown = run_json("show", "latest")
    assert shown["backup"]["is_held"]
    assert {each["content"]["reason"] for each in shown["records"]} == {"audit\x1b", "again"}
    assert run_json("release", "latest")["released"] == 2
    assert not run_json("show", "latest")["backup"]["is_held"]
    assert run("release", "latest") == (0, f"{made.place.url}: 0 holds ended\n")
    assert run("hold", "latest", "--reason", " ")[0] == 3
    catalogue.obs.delete(made.place.below(MANIFEST))
    status, out = run("hold", made.backup_id, "--reason", "audit")
    assert (status, "cannot be held: it is incomplete" in out) == (3, True)


def test_verify(catalogue: Catalogue, run: Run, run_json: Callable[..., dict[str, Any]]) -> None:
    """All of a catalogue, some of it, or without a record; a damaged backup is critical."""
    now = catalogue.now()
    first, second = make_backup(catalogue, now - 2 * HOUR), make_backup(catalogue, now - HOUR, project_id=OTHER)
    document = run_json("verify", first.backup_id, "--read-only")
    assert (document["verified"], document["remaining"]) == ([first.place.url], 0)
    assert run_json("show", first.backup_id)["records"] == []
    assert run_json("verify", "--project", OTHER)["verified"] == [second.place.url]
    assert [each["kind"] for each in run_json("show", second.backup_id)["records"]] == ["verification"]
    archive = "archives/batch-0001/aggregate_1.zip"
    catalogue.obs.put(first.place.below(archive), b"x" * first.objects[archive].size, "application/zip")
    status, out = run("verify", "--max-bytes", "1 KiB")
    assert (status, out.splitlines()[0].split(":")[0]) == (2, "CRITICAL")
    assert f"CRITICAL: {first.place.url}: {archive} was replaced: its ETag differs" in out
    assert run("check")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--max-bytes", "much"], "max_bytes: 'much' is not a whole number; give bytes, or"),
        (["--project", "x"], "project_ids: obs://obs-test/flink-backups has no backup of project x"),
        (["20260101"], "there is no backup '20260101'"),
    ],
)
def test_verify_nothing_by_mistake(catalogue: Catalogue, run: Run, arguments: list[str], problem: str) -> None:
    """What is misspelt is an error."""
    make_backup(catalogue, catalogue.now())
    status, out = run("verify", *arguments)
    assert (status, problem in out) == (3, True), out


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("expired", "it was deleted by an expiry at 20"),
        ("incomplete", "it has no manifest"),
        ("unreadable", "its manifest cannot be read: schema_version is None"),
    ],
)
def test_a_backup_that_is_named_and_cannot_be_read(
    catalogue: Catalogue, run: Run, run_json: Callable[..., dict[str, Any]], state: str, why: str
) -> None:
    """Is neither intact, nor empty."""
    made = make_backup(catalogue, catalogue.now() - HOUR)
    whole = make_backup(catalogue, catalogue.now())
    if state == "unreadable":
        catalogue.obs.put(made.place.below(MANIFEST), b"{}", "application/json")
    else:
        catalogue.obs.delete(made.place.below(MANIFEST))
    if state == "expired":
        catalogue.obs.put(made.place.below(EXPIRED), b"{}", "application/json")
    status, out = run("verify", made.backup_id, whole.backup_id)
    assert status == 2
    assert f"CRITICAL: {made.place.url}: {why}" in out
    for sides in ((made.backup_id, "now"), (made.backup_id, "latest"), ("latest", made.backup_id)):
        status, out = run("diff", *sides)
        assert (status, f"{made.place.url} cannot be compared: {why}" in out) == (3, True), out
    assert re.search(
        rf"^problem .*{why.rpartition(': ')[2]}", run("show", made.backup_id, "--jobs")[1], re.MULTILINE
    )
    assert "digest" not in run("show", made.backup_id, "--jobs")[1]
    assert run_json("show", made.backup_id, "--jobs")["jobs"] is None
    # Unless it is named an expired or incomplete one is not the command's concern.
    assert run("verify")[0] == (2 if state == "unreadable" else 0)


def test_it_needs_no_airflow_that_works(dli_emulator: Emulator, catalogue: Catalogue, tmp_path: Path) -> None:
    """Its home may be empty, its configuration broken and its secrets backend gone; and nothing is written."""
    make_backup(catalogue, catalogue.now() - HOUR)
    home, file = tmp_path / "home", tmp_path / "connection.json"
    (home / "airflow").mkdir(parents=True)
    (home / "airflow" / "airflow.cfg").write_text("[core\nno configuration")
    file.write_text(dli_emulator.connection(retry_budget=0, insecure_skip_verify="true"))
    environment = {
        # A locale in which Airflow cannot read its own files.
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "AIRFLOW__SECRETS__BACKEND": "gone.Backend",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://nobody@127.0.0.1:1/gone",
        "NO_PROXY": "127.0.0.1",
    }
    before = sorted(path for path in home.rglob("*"))
    command = [sys.executable, "-m", "airflow_provider_dli.backups", "check", str(catalogue.root)]
    done = subprocess.run(
        [*command, "--connection", str(file), "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "OK"), done.stderr
    # A warning is not a part of the document.
    assert "TLS CERTIFICATES ARE NOT VERIFIED" in done.stderr
    assert sorted(path for path in home.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirected", "status", "problem"),
    [
        (">&-", 3, "the report cannot be written to standard output: it is closed\n"),
        ("2>&- | true", 0, ""),
    ],
)
def test_output_that_nobody_reads(catalogue: Catalogue, redirected: str, status: int, problem: str) -> None:
    """Who stops reading changes nothing; what cannot be written has a status of its own."""
    make_backup(catalogue, catalogue.now() - HOUR)
    command = f"{sys.executable} -m airflow_provider_dli.backups check {catalogue.root} {redirected}"
    shell = ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, problem)


@pytest.mark.slow
def test_an_interrupt_has_no_traceback(dli_emulator: Emulator, catalogue: Catalogue) -> None:
    """It has its own status."""
    dli_emulator.fault("ListFlinkJobs", "slow", before=30)
    # A shell lets what it runs in the background ignore interrupts, and so did this command.
    reset = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-m", "airflow_provider_dli.backups", "preflight", str(catalogue.root)]
    with subprocess.Popen([sys.executable, "-c", reset, *command], stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while list(dli_emulator.faults) and time.monotonic() < deadline:
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert (running.returncode, errors) == (130, "interrupted\n")


def test_the_page_has_all_commands() -> None:
    """As ``python -m tests.backups.commands_page`` writes them."""
    text = PAGE.read_text(encoding="utf-8")
    assert page_with(text) == text
    assert all(command.exits.startswith("0 ") for command in COMMANDS)


@pytest.mark.skipif(not hasattr(ProvidersManager, "cli_command_functions"), reason="from Airflow 3.2 on")
def test_in_the_command_line_of_airflow(
    cli: AirflowCli, airflow_environ: dict[str, str], dli_emulator: Emulator, catalogue: Catalogue, tmp_path: Path
) -> None:
    """``airflow dli`` has the same commands, and takes connections of Airflow's database too."""
    made = make_backup(catalogue, catalogue.now())
    output, environment = tmp_path / "output", {**airflow_environ}
    environment.pop("AIRFLOW_CONN_DLI_DEFAULT", None)
    connection = dli_emulator.connection(retry_budget=0)
    for arguments in (
        ["connections", "add", "dli_stored", "--conn-json", connection],
        ["dli", "list", str(catalogue.root), "--conn-id", "dli_stored", "--json"],
    ):
        assert cli.run(arguments, environment, output) == 0, output.read_text()
    text = output.read_text()
    document = json.loads(text[text.index("{\n") :])
    assert [each["backup_id"] for each in document["backups"]] == [made.backup_id]
    arguments = ["dli", "list", str(catalogue.root), "--conn-id", "dli_missing"]
    assert cli.run(arguments, environment, output) == 3
    assert "connection 'dli_missing' does not exist" in output.read_text()
    assert cli.run(["connections", "delete", "dli_stored"], environment, output) == 0
