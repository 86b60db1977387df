"""What a bad archive is, and what must be found in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from airflow_provider_dli.archive import Expectation, Limits


class Case(NamedTuple):
    """An archive and the codes it deserves: all of them, and no other.

    :param codes: of level ``full``.
    :param make: gives the archive.
    """

    codes: frozenset[str]
    make: Callable[[], bytes]
    limits: Limits | None = None
    expect: Expectation | None = None


def case(
    codes: str, make: Callable[[], bytes], *, limits: Limits | None = None, expect: Expectation | None = None
) -> Case:
    return Case(frozenset(codes.split()), make, limits, expect)
