"""Settings: their names and values, and what each changes in the service."""

from __future__ import annotations

import io
import json
import re
import socket
import zipfile
from pathlib import Path
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

import pytest

from api_client import ApiClient, Clock
from dli_emulator import Emulator
from dli_emulator.dli.layouts import jobs_in
from dli_emulator.settings import Settings

PAGE = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
LAYOUTS = get_args(get_type_hints(Settings)["layout"])


def post(api: ApiClient, what: str, body: Any = None) -> Any:
    return api.send("POST", f"/_emulator/{what}", {"Content-Type": "application/json"}, json.dumps(body).encode())


def entries(api: ApiClient, *ids: int) -> dict[str, bytes]:
    """Export jobs; return the entries of the archive."""
    (archive,) = api.export(*ids).body["zip_file"]
    with zipfile.ZipFile(io.BytesIO(api.stored(archive))) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def test_every_setting_is_in_the_readme() -> None:
    """With its default."""
    table = PAGE.partition("| of `Settings` | default | |")[2].partition("\n\n")[0]
    listed = re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.MULTILINE)
    assert dict(listed) == {name: f"`{json.dumps(value)}`" for name, value in Settings().as_dict().items()}


def test_settings_are_changed_over_http_until_the_reset(api: ApiClient) -> None:
    """All that were sent, or none if one is wrong."""
    assert api.send("GET", "/_emulator/settings").body["layout"] == "jobs"
    reply = post(api, "settings", {"layout": "nested", "agencies": ["custom"], "step_seconds": 1})
    assert (reply.status, reply.body["layout"]) == (200, "nested")
    assert api.emulator.state.settings.agencies == ("custom",)
    refused = post(api, "settings", {"quoted_ids": True, "layout": "tar"})
    assert (refused.status, api.emulator.state.settings.quoted_ids) == (400, False)
    post(api, "reset")
    assert api.emulator.state.settings == Settings()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"nothing": 1}, "no setting is called nothing"),
        ({"quoted_ids": 1}, "must be of type bool"),
        ({"metadata_token_status": False}, "must be one of"),
        ({"step_seconds": True}, "must be a number"),
        ({"agencies": "custom"}, "must be a list of strings"),
        ([], "a JSON object is required"),
    ],
)
def test_settings_that_do_not_exist_are_refused(api: ApiClient, given: Any, expected: str) -> None:
    """With the reason."""
    reply = post(api, "settings", given)
    assert reply.status == 400
    assert expected in reply.body["error"]


def test_settings_of_jobs_are_filled_in(api: ApiClient) -> None:
    """In detail, list and archive; what was set stays."""
    api.emulator.state.jobs[100].job_config |= {"tm_cus": 3}
    api.emulator.state.jobs[101].job_config |= {"checkpoint_path": "obs-test/"}
    assert api.show(100).body["job_detail"]["job_config"]["resource_config"] is None
    api.emulator.state.settings.fills_in_settings = True
    config = api.show(100).body["job_detail"]["job_config"]
    assert (config["checkpoint_interval"], config["tm_cus"], config["tm_slot_num"]) == (30, 3, 1)
    other = api.show(101).body["job_detail"]["job_config"]
    assert (config["checkpoint_path"], other["checkpoint_path"]) == (None, "obs-test/jobs/checkpoint/101")
    assert config["resource_config"]["taskmanager_resource_spec"] == {"cpu": 1.0, "memory": "4G"}
    listed = api.jobs(show_detail=True, order="asc", limit=1).body["job_list"]["jobs"][0]
    assert listed["job_config"] == config
    assert json.loads(entries(api, 100)["100.json"])["job_config"] == config


def test_a_directory_for_checkpoints_is_filled_in(api: ApiClient) -> None:
    """It has the job's own id, also after an import under another one."""
    body = {"name": "kept", "checkpoint_enabled": True, "obs_bucket": "obs-test"}
    made = api.flink("POST", "sql-jobs", body).body["job"]["job_id"]
    assert api.show(made).body["job_detail"]["job_config"]["checkpoint_path"] == f"obs-test/jobs/checkpoint/{made}"
    (archive,) = api.export(made).body["zip_file"]
    api.flink("DELETE", f"jobs/{made}")
    (mapped,) = api.flink("POST", "jobs/import", {"zip_file": archive}).body["job_mapping"]
    other = mapped["new_job_id"]
    assert other != made
    assert (
        api.show(other).body["job_detail"]["job_config"]["checkpoint_path"] == f"obs-test/jobs/checkpoint/{other}"
    )


