"""Operations that the manual calls deprecated, or that newer ones have superseded.

They work where the service still has them; each warns with a ``DeprecationWarning`` that says what to use.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.flink.values import JOBS, Done, checked_job_ids, id_of, object_of, objects_of
from airflow_provider_dli.client.locations import parse_directory

_AGENCY = "/v2/{project_id}/agency"
_INSTEAD_OF_METRICS = "use the metrics that Cloud Eye keeps of DLI"
_INSTEAD_OF_AGENCY = "give DLI an agency with rights on OBS in IAM, such as dli_management_agency"


@dataclass(frozen=True, slots=True)
class Throughput:
    """What has gone through a source or sink.

    :param name: of the source or sink
    :param records: how many
    :param corrupted_records: how many were not usable
    """

    name: str
    records: int
    corrupted_records: int


@dataclass(frozen=True, slots=True)
class JobMetrics:
    """The metrics of a job.

    :param job_id: its id
    :param total_read_rate: records a second
    :param total_write_rate: records a second
    :param sources: each source
    :param sinks: each sink
    """

    job_id: int
    total_read_rate: float
    total_write_rate: float
    sources: tuple[Throughput, ...]
    sinks: tuple[Throughput, ...]


@dataclass(frozen=True, slots=True)
class Agency:
    """The agency that DLI acts under.

    :param version: ``v1`` or ``v2``
    :param current_roles: what it may do, such as ``obs_adm``
    """

    version: str
    current_roles: tuple[str, ...]


def show_metrics(job_ids: Iterable[int]) -> Call[tuple[JobMetrics, ...]]:
    """Show metrics of Flink jobs (dli_02_0238).

    .. deprecated:: 0.1
       The manual calls the operation deprecated; use the metrics that Cloud Eye keeps of DLI.

    :param job_ids: ids of the jobs
    :raises ConfigurationError: if there is no id, or one is none
    """
    _warn("ShowFlinkMetric", _INSTEAD_OF_METRICS)
    ids = checked_job_ids("job_ids", job_ids)
    return Call(
        "ShowFlinkMetric",
        "POST",
        f"{JOBS}/metrics",
        lambda body: _metrics(body, ids),
        body={"job_ids": ids},
        repeatable=True,
    )


def register_bucket(obs_buckets: Iterable[str]) -> Call[Done]:
    """Let DLI use buckets (dli_02_0225).

    .. deprecated:: 0.1
       The manual calls the operation deprecated; give DLI an agency with rights on OBS.

    :param obs_buckets: names of the buckets
    :raises ConfigurationError: if there is none, or one cannot be a bucket
    """
    _warn("RegisterBucket", _INSTEAD_OF_AGENCY)
    buckets = [parse_directory("obs_buckets", bucket).bucket for bucket in obs_buckets]
    if not buckets:
        raise ConfigurationError("obs_buckets", "names no bucket", "name at least one")
    path = "/v1.0/{project_id}/dli/obs-authorize"
    return Call("RegisterBucket", "POST", path, Done.read, body={"obs_buckets": buckets})


def create_agency(roles: Iterable[str]) -> Call[Done]:
    """Let DLI act under an agency with these roles (``CreateDliAgency``).

    .. deprecated:: 0.1
       Superseded by agencies that are made in IAM.

    :param roles: such as ``obs_adm`` or ``smn_adm``
    :raises ConfigurationError: if there is none
    """
    _warn("CreateDliAgency", _INSTEAD_OF_AGENCY)
    names = list(roles)
    if not names or not all(names):
        raise ConfigurationError("roles", f"{names!r} is no list of roles", "give at least one, such as 'obs_adm'")
    return Call("CreateDliAgency", "POST", _AGENCY, Done.read, body={"roles": names}, repeatable=True)


def show_agency() -> Call[Agency]:
    """Show the agency that DLI acts under (``ShowDliAgency``).

    .. deprecated:: 0.1
       Superseded by agencies that are made in IAM.
    """
    _warn("ShowDliAgency", _INSTEAD_OF_AGENCY)
    return Call("ShowDliAgency", "GET", _AGENCY, _agency, repeatable=True)


def _warn(operation: str, instead: str) -> None:
    warnings.warn(f"{operation} is deprecated; {instead}.", DeprecationWarning, stacklevel=3)


def _agency(body: Mapping[str, Any]) -> Agency:
    return Agency(str(body["version"]), tuple(str(role) for role in body.get("current_roles") or []))


def _metrics(body: Mapping[str, Any], job_ids: list[int]) -> tuple[JobMetrics, ...]:
    found = tuple(_job_metrics(each) for each in objects_of(object_of(body, "metrics"), "jobs"))
    if strange := [each.job_id for each in found if each.job_id not in job_ids]:
        raise ValueError(f"it is about job_id {strange[0]}, which was not requested")
    return found


def _job_metrics(each: Mapping[str, Any]) -> JobMetrics:
    metrics = object_of(each, "metrics")
    return JobMetrics(
        id_of(each, "job_id"),
        float(metrics.get("total_read_rate") or 0),
        float(metrics.get("total_write_rate") or 0),
        tuple(_throughput(one) for one in objects_of(metrics, "sources")),
        tuple(_throughput(one) for one in objects_of(metrics, "sinks")),
    )


def _throughput(one: Mapping[str, Any]) -> Throughput:
    return Throughput(str(one["name"]), int(one.get("records") or 0), int(one.get("corrupted_records") or 0))
