"""A DLI to test against: the Flink job API and enough of IAM on one port, beside a real object store.

It verifies signatures, keeps state, answers with the service's own codes, and fails on request. Start it
in a test with the fixture ``dli_emulator``, in Python with :class:`~dli_emulator.server.Emulator`, or from a shell
with ``python -m dli_emulator``.

The names here are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dli_emulator.faults import Fault
    from dli_emulator.server import Emulator
    from dli_emulator.settings import Settings

__all__ = ["Emulator", "EmulatorError", "Fault", "Settings"]
__version__ = "0.1.0"


class EmulatorError(RuntimeError):
    """The emulator cannot start; the message is one line with the reason and what to do."""


_HOMES = {"Emulator": "server", "Fault": "faults", "Settings": "settings"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
