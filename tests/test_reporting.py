"""Reports to look at: whole in one file, and nothing that a service says can break out of it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_dli.reporting.page import Report, Table, data_of
from airflow_provider_dli.reporting.trend import Point, picture

EVIL = "</script><script>alert('x')</script><!-- \"&'"


class Reader(HTMLParser):
    """Takes down elements, their attributes and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "rect"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def report(**changes: Any) -> Report:
    given: dict[str, Any] = {
        "title": "Title",
        "good": False,
        "verdict": "1 of 2 jobs",
        "facts": {"Run": "r-1", "None": None},
        "tables": [Table("Jobs", ("Id", "Name"), [(1, "a"), (2, None)], frozenset({1}))],
        "data": {"value": 2, "good": False},
    }
    return Report(**given | changes)


def test_it_needs_nothing_else() -> None:
    """No script that runs, no style, font or picture from elsewhere; every element is closed."""
    read = Reader(report().html([Point("one", 2, good=True), Point("two", 3, good=False)]))
    assert read.open == []
    scripts = [attributes for tag, attributes in read.elements if tag == "script"]
    assert [script["type"] for script in scripts] == ["application/json"]
    assert not any(name in ("src", "href") for _, attributes in read.elements for name in attributes)


def test_good_and_bad_are_told_in_words_not_only_in_colours() -> None:
    """For those who do not see them, and for screen readers."""
    read = Reader(report().html())
    assert "✗ bad: 1 of 2 jobs" in read.text
    assert "✓ good: 1" in read.text
    assert "✗ bad: 2" in read.text
    assert ("html", {"lang": "en"}) in read.elements
    assert {attributes.get("scope") for tag, attributes in read.elements if tag == "th"} == {"col", "row"}


@pytest.mark.parametrize("place", ["title", "verdict", "facts", "cell", "head", "data", "label"])
def test_nothing_breaks_out(place: str) -> None:
    """Whatever a name or a message of the service holds."""
    changes: dict[str, dict[str, Any]] = {
        "title": {"title": EVIL},
        "verdict": {"verdict": EVIL},
        "facts": {"facts": {EVIL: EVIL}},
        "cell": {"tables": [Table("t", ("a",), [(EVIL,)])]},
        "head": {"tables": [Table(EVIL, (EVIL,), [("x",)])]},
        "data": {"data": {"value": 1, "good": True, EVIL: EVIL}},
        "label": {},
    }
    html = report(**changes[place]).html([Point(EVIL, 1, good=True), Point("b", 1, good=True)])
    read = Reader(html)
    assert [tag for tag, _ in read.elements].count("script") == 1
    if place == "data":
        assert (data_of(html) or {})[EVIL] == EVIL


def test_what_it_keeps_can_be_read_again() -> None:
    """For the picture of the next one; what is no report of ours gives nothing."""
    assert data_of(report().html()) == {"value": 2, "good": False}
    assert data_of("<html></html>") is None
    assert data_of('<script type="application/json" id="report">[1]</script>') is None


def test_the_picture_tells_what_it_shows() -> None:
    """As a sentence, and for each bar."""
    drawn = picture([Point("2026-01-01", 26, good=True), Point("2026-01-02", 0, good=False)])
    assert "The last 2 runs: 1 bad; 26 at first, 0 now" in drawn
    assert "2026-01-02: 0, bad" in drawn
    assert drawn.count("<rect x=") == 2
