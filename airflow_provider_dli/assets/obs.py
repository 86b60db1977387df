"""Assets of the scheme ``obs``: ``obs://bucket``, ``obs://bucket/directory`` or ``obs://bucket/key``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import parse_directory
from airflow_provider_dli.lineage import place_of, uri_of

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset


def create_asset(*, bucket: str, key: str = "", extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of a bucket, a directory or an object.

    :param bucket: name of the bucket
    :param key: directory or key in it, unescaped; empty for the bucket itself
    :param extra: of the asset
    """
    return Asset(uri=uri_of(f"{bucket}/{key}".rstrip("/")), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the canonical form of a URI: no slash at the end, neither query nor fragment.

    :param uri: as an author wrote it
    :raises ValueError: if it names no bucket, or is not a valid place in OBS
    """
    if uri.query or uri.fragment:
        raise ValueError(f"{uri.geturl()!r} must have neither query nor fragment: write %3F for ?, %23 for #")
    try:
        place = parse_directory("uri", f"obs://{uri.netloc}{uri.path}")
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
    return uri._replace(netloc=place.bucket, path=f"/{place.key}" if place.key else "")


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:  # noqa: ANN401 -- whatever Airflow gives
    """Return the OpenLineage dataset of an asset.

    :param asset: of this scheme
    :param lineage_context: not used
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset  # noqa: PLC0415 -- only where it is used

    del lineage_context
    bucket, _, key = place_of(asset.uri).partition("/")
    return Dataset(namespace=f"obs://{bucket}", name=key or "/")
