"""Check the set-up before the first night: connection, permissions, bucket, clocks; DLI's agency by one export.

Each check is a function that returns a status with words, and raises what fails. What may not be read is not
known, which is neither good nor bad.
"""

from __future__ import annotations

import secrets
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.archive import Expectation, inspect
from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.cli import Result, Status
from airflow_provider_dli.backups.commands import open_catalogue
from airflow_provider_dli.client import flink
from airflow_provider_dli.client.locations import ObsLocation, parse_archive
from airflow_provider_dli.client.obs.client import client_errors
from airflow_provider_dli.client.obs.objects import ARCHIVE_TIERS
from airflow_provider_dli.exceptions import DliException, DliFailException, translated
from airflow_provider_dli.formatting import escaped, format_duration, pluralize, safe_logger
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.services.deadline import Deadline

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.flink import FlinkJob

Found = tuple[Status, str]

#: from the best to the worst: an exit status is that of the worst check
_SEVERITY = (Status.OK, Status.UNKNOWN, Status.WARNING, Status.CRITICAL)
#: seconds by which clocks may differ, with nothing to be seen of it
_CLOCK_MARGIN = 60
#: seconds that OBS may take to show the archive of an export
_EXPORT_WAIT, _EXPORT_POLL = 120, 2
_NO_LIFECYCLE = "NoSuchLifecycleConfiguration"
_LIST_ALL = "without dli:jobs:listAll a user sees only its own"


@dataclass(frozen=True, slots=True)
class Check:
    """What one check has found.

    :param name: stable, for programs
    """

    name: str
    status: Status
    message: str


def preflight(options: Namespace) -> Result:
    """Check all that a backup needs."""
    catalogue = open_catalogue(options)
    checks = list(_checks(catalogue, options))
    worst = max((check.status for check in checks), key=_SEVERITY.index)
    counts = [(status, sum(check.status == status for check in checks)) for status in reversed(_SEVERITY)]
    summary = ", ".join(f"{number} {status.name}" for status, number in counts if number)
    rows = [{"name": check.name, "status": check.status.name, "message": check.message} for check in checks]
    lines = [f"{check.status.name}: {check.name}: {escaped(check.message)}" for check in checks]
    first = f"{worst.name}: {pluralize(len(checks), 'check')} of {catalogue.root.url}: {summary}"
    return Result(worst, {"backup_dir": str(catalogue.root), "checks": rows}, [first, *lines])


def _checks(catalogue: Catalogue, options: Namespace) -> Iterator[Check]:
    dli, obs, root = DliHook(options.conn_id), catalogue.obs, catalogue.root
    connection = _run("connection", lambda: _connection(dli))
    yield connection
    if connection.status != Status.OK:
        return
    jobs: list[FlinkJob] = []
    yield _run("list_jobs", lambda: _list_jobs(dli, jobs))
    if jobs:
        yield _run("get_job", lambda: _get_job(dli, jobs[0]))
    listed = _run("list_bucket", lambda: _list_bucket(catalogue))
    yield listed
    if listed.status == Status.OK:
        yield from _write_and_read(catalogue)
        yield from properties(obs.get_conn(), root, dli.account.region)
    for name, hook in (("clock_dli", dli), ("clock_obs", obs)):
        yield _run(name, lambda offset=hook.clock_offset: _clock(offset))  # type: ignore[misc]  # no name of its own
    if options.scratch_conn_id:
        yield _run("scratch", lambda: _scratch(dli, DliHook(options.scratch_conn_id)))
    yield _run("export", lambda: _export(dli, catalogue, jobs, is_wanted=options.export))


def _run(name: str, check: Callable[[], Found], permission: str | None = None) -> Check:
    """Return what a check finds.

    :param permission: that it needs and no backup does: without it something is not known
    """
    try:
        return Check(name, *check())
    except DliException as error:
        if permission is None:
            return Check(name, Status.CRITICAL, str(error))
        return Check(name, Status.UNKNOWN, f"not known: {error.problem}. It needs {permission}.")


def _connection(dli: DliHook) -> Found:
    account = dli.account
    return Status.OK, f"{account.credentials.identity}, project {dli.project_id} in {account.region}"


