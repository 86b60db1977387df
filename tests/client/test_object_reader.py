"""Reading an object in ranges, without a store: what is refused, closed and handed over."""

from __future__ import annotations

import gc
import io
import sys
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_dli.client.errors import (
    RefusedError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.objects import ObjectFacts
from airflow_provider_dli.client.obs.reader import ObjectReader

FACTS = ObjectFacts(10, "etag", "2026-01-01T00:00:00Z")


PLACE = ObsLocation("obs-test", "a.zip")


@pytest.mark.parametrize(
    ("status", "given"), [(206, "bytes 1-5/10"), (206, None), (200, "bytes 0-3/10"), (200, None)]
)
def test_another_range_than_was_asked_for_is_refused(status: int, given: str | None) -> None:
    """Whichever of status and range says so; and the body is let go."""
    body = io.BytesIO(b"0123")
    reply = {"ResponseMetadata": {"HTTPStatusCode": status}, "ContentRange": given, "Body": body}
    client: Any = SimpleNamespace(get_object=lambda **_: reply)
    with pytest.raises(UnexpectedReplyError, match=f"received {given or 'the whole object'}"):
        ObjectReader(client, PLACE, FACTS).read(4)
    assert body.closed


def test_a_reader_that_was_refused_is_thrown_away_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python closes it; from 3.13 on it tells of what then goes wrong."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    facts = replace(FACTS, storage_class="COLD")
    with pytest.raises(RefusedError, match="storage class COLD"):
        ObjectReader(SimpleNamespace(), PLACE, facts)  # type: ignore[arg-type]
    gc.collect()
    assert told == []
    made = ObjectReader.__new__(ObjectReader)
    with suppress(RefusedError):
        made.__init__(SimpleNamespace(), PLACE, facts)  # type: ignore[misc]
    made.close()
    assert made.closed


def test_a_buffer_takes_no_more_than_it_has_room_for() -> None:
    """As of any file."""
    asked: list[str] = []

    def get_object(**settings: Any) -> dict[str, Any]:
        asked.append(settings["Range"])
        status = {"HTTPStatusCode": 206}
        return {"ResponseMetadata": status, "ContentRange": "bytes 0-3/10", "Body": io.BytesIO(b"0123")}

    client: Any = SimpleNamespace(get_object=get_object)
    buffer = bytearray(4)
    assert ObjectReader(client, PLACE, FACTS).readinto(buffer) == 4
    assert (bytes(buffer), asked) == (b"0123", ["bytes=0-3"])
