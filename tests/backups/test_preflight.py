"""The check of the set-up: each thing that may be wrong is found, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.backups.cli import main
from airflow_provider_dli.backups.preflight import properties
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.hooks.obs import ObsHook
from dli_emulator import Emulator

Checks = dict[str, tuple[str, str]]
Preflight = Callable[..., tuple[int, Checks]]
ALLOWED = [
    "dli:jobs:list",
    "dli:jobs:listAll",
    "dli:jobs:get",
    "obs:bucket:ListBucket",
    "obs:bucket:HeadBucket",
    "obs:object:GetObject",
    "obs:object:PutObject",
]


@pytest.fixture
def preflight(
    dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Preflight:
    """Return a function that runs it, and returns the exit status and of each check status and message."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))

    def run(*arguments: str, backup_dir: str = f"{dli_emulator.bucket}/flink-backups") -> tuple[int, Checks]:
        capsys.readouterr()
        status = main(["preflight", backup_dir, *arguments])
        lines = capsys.readouterr().out.splitlines()
        assert main(["preflight", backup_dir, *arguments, "--json"]) == status
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        checks = {check["name"]: (check["status"], check["message"]) for check in document["checks"]}
        assert len(lines) == len(checks) + 1
        assert [line.split(": ")[:2] for line in lines[1:]] == [
            [found, name] for name, (found, _) in checks.items()
        ]
        assert lines[0].startswith(f"{document['status']}: ")
        return status, checks

    return run


def statuses(checks: Checks) -> dict[str, str]:
    """Return the status of each check."""
    return {name: status for name, (status, _) in checks.items()}


def test_a_set_up_that_works(dli_emulator: Emulator, preflight: Preflight) -> None:
    """But for what only an export shows, and versions, which nobody has switched on."""
    status, checks = preflight()
    assert (status, statuses(checks)) == (
        1,
        {
            "connection": "OK",
            "list_jobs": "OK",
            "get_job": "OK",
            "list_bucket": "OK",
            "write": "OK",
            "read": "OK",
            "delete": "OK",
            # The emulator's store has none.
            "region": "UNKNOWN",
            "versions": "WARNING",
            "lifecycle": "OK",
            "clock_dli": "OK",
            "clock_obs": "OK",
            "export": "UNKNOWN",
        },
    ), checks
    assert list(ObsHook().list_tree(ObsLocation(dli_emulator.bucket))) == []


