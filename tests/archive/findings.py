"""What is found in an archive, in short."""

from __future__ import annotations

import io

from airflow_provider_dli.archive import Limits, inspect


def findings_with_offsets(data: bytes, limits: Limits | None = None) -> list[tuple[str, str | None, int | None]]:
    """Give code, entry and place of each finding."""
    return [(each.code, each.entry, each.offset) for each in inspect(io.BytesIO(data), limits=limits).findings]


def findings_of(data: bytes, limits: Limits | None = None) -> list[tuple[str, str | None]]:
    """Give code and entry of each finding."""
    return [(code, entry) for code, entry, _ in findings_with_offsets(data, limits)]
