"""Archives in, findings out, in short."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

import pytest

from airflow_provider_dli.archive import Limits, inspect


def findings_with_offsets(data: bytes, limits: Limits | None = None) -> list[tuple[str, str | None, int | None]]:
    """Return code, entry and place of each finding."""
    return [(each.code, each.entry, each.offset) for each in inspect(io.BytesIO(data), limits=limits).findings]


def findings_of(data: bytes, limits: Limits | None = None) -> list[tuple[str, str | None]]:
    """Return code and entry of each finding."""
    return [(code, entry) for code, entry, _ in findings_with_offsets(data, limits)]


def packed(entries: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Write an archive; names may repeat."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in entries:
            if name in archive.namelist():
                with pytest.warns(UserWarning, match="Duplicate name"):
                    archive.writestr(name, data)
            else:
                archive.writestr(name, data)
    return target.getvalue()