def test_all_is_well(
    emulator_on: Callable[[str], Emulator], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an export of one job, a bucket that has a region and versions, and another project for drills."""
    emulator = emulator_on("moto")
    emulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0))
    project = emulator.state.add_project("cn-north-4_scratch")
    monkeypatch.setenv("AIRFLOW_CONN_DLI_SCRATCH", emulator.connection(project_id=project.project_id))
    client = ObsHook().get_conn()
    bucket = f"{emulator.bucket}-all"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "cn-north-4"})  # type: ignore[typeddict-item]  # a region of OBS
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    arguments = ["preflight", bucket, "--export", "--scratch-conn-id", "dli_scratch"]
    assert main(arguments) == 0, capsys.readouterr().out
    assert list(ObsHook().list_tree(ObsLocation(bucket))) == []
    capsys.readouterr()
    monkeypatch.setenv("AIRFLOW_CONN_DLI_SCRATCH", emulator.connection(region="cn-east-3"))
    assert main([*arguments, "--json"]) == 2
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert {name for name, check in checks.items() if check["status"] != "OK"} == {"scratch"}
    assert "a drill would import into it" in checks["scratch"]["message"]
    monkeypatch.setenv(
        "AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(region="cn-east-3", project_id=emulator.project_id)
    )
    assert main(["preflight", bucket]) == 1
    assert (
        f"WARNING: region: bucket {bucket} is in cn-north-4, the project in cn-east-3" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"Expiration": {"Days": 30}}, ("CRITICAL", "deletes backups after 30 days")),
        ({"Expiration": {"Date": "2027-01-01T00:00:00Z"}}, ("CRITICAL", "deletes backups on 2027-01-01")),
        ({"Expiration": {"Days": 30}, "Filter": {"Prefix": "flink"}}, ("CRITICAL", "prefix 'flink'")),
        (
            {"Expiration": {"Days": 30}, "Filter": {"Prefix": "flink-backups/0000"}},
            ("CRITICAL", "deletes backups"),
        ),
        (
            {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]},
            ("WARNING", "moves backups into an archive tier"),
        ),
        ({"Expiration": {"Days": 30}, "Filter": {"Prefix": "other/"}}, ("OK", "no lifecycle rule")),
        ({"Expiration": {"Days": 30}, "Status": "Disabled"}, ("OK", "no lifecycle rule")),
        ({"Expiration": {"Days": 30}, "Filter": {"Tag": {"Key": "a", "Value": "b"}}}, ("OK", "no lifecycle rule")),
        ({"Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]}, ("OK", "no lifecycle rule")),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 3}}, ("OK", "no lifecycle rule")),
    ],
)
def test_lifecycle_rules(
    emulator_on: Callable[[str], Emulator],
    monkeypatch: pytest.MonkeyPatch,
    rule: dict[str, Any],
    found: tuple[str, str],
) -> None:
    """A rule that deletes or archives what is in the directory is found, and no other."""
    emulator = emulator_on("moto")
    emulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0))
    client = ObsHook().get_conn()
    given: Any = {"Rules": [{"ID": "rule", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}]}
    client.put_bucket_lifecycle_configuration(Bucket=emulator.bucket, LifecycleConfiguration=given)
    checks = list(properties(client, ObsLocation(emulator.bucket, "flink-backups"), "cn-north-4"))
    (check,) = [each for each in checks if each.name == "lifecycle"]
    assert (check.status.name, found[1] in check.message) == (found[0], True), check


def test_a_bucket_that_is_not_there(preflight: Preflight) -> None:
    """Nothing is written, and no property of it is checked."""
    status, checks = preflight(backup_dir="no-such-bucket/x")
    assert (status, checks["list_bucket"][0]) == (2, "CRITICAL")
    assert "there is no bucket 'no-such-bucket'" in checks["list_bucket"][1]
    assert not {"write", "read", "delete", "region", "versions", "lifecycle"} & checks.keys()


def test_a_connection_that_is_not_usable(preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is all that is checked."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps({"conn_type": "dli", "login": "AK"}))
    status, checks = preflight()
    assert (status, statuses(checks)) == (2, {"connection": "CRITICAL"})
    assert "region" in checks["connection"][1]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ([], {}),
        (["dli:jobs:get"], {"get_job": ("CRITICAL", "dli:jobs:get")}),
        (["dli:jobs:list", "dli:jobs:listAll", "dli:jobs:get"], {"list_jobs": ("CRITICAL", "dli:jobs:list")}),
        (["dli:jobs:listAll", "dli:jobs:list"], {"list_jobs": ("WARNING", "no Flink job is visible")}),
        (["obs:bucket:ListBucket"], {"list_bucket": ("CRITICAL", "the permission to list the objects")}),
        (["obs:object:PutObject"], {"write": ("CRITICAL", "the permission to write to this bucket")}),
        (["obs:object:GetObject"], {"read": ("CRITICAL", "the permission to read this bucket and its objects")}),
    ],
)
def test_missing_permissions(
    dli_emulator: Emulator,
    preflight: Preflight,
    monkeypatch: pytest.MonkeyPatch,
    missing: list[str],
    expected: dict[str, tuple[str, str]],
) -> None:
    """Are named where a backup needs them; what only shows more is not known without."""
    actions = [action for action in ALLOWED if action not in missing]
    dli_emulator.add_user("visitor", {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": actions}]})
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(user="visitor", retry_budget=0))
    status, checks = preflight()
    for name, (found, text) in expected.items():
        assert (checks[name][0], text in checks[name][1]) == (found, True), checks[name]
    others = {name: found for name, found in statuses(checks).items() if found != "OK" and name not in expected}
    # Nothing needs it but an expiry: the object stays.
    assert others.pop("delete", "WARNING") == "WARNING"
    assert set(others.values()) <= {"UNKNOWN"}
    if "region" in checks:
        assert checks["versions"][1].endswith("It needs obs:bucket:GetBucketVersioning.")
    worst = [found for found, _ in expected.values()]
    assert status == (2 if "CRITICAL" in worst else 1)


def test_dli_without_its_agency(dli_emulator: Emulator, preflight: Preflight) -> None:
    """Is found by an export, and by nothing else."""
    dli_emulator.fault("ExportFlinkJobs", "no_agency", times=None)
    assert preflight()[1]["export"][0] == "UNKNOWN"
    status, checks = preflight("--export")
    assert (status, checks["export"][0]) == (2, "CRITICAL")
    assert "agency" in checks["export"][1]


def test_clocks(dli_emulator: Emulator, preflight: Preflight) -> None:
    """That differ by more than a minute are warned of."""
    dli_emulator.fault("ShowFlinkJob", "skewed_clock", times=None, seconds=90)
    status, checks = preflight()
    assert (status, checks["clock_dli"][0], checks["clock_obs"][0]) == (1, "WARNING", "OK")
    assert "1 min 30 s ahead of this machine's" in checks["clock_dli"][1]
