"""``obs://`` as a path of universal_pathlib, which Airflow's ``ObjectStoragePath`` is based on."""

from __future__ import annotations

from fsspec import register_implementation  # type: ignore[import-untyped]  # it has no types
from upath.implementations.cloud import CloudPath

from airflow_provider_dli.filesystems.obs import ObsFileSystem

# universal_pathlib reads the rules of a filesystem from its class, and warns if it is not loaded yet.
register_implementation("obs", ObsFileSystem, clobber=True)


class ObsPath(CloudPath):
    """A path whose first part is a bucket. An entry point names it, so that no warning calls it untested."""

    __slots__ = ()
