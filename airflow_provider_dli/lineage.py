"""What a task read and wrote: for the events of Airflow's assets, and for OpenLineage where it is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_dli.formatting import safe_logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_dli.hooks.dli import DliHook

_SCHEME = "obs://"
# What a URI parser splits at or drops: a percent sign, the start of query and fragment, spaces at the end.
_RESERVED = re.compile(r"[%?#]|\s+\Z")

_log = safe_logger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check of a dataset.

    :param name: ``whole``, or the code of a finding
    :param success: whether it passed
    :param description: one sentence
    """

    name: str
    success: bool
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that was read or written.

    :param namespace: of OpenLineage: scheme and authority
    :param name: in that namespace
    :param version: ETag or version id, where several versions have this name
    :param size: bytes that were read
    :param checks: results of the checks
    """

    namespace: str
    name: str
    version: str | None = None
    size: int | None = None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a task read and wrote.

    :param inputs: what it read
    :param outputs: what it wrote
    :param facts: the run facet, see docs/airflow.md
    """

    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def obs_dataset(place: str, **known: Any) -> Dataset:  # noqa: ANN401 -- as Dataset takes them
    """Return an object in OBS as a dataset, named as OpenLineage names those of any object store.

    :param place: ``bucket/key``
    :param known: further fields of the dataset
    """
    bucket, _, key = place.partition("/")
    return Dataset(f"{_SCHEME}{bucket}", key or "/", **known)


def jobs_dataset(hook: DliHook) -> Dataset:
    """Return the Flink jobs of a project as one dataset, whose authority is the host that serves it.

    OpenLineage has no naming rule for DLI; this one follows its general form.

    :param hook: of the project
    """
    host = urlsplit(hook.account.endpoint).netloc
    return Dataset(f"dli://{host}", f"{hook.project_id}/streaming/jobs")


def add_asset_events(context: Context, outlets: Iterable[Any], archives: Mapping[str, Mapping[str, Any]]) -> None:
    """Put what is known of archives into the asset events of a task's outlets.

    An alias gets an event for each archive. An asset ``obs://bucket/flink`` gets what is known of all the archives
    in it, so that a DAG scheduled by it learns which archives there are and which are verified.

    :param context: of the task
    :param outlets: of the task
    :param archives: ``bucket/key`` of each, and what is known of it
    """
    from airflow.providers.common.compat.sdk import Asset, AssetAlias  # noqa: PLC0415 -- when a task runs

    events: Any = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            for archive, known in archives.items():
                try:
                    asset = Asset(uri_of(archive))
                except ValueError as problem:
                    _log.warning("No asset event for %s%s: %s", _SCHEME, archive, problem)
                else:
                    events[outlet].add(asset, extra=dict(known))
        elif isinstance(outlet, Asset) and outlet.uri.startswith(_SCHEME):
            directory = f"{place_of(outlet.uri)}/"
            inside = {name: dict(known) for name, known in archives.items() if f"{name}/".startswith(directory)}
            if inside:
                events[outlet].extra = {"archives": inside}


def uri_of(place: str) -> str:
    """Return the URI of a place; reserved characters are percent-encoded, so that no two places share one.

    :param place: ``bucket`` or ``bucket/key``
    """
    return f"{_SCHEME}{_RESERVED.sub(lambda found: quote(found[0]), place)}"


def place_of(uri: str) -> str:
    """Return the place that a URI names, as ``bucket`` or ``bucket/key``.

    :param uri: of an asset of the scheme ``obs``
    """
    return unquote(uri.removeprefix(_SCHEME))
