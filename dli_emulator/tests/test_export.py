"""The export: what it refuses, what it answers, and what really lies in the store then."""

from __future__ import annotations

import io
import json
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api_client import ApiClient, Clock
from dli_emulator.bucket import s3_client
from dli_emulator.state import Settings


def archive(api: ApiClient, entry: str) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(api.stored(entry))) as opened:
        assert opened.testzip() is None
        return {name: json.loads(opened.read(name)) for name in opened.namelist()}


@pytest.mark.slow
def test_selected_jobs_lie_in_the_store(each_store: ApiClient) -> None:
    """One archive in the requested directory, named as DLI names it, with just these jobs as they are shown."""
    reply = each_store.export(100, 103, obs_dir=f"{each_store.emulator.bucket}/nightly/2026-01-15")
    assert reply.status == 200
    assert reply.body["is_success"] == "true"
    assert reply.body["message"] == "The job is successfully exported."
    (entry,) = reply.body["zip_file"]
    assert re.fullmatch(r"obs-test/nightly/2026-01-15/aggregate_\d{13}\.zip", entry)
    jobs = archive(each_store, entry)
    assert set(jobs) == {"100.json", "103.json"}
    assert jobs["103.json"] == each_store.show(103).body["job_detail"]


@pytest.mark.slow
def test_all_jobs_when_none_is_selected(each_store: ApiClient) -> None:
    """The whole project; ids that were given beside are passed over. A bucket alone will do as obs_dir."""
    body = {"obs_dir": each_store.emulator.bucket, "is_selected": False, "job_selected": [1]}
    (entry,) = each_store.export_body(body).body["zip_file"]
    assert len(archive(each_store, entry)) == 26
    assert each_store.stored_keys() == [entry.removeprefix("obs-test/")]


@pytest.mark.slow
def test_one_key_opens_both_dli_and_the_store(each_store: ApiClient) -> None:
    """And a wrong secret opens neither."""
    emulator = each_store.emulator
    assert each_store.jobs().status == 200
    assert each_store.stored_keys() == []
    for key in ((emulator.access_key, "wrong"), ("UNKNOWN", emulator.secret_key)):
        client = s3_client(emulator.obs, *key, proxies={})
        with pytest.raises(client.exceptions.ClientError, match=r"40[13]|AccessDenied|InvalidAccess|Signature"):
            client.list_objects_v2(Bucket=emulator.bucket)
        client.close()
        assert each_store.request("GET", f"/v1.0/{emulator.project_id}/streaming/jobs", key=key).status == 401


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        ([], "DLI.0001", "JSON object"),
        ({}, "DLI.0001", "obs_dir"),
        ({"obs_dir": 1}, "DLI.0001", "obs_dir"),
        ({"obs_dir": ""}, "DLI.29001", "parse"),
        ({"obs_dir": "obs://obs-test"}, "DLI.29001", "obs://obs-test"),
        ({"obs_dir": "/obs-test"}, "DLI.29001", "parse"),
        ({"obs_dir": "obs-test/"}, "DLI.29001", "parse"),
        ({"obs_dir": "obs-test//a"}, "DLI.29001", "parse"),
        ({"obs_dir": "Bucket_X"}, "DLI.29001", "parse"),
        ({"obs_dir": "no-such-bucket/a", "is_selected": False}, "DLI.29001", "no-such-bucket"),
        ({"obs_dir": "obs-test"}, "DLI.0001", "is_selected"),
        ({"obs_dir": "obs-test", "is_selected": "true"}, "DLI.0001", "is_selected"),
        ({"obs_dir": "obs-test", "is_selected": True}, "DLI.0001", "job_selected"),
        ({"obs_dir": "obs-test", "is_selected": True, "job_selected": []}, "DLI.0001", "job_selected"),
        ({"obs_dir": "obs-test", "is_selected": True, "job_selected": "100"}, "DLI.0001", "job_selected"),
        ({"obs_dir": "obs-test", "is_selected": True, "job_selected": ["100"]}, "DLI.0001", "job_selected"),
        ({"obs_dir": "obs-test", "is_selected": True, "job_selected": [True]}, "DLI.0001", "job_selected"),
        ({"obs_dir": "obs-test", "is_selected": True, "job_selected": [100, 7, 8]}, "DLI.16001", "7, 8"),
    ],
)
def test_bad_bodies_are_refused_and_nothing_is_written(
    api: ApiClient, body: Any, code: str, expected: str
) -> None:
    """HTTP 400, the code, and what is wrong."""
    reply = api.export_body(body)
    assert reply.error == (400, code)
    assert expected in reply.body["error_msg"]
    assert api.stored_keys() == []
    assert not api.emulator.requests[-1].acted


def test_a_body_that_is_not_json_is_refused(api: ApiClient) -> None:
    """Bytes of any kind."""
    path = f"/v1.0/{api.emulator.project_id}/streaming/jobs/export"
    token = api.emulator.state.keys.issue_token(next(iter(api.emulator.state.keys.users.values())))
    assert api.send("POST", path, {"X-Auth-Token": token.value}, b"\xff{").error == (400, "DLI.0001")


def test_exports_at_the_same_moment_do_not_collide(made: Any, clock: Clock) -> None:
    """Twelve at once while the clock stands still: twelve archives."""
    ours = made(clock=clock)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: ours.export(100), range(12)))
    entries = {reply.body["zip_file"][0] for reply in answers}
    assert len(entries) == 12
    assert {f"{ours.emulator.bucket}/{key}" for key in ours.stored_keys()} == entries


def test_a_job_given_twice_is_exported_once(api: ApiClient) -> None:
    """The archive names each job once."""
    (entry,) = api.export(100, 100).body["zip_file"]
    assert list(archive(api, entry)) == ["100.json"]


@pytest.mark.slow
def test_a_project_without_jobs_gives_no_archive(made: Any) -> None:
    """The emulator's own choice, since the manual is silent."""
    empty = made(jobs=0)
    assert empty.export().body["zip_file"] == []
    assert empty.stored_keys() == []


def test_the_other_editions_of_the_manual(made: Any) -> None:
    """Booleans for ``is_success``, the names of 2020, and a lenient obs_dir, each by its setting."""
    ours = made(settings=Settings(boolean_is_success=True, names_2020=True, lenient_obs_dir=True))
    reply = ours.export(100, obs_dir=f"obs://{ours.emulator.bucket}/a/").body
    assert reply["is_success"] is True
    assert reply["zip_files"][0].startswith(f"{ours.emulator.bucket}/a/aggregate_")
    ours.emulator.fault("ExportFlinkJobs", "is_success_false")
    assert ours.export(100).body["is_success"] is False
    ours.emulator.state.settings.boolean_is_success = False
    assert ours.jobs().body["is_success"] == "true"
    ours.emulator.reset()
    assert ours.jobs().body["is_success"] is True