@pytest.mark.parametrize("agencies", [[], ["dis_admin_agency"]])
def test_without_an_agency_nothing_goes_to_obs_or_comes_from_it(api: ApiClient, agencies: list[str]) -> None:
    """DLI.10001 with the service's words beside; one project may have one where another has none."""
    (archive,) = api.export(100).body["zip_file"]
    api.emulator.state.settings.change({"agencies": agencies})
    for reply in (api.export(100), api.flink("POST", "jobs/import", {"zip_file": archive})):
        assert reply.error == (400, "DLI.10001")
        assert "NoSuchElementException" in reply.body["error_json_opt"]["error"]
    assert len(api.stored_keys()) == 1
    api.emulator.state.projects[api.emulator.project_id].agencies = ("dli_management_agency",)
    assert api.export(100).status == 200


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_can_be_imported_again(api: ApiClient, layout: str) -> None:
    """Every job of it, with all that it had."""
    api.emulator.state.settings.change({"layout": layout})
    api.emulator.state.jobs[100].job_config |= {"runtime_config": '{"a": "b\\\\c"}', "edge_group_ids": ["x"]}
    api.emulator.state.jobs[100].sql_body = "select '\U0001f600\\n' -- \r\n# = :\n"
    before = {job["job_id"]: job for job in api.jobs(show_detail=True, limit=100).body["job_list"]["jobs"]}
    (archive,) = api.export().body["zip_file"]
    assert len(jobs_in(api.stored(archive))) == 26
    api.emulator.state.jobs.clear()
    mapping = api.flink("POST", "jobs/import", {"zip_file": archive}).body["job_mapping"]
    for each in mapping:
        old, new = before[each["old_job_id"]], api.show(each["new_job_id"]).body["job_detail"]
        names = ("name", "job_type", "desc", "sql_body", "queue_name", "run_mode", "main_class", "job_config")
        assert [new[name] for name in names] == [old[name] for name in names]
    assert len(mapping) == 26


def test_the_entries_of_each_layout(api: ApiClient) -> None:
    """Their names, and for GBK their bytes."""
    job = api.emulator.state.add_job(name="订单", job_id=900)
    expected: dict[str, Any] = {
        "jobs": {"900.json"},
        "one_json": {"jobs.json"},
        "properties": {"900.properties"},
        "nested": {"900.zip"},
        "gbk": {"订单_900.json".encode("gbk").decode("cp437")},
    }
    for layout, names in expected.items():
        api.emulator.state.settings.layout = layout  # type: ignore[assignment]
        assert set(entries(api, job.job_id)) == names
    assert set(expected) == set(LAYOUTS)


@pytest.mark.parametrize("status", [404, 405, 503])
def test_a_metadata_service_without_session_tokens(api: ApiClient, status: int) -> None:
    """The request for one fails; the key comes without."""
    api.emulator.state.settings.change({"metadata_token_status": status})
    headers = {"X-Metadata-Token-Ttl-Seconds": "60"}
    assert api.send("PUT", "/meta-data/latest/api/token", headers).status == status
    assert api.send("GET", "/openstack/latest/securitykey").body["credential"]["access"]


def test_an_ecs_without_an_agency(made: Any, clock: Clock) -> None:
    """401, with the words that the official clients recognise."""
    ours = made(clock=clock, settings=Settings(has_ecs_agency=False))
    session = ours.send("PUT", "/meta-data/latest/api/token", {"X-Metadata-Token-Ttl-Seconds": "60"}).content
    reply = ours.send("GET", "/openstack/latest/securitykey", {"X-Metadata-Token": session.decode()})
    assert reply.status == 401
    assert b"Please configure Cloud Service Agency first" in reply.content


def test_nobody_listens_nowhere(dli_emulator: Emulator) -> None:
    """A connection is refused at once."""
    place = urlsplit(dli_emulator.nowhere)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.hostname or "", place.port or 0), timeout=60)
