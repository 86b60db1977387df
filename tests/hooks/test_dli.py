"""DliHook on an Airflow connection; requests-mock is the service."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import requests_mock
from airflow.providers_manager import ProvidersManager

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.errors import NotSentError, RefusedError, ResponseLostError, UnavailableError
from airflow_provider_dli.compat import AirflowFailException
from airflow_provider_dli.connection_form import EXTRAS
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from tests.connections import needs_installation

JOBS = "https://dli.test/v1.0/48cc2c48765f481480c7db940d6409d1/streaming/jobs"
ARCHIVE = "obs-test/aggregate_1582677879475.zip"
EXPORTED = {"is_success": "true", "message": "", "zip_file": [ARCHIVE]}


def job(job_id: int) -> dict[str, Any]:
    return {"job_id": job_id, "name": f"job-{job_id}", "job_type": "flink_sql_job", "status": "job_init"}


@pytest.fixture
def service(connect: Any) -> Any:
    connect()
    with requests_mock.Mocker() as mocker:
        yield mocker


def test_export_selected(service: Any) -> None:
    """The request is the manual's, signed; the result is the archive."""
    service.post(f"{JOBS}/export", json=EXPORTED)
    result = DliHook().export_flink_jobs("obs://obs-test/", [100, 101])
    assert result == flink.ExportResult((ARCHIVE,), "")
    (sent,) = service.request_history
    assert sent.json() == {"obs_dir": "obs-test", "is_selected": True, "job_selected": [100, 101]}
    assert sent.headers["Authorization"].startswith("SDK-HMAC-SHA256 Access=AK, ")
    assert sent.headers["X-Project-Id"] == "48cc2c48765f481480c7db940d6409d1"
    assert "X-Security-Token" not in sent.headers


def test_export_all_with_a_temporary_key(service: Any, connect: Any) -> None:
    """The token of a temporary key is sent and signed."""
    connect(security_token="the-token")
    service.post(f"{JOBS}/export", json=EXPORTED)
    DliHook().export_flink_jobs("obs-test")
    (sent,) = service.request_history
    assert sent.json() == {"obs_dir": "obs-test", "is_selected": False}
    assert sent.headers["X-Security-Token"] == "the-token"
    assert "x-security-token" in sent.headers["Authorization"]


def test_list_walks_all_pages_lazily(service: Any) -> None:
    """Pages of 100 are requested while the jobs are iterated, with the filters."""

    def page(request: Any, _context: Any) -> dict[str, Any]:
        offset = int(request.qs["offset"][0])
        jobs = [job(i) for i in range(250, 0, -1)][offset : offset + 100]
        return {"is_success": "true", "message": "", "job_list": {"total_count": 250, "jobs": jobs}}

    service.get(JOBS, json=page)
    jobs = DliHook().list_flink_jobs(status="job_running", tags="a=1", show_detail=True)
    assert next(jobs).job_id == 250
    assert service.call_count == 1
    assert [each.job_id for each in jobs] == list(range(249, 0, -1))
    assert service.call_count == 3
    assert service.request_history[0].qs == {
        "limit": ["100"], "offset": ["0"], "order": ["asc"], "show_detail": ["true"],
        "status": ["job_running"], "tags": ["a=1"],
    }  # fmt: skip


def test_get_flink_job(service: Any) -> None:
    """A job by its id; a missing one is DLI's own 400."""
    service.get(f"{JOBS}/146", json={"is_success": "true", "job_detail": job(146)})
    assert DliHook().get_flink_job(146).name == "job-146"
    refusal = {"error_code": "DLI.16001", "error_msg": "The job does not exist."}
    service.get(f"{JOBS}/147", json=refusal, status_code=400, headers={"X-Request-Id": "r-1"})
    with pytest.raises(DliFailException, match=r"DLI\.16001: The job does not exist\..*r-1") as caught:
        DliHook().get_flink_job(147)
    assert isinstance(caught.value, AirflowFailException)
    assert isinstance(caught.value.error, RefusedError)
    assert caught.value.error.code == "DLI.16001"


