"""The summary of pytest's output, in a few words: how many passed, and whose warnings there were."""

from __future__ import annotations

import re

_SUMMARY = re.compile(r"=+ warnings summary =+\n(.*?)\n(?:-- Docs|=)", re.DOTALL)
_WARNING = re.compile(r"^  (\S+?):\d+: \w+:? ", re.MULTILINE)


def outcome(output: str) -> str:
    """Return the last line without its time; after its warnings, the packages that they come from.

    :param output: of pytest
    """
    lines = output.strip().splitlines()
    last = re.sub(r" in [\d.]+s.*| ?=+ ?", "", lines[-1]) if lines else ""
    names = sorted({_package(path) for part in _SUMMARY.findall(output) for path in _WARNING.findall(part)})
    return f"{last} ({', '.join(names)})" if names else last


def _package(path: str) -> str:
    """Name the package that a file belongs to; a file of the tests by its own name."""
    return (
        path.rpartition("site-packages/")[2].split("/")[0] if "site-packages/" in path else path.rpartition("/")[2]
    )
