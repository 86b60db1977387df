"""What an index shows of each distribution: its description, rendered as it does, and where the links lead."""

from __future__ import annotations

import re
from email.parser import Parser
from html.parser import HTMLParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from description import description
from readme_renderer import markdown

from airflow_provider_dli import __version__

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCE = "https://example.org/acme/airflow-provider-dli"
TAG = f"v{__version__}"


class Page(HTMLParser):
    """The links, pictures and places of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.places: set[str] = set()
        html = markdown.render(text)
        assert html, "the index would show the source"
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.places.add(found.get("id") or "")
        if tag == "a":
            # The renderer drops an address that it does not take for one.
            self.links.append(found.get("href") or "dropped")
        elif tag == "img":
            self.pictures.append(found.get("src") or "dropped")


def dead(page: Page) -> list[str]:
    """Return the links and pictures that lead nowhere on the page of an index."""
    found = []
    for target in page.links + page.pictures:
        ours = re.fullmatch(rf"{SOURCE}/(?:blob|raw)/{TAG}/([^#]+)(?:#.*)?", target)
        alive = (
            (ROOT / ours[1]).is_file()
            if ours
            else target[1:] in page.places
            if target.startswith("#")
            else target.startswith("https://")
        )
        found += [] if alive else [target]
    return found


def test_every_link_leads_into_the_repository() -> None:
    """Once it has an address, to files that are there; the same number as in README.md, pictures too."""
    page = Page(description(README, SOURCE, TAG))
    assert dead(page) == []
    within = [target for target in re.findall(r"\]\(([^)\s]+)\)", README) if not re.match(r"https?:|#", target)]
    led = [target for target in page.links + page.pictures if target.startswith(SOURCE)]
    assert len(led) == len(within) > 10


def test_without_an_address_nothing_is_broken() -> None:
    """Words stay, pictures go, and the reader learns where the pages are."""
    page = Page(text := description(README, None, TAG))
    assert dead(page) == []
    assert page.pictures == []
    assert text.endswith("are in the folder `docs` of the source distribution.\n")


@pytest.mark.parametrize("name", ["airflow-provider-dli", "dli-emulator"])
def test_the_wheels_have_it(name: str, distributions: dict[str, tuple[Path, Path]]) -> None:
    """No link of a built distribution is dead."""
    with ZipFile(distributions[name][0]) as archive:
        (file,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(file).decode())
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert dead(Page(str(metadata.get_payload()))) == []


@pytest.mark.parametrize(
    ("form", "known", "unknown"),
    [
        ("[a](d/a.md)", "[a](S/blob/T/d/a.md)", "a"),
        ("[a](d/a.md#b), [b](LICENSE)", "[a](S/blob/T/d/a.md#b), [b](S/blob/T/LICENSE)", "a, b"),
        ("[`a b`](a.md)", "[`a b`](S/blob/T/a.md)", "`a b`"),
        ("![a](a.png)", "![a](S/raw/T/a.png)", ""),
        ("[![a](a.svg) ![b](b.svg)](a.md)", "[![a](S/raw/T/a.svg) ![b](S/raw/T/b.svg)](S/blob/T/a.md)", ""),
        ("[![a](a.svg) b](https://a.b)", "[![a](S/raw/T/a.svg) b](https://a.b)", "[ b](https://a.b)"),
        ("[a](https://a.b/c#d)", "[a](https://a.b/c#d)", "[a](https://a.b/c#d)"),
        ("[a](#b) [m](mailto:a@b.c)", "[a](#b) [m](mailto:a@b.c)", "[a](#b) [m](mailto:a@b.c)"),
        ("`[a](a.md)` x[0](1)", "`[a](a.md)` x[0](S/blob/T/1)", "`[a](a.md)` x0"),
        (
            "```python\nf[a](b)\n```\n[a](b)",
            "```python\nf[a](b)\n```\n[a](S/blob/T/b)",
            "```python\nf[a](b)\n```\na",
        ),
        ("| a | [b](c) |\n|---|---|", "| a | [b](S/blob/T/c) |\n|---|---|", "| a | b |\n|---|---|"),
    ],
)
def test_every_form_of_a_link(form: str, known: str, unknown: str) -> None:
    """With an address and without; code is left as it is."""
    expected = known.replace("S/", "https://example.org/x/").replace("/T/", "/v1/")
    assert description(form, "https://example.org/x/", "v1") == expected
    assert description(form, None, "v1").partition("\nThe pages")[0] == unknown
