"""The stores that stand in for OBS: SeaweedFS, moto's server with authentication on, or one the user names."""

from __future__ import annotations

from secrets import choice
from string import ascii_uppercase, digits

from dli_emulator.errors import EmulatorError
from dli_emulator.stores.base import Store
from dli_emulator.stores.external import External
from dli_emulator.stores.moto import Moto
from dli_emulator.stores.seaweedfs import SeaweedFS

__all__ = ["External", "Moto", "SeaweedFS", "Store", "make_store"]

EXTRA = "pip install 'airflow-provider-dli[emulator]'"


def make_store(wanted: str | None, access_key: str | None, secret_key: str | None) -> Store:
    """Choose a store.

    :param wanted: ``seaweedfs``, ``moto``, the URL of one that runs, or None for the best that is installed
    :param access_key: AK that it shall take, made up if None; moto makes its own
    :param secret_key: its SK
    :raises EmulatorError: if there is no such store, or it is not installed
    """
    if wanted is not None and wanted not in ("seaweedfs", "moto"):
        return External(wanted, access_key, secret_key)
    access_key, secret_key = access_key or _random_key(20), secret_key or _random_key(40)
    if wanted != "moto" and SeaweedFS.program():
        return SeaweedFS(access_key, secret_key)
    if wanted != "seaweedfs" and Moto.is_installed():
        return Moto(access_key, secret_key)
    raise EmulatorError(f"no object store is installed ({wanted or 'neither seaweedfs nor moto'}): {EXTRA}")


def _random_key(length: int) -> str:
    return "".join(choice(ascii_uppercase + digits) for _ in range(length))
