"""What a task read and wrote, as plain values; OpenLineage's classes are imported only where asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow_provider_dli.hooks.dli import DliHook


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was proven of a dataset, or disproven.

    :param name: what was looked for: ``whole``, or the code of a finding
    :param success: whether it is as it should be
    :param description: one sentence
    """

    name: str
    success: bool
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Something that was read or written.

    :param namespace: of OpenLineage: scheme and authority
    :param name: in that namespace
    :param version: which one of several under that name
    :param size: bytes that were read
    :param checks: what was proven of it
    """

    namespace: str
    name: str
    version: str | None = None
    size: int | None = None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """What a task read and wrote.

    :param inputs: what it read
    :param outputs: what it wrote
    :param facts: what else is worth telling of the run, see docs/airflow.md
    """

    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def object_of(place: str, **known: Any) -> Dataset:  # noqa: ANN401 -- as Dataset takes them
    """Name an object in OBS, as OpenLineage names those of any object store.

    :param place: ``bucket/key``
    :param known: what is known of it
    """
    bucket, _, key = place.partition("/")
    return Dataset(f"obs://{bucket}", key or "/", **known)


def jobs_of(hook: DliHook) -> Dataset:
    """Name the Flink jobs of a project: one dataset, whose authority is the host that serves it.

    OpenLineage has no rule for DLI; this one follows its general form.

    :param hook: that has asked DLI already
    """
    host = urlsplit(hook.account.endpoint).netloc
    return Dataset(f"dli://{host}", f"{hook.project_id}/streaming/jobs")