def _list_jobs(dli: DliHook, jobs: list[FlinkJob]) -> Found:
    found = dli.run(flink.list_jobs({}, limit=1))
    jobs += found.items
    if not found.total_count:
        return Status.WARNING, f"no Flink job is visible: {_LIST_ALL}; give it, or check project_id"
    return (
        Status.OK,
        f"{pluralize(found.total_count, 'Flink job')} visible: compare with the console, for {_LIST_ALL}",
    )


def _get_job(dli: DliHook, job: FlinkJob) -> Found:
    dli.get_flink_job(job.job_id)
    return Status.OK, f"the settings of job {job.job_id} can be read"


def _list_bucket(catalogue: Catalogue) -> Found:
    used = catalogue.obs.has_objects(catalogue.root)
    return Status.OK, f"{catalogue.root.url} can be listed, and {'has objects' if used else 'is empty'}"


def _write_and_read(catalogue: Catalogue) -> Iterator[Check]:
    """Write a small object below the directory of the catalogue, read it, and delete it."""
    obs, data = catalogue.obs, secrets.token_hex(16).encode()
    place = catalogue.root.below(f"preflight-{secrets.token_hex(4)}.txt")

    def write() -> Found:
        obs.put(place, data, "text/plain")
        return Status.OK, f"{place.url} was written"

    def read() -> Found:
        if obs.read(place, len(data)) != data or obs.find(place) is None:
            raise DliFailException(f"{place.url} was written, and is not there or has other bytes")
        return Status.OK, "it was read, and has the bytes that were written"

    def delete() -> Found:
        try:
            obs.delete(place)
        except DliException as error:
            problem = f"{place.url} stays: {error} Without it nothing expires, and drills leave archives"
            return Status.WARNING, problem
        return Status.OK, "it was deleted"

    written = _run("write", write)
    yield written
    if written.status == Status.OK:
        yield _run("read", read)
        yield _run("delete", delete)


def properties(client: S3Client, root: ObsLocation, region: str) -> Iterator[Check]:
    """Check what the bucket is, as far as the key may know it."""
    yield _run("region", lambda: _region(client, root, region), "obs:bucket:GetBucketLocation")
    yield _run("versions", lambda: _versions(client, root), "obs:bucket:GetBucketVersioning")
    yield _run("lifecycle", lambda: _lifecycle(client, root), "obs:bucket:GetLifecycleConfiguration")


def _region(client: S3Client, root: ObsLocation, region: str) -> Found:
    with translated(), client_errors("GetBucketLocation", ObsLocation(root.bucket)):
        found = client.get_bucket_location(Bucket=root.bucket).get("LocationConstraint")
    if not found:
        return Status.UNKNOWN, "not known: OBS names no region of the bucket"
    if found != region:
        problem = (
            f"bucket {root.bucket} is in {found}, the project in {region}: DLI may not be able to write to it"
        )
        return Status.WARNING, problem
    return Status.OK, f"bucket {root.bucket} is in {region}, as the project"


def _versions(client: S3Client, root: ObsLocation) -> Found:
    with translated(), client_errors("GetBucketVersioning", ObsLocation(root.bucket)):
        status = client.get_bucket_versioning(Bucket=root.bucket).get("Status")
    if status != "Enabled":
        problem = f"bucket {root.bucket} keeps no versions: what is deleted or overwritten is gone"
        return Status.WARNING, f"{problem}; enable versioning, or copy backups to another account"
    return Status.OK, f"bucket {root.bucket} keeps versions"


def _lifecycle(client: S3Client, root: ObsLocation) -> Found:
    try:
        with translated(), client_errors("GetBucketLifecycleConfiguration", ObsLocation(root.bucket)):
            rules = client.get_bucket_lifecycle_configuration(Bucket=root.bucket).get("Rules", [])
    except DliException as error:
        if getattr(error.error, "code", None) != _NO_LIFECYCLE:
            raise
        rules = []
    found = [finding for rule in rules if (finding := _rule_finding(rule, root))]
    if found:
        return max(status for status, _ in found), "; ".join(text for _, text in found)
    return Status.OK, f"no lifecycle rule of bucket {root.bucket} deletes or archives what is in {root.url}"


