"""Processes that an emulator starts."""

from __future__ import annotations

from pathlib import Path


def processes(marker: str) -> list[int]:
    """Return the ids of the processes whose command line has the marker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (entry / "cmdline").read_text(errors="replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
