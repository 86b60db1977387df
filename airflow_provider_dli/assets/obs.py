"""Assets ``obs://bucket``, ``obs://bucket/directory`` and ``obs://bucket/key``, and their events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import parse_directory
from airflow_provider_dli.compat import Asset, AssetAlias
from airflow_provider_dli.formatting import safe_logger
from airflow_provider_dli.lineage import obs_dataset

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from openlineage.client.event_v2 import Dataset as OpenLineageDataset

    from airflow_provider_dli.compat import Context

_SCHEME = "obs://"
# What a URI parser splits at or drops: a percent sign, the start of query and fragment, spaces at the end.
_RESERVED = re.compile(r"[%?#]|\s+\Z")
# Without the value: there may be a password in it.
_HAS_USER = "uri: an asset of OBS must have no user or password: write obs://bucket or obs://bucket/directory"

_log = safe_logger(__name__)


def create_asset(*, bucket: str, key: str = "", extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of a bucket, a directory or an object.

    :param bucket: name of the bucket
    :param key: directory or key in it, unescaped; empty for the bucket itself
    :param extra: of the asset
    :raises ValueError: as :func:`sanitize_uri`
    """
    uri = sanitize_uri(urlsplit(_uri(f"{bucket}/{key}".rstrip("/"))))
    return Asset(uri=uri.geturl(), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the canonical form of a URI: no slash at the end, neither query nor fragment.

    :param uri: as an author wrote it; Airflow has removed a user with a password
    :raises ValueError: if it names no bucket, has a user in it, or is not a valid place in OBS
    """
    if "@" in uri.netloc:
        raise ValueError(_HAS_USER)
    if not uri.netloc:
        raise ValueError(f"{uri.geturl()!r} names no bucket: write obs://bucket or obs://bucket/directory")
    if uri.query or uri.fragment:
        raise ValueError(f"{uri.geturl()!r} must have neither query nor fragment: write %3F for ?, %23 for #")
    try:
        place = parse_directory("uri", f"{_SCHEME}{uri.netloc}{uri.path}")
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
    return uri._replace(netloc=place.bucket, path=f"/{place.key}" if place.key else "")


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:  # noqa: ANN401 -- whatever Airflow gives
    """Return the OpenLineage dataset of an asset.

    :param asset: of this scheme
    :param lineage_context: not used
    """
    from openlineage.client.event_v2 import Dataset  # noqa: PLC0415 -- only where it is used

    del lineage_context
    dataset = obs_dataset(_place(asset))
    return Dataset(namespace=dataset.namespace, name=dataset.name)


def check_outlets(outlets: Iterable[Any]) -> None:
    """Refuse assets in whose names a user or password is: Airflow 3 takes it out of the URI only.

    :param outlets: of a task
    :raises ValueError: if there is such an asset
    """
    names = [str(getattr(outlet, "name", "")) for outlet in outlets if isinstance(outlet, Asset)]
    if any("@" in urlsplit(name).netloc for name in names if name.lower().startswith(_SCHEME)):
        raise ValueError(_HAS_USER)


def add_asset_events(context: Context, outlets: Iterable[Any], archives: Mapping[str, Mapping[str, Any]]) -> None:
    """Put what is known of archives, each ``bucket/key``, into the asset events of a task's outlets.

    No archive becomes an asset: there is a new one every night, and Airflow keeps assets for good. ``obs://``
    assets get the archives that are in them, assets that have only a name all of them. An alias gets no event:
    Airflow 2 takes none whose extra has a mapping in it.
    """
    events: Any = context.get("outlet_events")
    if events is None or not archives:
        return
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            _log.warning("The alias %s gets no event: give an asset with a name in its place.", outlet.name)
        elif isinstance(outlet, Asset) and "://" not in outlet.uri:
            events[outlet].extra = _extra(archives)
        elif isinstance(outlet, Asset) and outlet.uri.startswith(_SCHEME):
            if extra := _extra(archives, _place(outlet)):
                events[outlet].extra = extra
            else:
                _log.warning("No archive is in the asset %s: its event names none.", outlet.uri)


def _extra(archives: Mapping[str, Mapping[str, Any]], directory: str = "") -> dict[str, Any]:
    """Return what an event has of the archives in a bucket or directory; nothing if there are none."""
    prefix = directory and f"{directory}/"
    inside = {name: dict(known) for name, known in archives.items() if f"{name}/".startswith(prefix)}
    return {"archives": inside} if inside else {}


def _uri(place: str) -> str:
    """Return the URI of a place; reserved characters are percent-encoded, so that no two places share one."""
    return f"{_SCHEME}{_RESERVED.sub(lambda found: quote(found[0]), place)}"


def _place(asset: Asset) -> str:
    return unquote(asset.uri.removeprefix(_SCHEME))
