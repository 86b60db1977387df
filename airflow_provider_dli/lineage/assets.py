"""Tell Airflow's assets what became of archives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_dli.escaping import safe_logger
from airflow_provider_dli.lineage.uris import place_of, uri_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow.providers.common.compat.sdk import Asset, Context

_SCHEME = "obs://"

_log = safe_logger(__name__)


def tell_assets(context: Context, outlets: Iterable[Any], archives: Mapping[str, Mapping[str, Any]]) -> None:
    """Put what is known of archives into the events of a task's outlets.

    An alias gets an event for each archive. An asset of ours gets what is known of all the archives that lie in
    it: so whoever waits for ``obs://bucket/flink`` learns which archives there are, and what was proven of them.

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
            for archive, asset in _assets(archives):
                events[outlet].add(asset, extra=dict(archives[archive]))
        elif isinstance(outlet, Asset) and outlet.uri.startswith(_SCHEME):
            inside = {name: dict(known) for name, known in archives.items() if _lies_in(name, outlet.uri)}
            if inside:
                events[outlet].extra = {"archives": inside}


def _assets(archives: Iterable[str]) -> Iterator[tuple[str, Asset]]:
    """Make an asset of each archive that can be one; what is proven stays proven where one cannot."""
    from airflow.providers.common.compat.sdk import Asset  # noqa: PLC0415 -- when a task runs

    for archive in archives:
        try:
            yield archive, Asset(uri_of(archive))
        except ValueError as flaw:
            _log.warning("No asset event tells of %s%s: %s", _SCHEME, archive, flaw)


def _lies_in(archive: str, uri: str) -> bool:
    place = place_of(uri)
    return archive == place or archive.startswith(f"{place}/")