def _rule_finding(rule: Mapping[str, Any], root: ObsLocation) -> tuple[Status, str] | None:
    """Return what a lifecycle rule does to backups; None if nothing."""
    given: Mapping[str, Any] = rule.get("Filter") or {}
    both: Mapping[str, Any] = given.get("And") or given
    prefix, directory = both.get("Prefix", rule.get("Prefix")) or "", f"{root.key}/" if root.key else ""
    # Backups have no tags.
    is_tagged = bool(both.get("Tag") or both.get("Tags"))
    if (
        rule.get("Status") != "Enabled"
        or is_tagged
        or not (directory.startswith(prefix) or prefix.startswith(directory))
    ):
        return None
    name = f"lifecycle rule {rule.get('ID', 'without a name')!r} (prefix {prefix!r})"
    expiration: Mapping[str, Any] = rule.get("Expiration") or {}
    if expiration.get("Days") or expiration.get("Date"):
        when = (
            f"after {expiration['Days']} days" if expiration.get("Days") else f"on {expiration['Date']:%Y-%m-%d}"
        )
        return Status.CRITICAL, f"{name} deletes backups {when}; let only the expiry of the provider delete them"
    tiers = [each.get("StorageClass") for each in rule.get("Transitions") or []]
    if any(tier in ARCHIVE_TIERS for tier in tiers):
        return Status.WARNING, f"{name} moves backups into an archive tier, where they cannot be read at once"
    return None


def _clock(offset: float | None) -> Found:
    if offset is None:
        return Status.UNKNOWN, "not known: no response has shown the time"
    words = "ahead of" if offset > 0 else "behind"
    if abs(offset) > _CLOCK_MARGIN:
        problem = f"the service's clock is {format_duration(abs(offset))} {words} this machine's: set this one"
        return Status.WARNING, problem
    return Status.OK, f"the service's clock and this machine's differ by {format_duration(abs(offset))}"


def _scratch(dli: DliHook, scratch: DliHook) -> Found:
    if scratch.project_id == dli.project_id:
        raise DliFailException(
            f"connection {scratch.dli_conn_id!r} is of project {dli.project_id} too: a drill would import into it",
            advice="Give the connection of another project.",
        )
    count = scratch.run(flink.list_jobs({}, limit=1)).total_count
    return Status.OK, (
        f"project {scratch.project_id} in {scratch.account.region} can be read, and has {pluralize(count, 'job')}"
    )


def _export(dli: DliHook, catalogue: Catalogue, jobs: list[FlinkJob], *, is_wanted: bool) -> Found:
    """Export one job into a directory of its own, verify the archive, and delete it."""
    if not is_wanted:
        problem = (
            "not tested: only an export shows the permission to export, and DLI's agency, which writes archives"
        )
        return Status.UNKNOWN, f"{problem}; add --export"
    if not jobs:
        return Status.UNKNOWN, "not tested: there is no job to export"
    directory = catalogue.root.below(f"preflight-{secrets.token_hex(4)}")
    try:
        found = dli.export_flink_jobs(str(directory), [jobs[0].job_id])
        problems = list(filter(None, (_verify(catalogue, archive, jobs[0]) for archive in found.zip_file)))
    finally:
        left = _clean(catalogue, directory)
    if problems or left:
        raise DliFailException("; ".join([*problems, *left]))
    return Status.OK, f"job {jobs[0].job_id} was exported, its archive verified and deleted"


def _verify(catalogue: Catalogue, archive: str, job: FlinkJob) -> str | None:
    """Return what is wrong with an archive; None if nothing is."""
    obs, place = catalogue.obs, parse_archive("zip_file", archive)
    deadline = Deadline.within(_EXPORT_WAIT, _EXPORT_POLL, safe_logger(__name__))
    while (facts := deadline.poll(partial(obs.find, place))) is None:
        if not deadline.sleep():
            return f"{place.url} was not there within {_EXPORT_WAIT} s"
    with translated(), obs.open(place, facts) as reader:
        report = inspect(reader, "full", expect=Expectation((job.job_id,), 1))
    return None if report.verified else f"{place.url}: {'; '.join(map(str, report.errors))}"


def _clean(catalogue: Catalogue, directory: ObsLocation) -> list[str]:
    """Delete what is in a directory; return what could not be deleted."""
    try:
        for entry in list(catalogue.obs.list_tree(directory)):
            catalogue.obs.delete(ObsLocation(directory.bucket, entry.key))
    except DliException as error:
        return [f"{directory.url} stays: {error}"]
    return []
