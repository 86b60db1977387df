"""The official client, unchanged, against the emulator."""

from __future__ import annotations

import pytest
from huaweicloudsdkcore.auth.credentials import (  # type: ignore[import-untyped]  # it has no types
    BasicCredentials,
)
from huaweicloudsdkcore.exceptions.exceptions import (  # type: ignore[import-untyped]  # likewise
    ClientRequestException,
)
from huaweicloudsdkcore.region.region import Region  # type: ignore[import-untyped]  # likewise
from huaweicloudsdkdli.v1 import (  # type: ignore[import-untyped]  # likewise
    DliClient,
    ExportFlinkJobsRequest,
    ExportFlinkJobsRequestBody,
    ListFlinkJobsRequest,
    ShowFlinkJobRequest,
)

from api_client import ApiClient
from official_sdk import sdk_client


def test_it_lists_and_shows(api: ApiClient) -> None:
    """Its models take what it gets; unicode, booleans and commas in the query survive its signature."""
    ours = sdk_client(api.emulator)
    listed = ours.list_flink_jobs(ListFlinkJobsRequest(limit=5, show_detail=True, tags="team=risk,tier=gold"))
    assert listed.is_success == "true"
    assert [job.job_id for job in listed.job_list.jobs] == [120, 108]
    named = ours.list_flink_jobs(ListFlinkJobsRequest(name="订单实时汇总_03")).job_list
    assert (named.total_count, named.jobs[0].name) == (1, "订单实时汇总_03")
    shown = ours.show_flink_job(ShowFlinkJobRequest(job_id=104)).job_detail
    assert (shown.job_id, shown.job_config.flink_version) == (104, "1.15")


@pytest.mark.slow
def test_it_exports(each_store: ApiClient) -> None:
    """The archive of the response is in the store."""
    emulator = each_store.emulator
    body = ExportFlinkJobsRequestBody(obs_dir=emulator.bucket, is_selected=True, job_selected=[100])
    exported = sdk_client(emulator).export_flink_jobs(ExportFlinkJobsRequest(body=body))
    bucket, key = exported.zip_file[0].split("/", 1)
    assert emulator.s3.head_object(Bucket=bucket, Key=key)["ContentLength"] > 100


def test_it_is_refused_with_a_wrong_secret(api: ApiClient) -> None:
    """With code, text and request id where it expects them."""
    with pytest.raises(ClientRequestException) as caught:
        sdk_client(api.emulator, "wrong").list_flink_jobs(ListFlinkJobsRequest())
    error = caught.value
    assert (error.status_code, error.error_code) == (401, "APIGW.0301")
    assert "verify aksk signature fail" in error.error_msg
    assert error.request_id == api.emulator.requests[-1].request_id


def test_it_reads_the_services_own_refusals(api: ApiClient) -> None:
    """A missing job."""
    with pytest.raises(ClientRequestException) as caught:
        sdk_client(api.emulator).show_flink_job(ShowFlinkJobRequest(job_id=1))
    assert (caught.value.status_code, caught.value.error_code) == (400, "DLI.16001")


def test_it_finds_its_project(api: ApiClient) -> None:
    """Without a project id it requests the one with the region's name from IAM."""
    credentials = BasicCredentials(api.emulator.access_key, api.emulator.secret_key)
    credentials = credentials.with_iam_endpoint(api.emulator.iam)
    region = Region(api.emulator.region, api.emulator.dli)
    ours = DliClient.new_builder().with_credentials(credentials).with_region(region).build()
    assert ours.list_flink_jobs(ListFlinkJobsRequest(limit=1)).job_list.total_count == 26
    assert api.emulator.requests[0].operation == "KeystoneListProjects"