@pytest.mark.parametrize(
    ("answer", "kind", "cause"),
    [
        ({"exc": requests.exceptions.ConnectTimeout("no")}, DliException, NotSentError),
        ({"exc": requests.exceptions.ReadTimeout("slow")}, DliException, ResponseLostError),
        ({"status_code": 502, "text": "<html><h1>Bad Gateway</h1></html>"}, DliException, UnavailableError),
        ({"json": {"is_success": "false", "message": "no agency"}}, DliFailException, RefusedError),
    ],
)
def test_a_retry_is_spent_only_where_it_can_help(
    answer: dict[str, Any], kind: type[DliException], cause: type[Exception], service: Any
) -> None:
    """What may pass is a DliException, what will not is also an AirflowFailException."""
    service.post(f"{JOBS}/export", **answer)
    with pytest.raises(DliException) as caught:
        DliHook().export_flink_jobs("obs-test")
    assert type(caught.value) is kind
    assert type(caught.value.error) is cause
    assert service.call_count == 1


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"region": None}, "region"),
        ({"auth_type": "magic"}, "auth_type"),
        ({"endpoint": "dli.test"}, "endpoint"),
        ({"proxies": "x"}, "extra proxies"),
        ({"login": ""}, "login"),
    ],
)
def test_a_bad_connection_is_refused_by_field_before_anything_is_sent(
    fields: dict[str, Any], named: str, service: Any, connect: Any
) -> None:
    """And by the connection's id."""
    connect(**fields)
    with pytest.raises(DliFailException, match=f"^connection 'dli_default': {named}: "):
        DliHook().export_flink_jobs("obs-test")
    assert not service.called


def test_bad_parameters_name_no_connection(service: Any) -> None:
    """They are the author's, not the connection's."""
    with pytest.raises(DliFailException, match=r"^job_ids: "):
        DliHook().export_flink_jobs("obs-test", [])
    with pytest.raises(DliFailException, match=r"^job_id: "):
        DliHook().get_flink_job(-1)
    assert not service.called


def test_making_a_hook_reads_no_connection() -> None:
    """Only the first use does."""
    assert DliHook("no_such_connection").dli_conn_id == "no_such_connection"


def test_the_connection_test_shows_what_it_found(service: Any, connect: Any) -> None:
    """In one line, for success and failure, and never by raising."""
    body = {"is_success": "true", "message": "", "job_list": {"total_count": 26, "jobs": [job(1)]}}
    service.get(JOBS, json=body)
    works, message = DliHook().test_connection()
    assert works
    assert message == (
        "Authenticated as access key AK, project 48cc2c48765f481480c7db940d6409d1 in cn-north-4: "
        "26 Flink jobs visible (without dli:jobs:listAll only the user's own). Not tested: a bucket, for the "
        "connection names none; the permission to export, and DLI's agency, which writes the archives."
    )
    connect(region="")
    works, message = DliHook().test_connection()
    assert not works
    assert message.startswith("connection 'dli_default': region: ")


def test_connections_are_kept_alive(service: Any) -> None:
    """One hook, one session."""
    service.post(f"{JOBS}/export", json=EXPORTED)
    hook = DliHook()
    assert isinstance(hook.get_conn(), requests.Session)
    assert hook.get_conn() is hook.get_conn()


def form() -> tuple[list[str], set[str]]:
    """Return the extras that Airflow's form of a connection has, and the fields that it hides."""
    try:
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService  # noqa: PLC0415 -- new in Airflow 3
    except ImportError:  # Airflow 2
        untyped: Any = ProvidersManager
        metadata = untyped()
        metadata.initialize_providers_hooks()
        start = "extra__dli__"
        extras = [name.removeprefix(start) for name in metadata.connection_form_widgets if name.startswith(start)]
        return extras, set(metadata.field_behaviours["dli"]["hidden_fields"])
    (found,) = (each for each in HookMetaService.hook_meta_data() if each.connection_type == "dli")
    if found.standard_fields is None:
        pytest.skip("Airflow 3.0 needs Flask AppBuilder for the form of any provider")
    fields = found.standard_fields.model_dump()
    return list(found.extra_fields or ()), {name for name, field in fields.items() if field and field["hidden"]}


@needs_installation
def test_airflow_gets_the_form() -> None:
    """Before 3.2 Airflow reads the hook class, later the provider info: both from one list."""
    extras, hidden = form()
    assert extras == list(EXTRAS)
    assert {"host", "port"} <= hidden
    assert DliHook.get_ui_field_behaviour()["hidden_fields"] == ["host", "schema", "port", "extra"]
    assert DliHook.conn_type == "dli"
    assert DliHook.default_conn_name == "dli_default"
