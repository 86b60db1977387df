"""What a task read and wrote, for OpenLineage where it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow_provider_dli.hooks.dli import DliHook


class Check(NamedTuple):
    """The result of one check of a dataset: ``intact``, or the code of a finding and a sentence on it."""

    name: str
    success: bool
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that was read or written; its version is an ETag or a version id, its size what was read of it."""

    namespace: str
    name: str
    version: str | None = None
    size: int | None = None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a task read and wrote, and the facts of its run facet: see docs/assets.md."""

    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def obs_dataset(place: str, **known: Any) -> Dataset:  # noqa: ANN401 -- as Dataset takes them
    """Return a bucket, or an object ``bucket/key``, named as OpenLineage names those of any object store."""
    bucket, _, key = place.partition("/")
    return Dataset(f"obs://{bucket}", key or "/", **known)


def jobs_dataset(hook: DliHook) -> Dataset:
    """Return the Flink jobs of a project as one dataset, whose authority is the host that serves it.

    OpenLineage has no naming rule for DLI; this one follows its general form.
    """
    host = urlsplit(hook.account.endpoint).netloc
    return Dataset(f"dli://{host}", f"{hook.project_id}/streaming/jobs")
