"""A part of the cases of a test that has thousands: always the same, and all of them with ``DLI_TESTS=all``."""

from __future__ import annotations

import os
from zlib import crc32

#: whether all cases are tried, and what takes long
IS_ALL = os.environ.get("DLI_TESTS") == "all"


def is_tried(case: str, share: int) -> bool:
    """Return whether a case is tried: one of so many."""
    return IS_ALL or crc32(case.encode()) % share == 0


def tried_of(examples: int) -> int:
    """Return how many of so many drawn examples are tried: a fourth."""
    return examples if IS_ALL else examples // 4
