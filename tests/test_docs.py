"""Every link and every mention of a page leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "dli_emulator" / "README.md"]
#: what ships or runs: their docstrings, comments and messages
CODE = [
    *(
        path
        for folder in ("airflow_provider_dli", "dli_emulator/src", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ),
    *(
        path
        for folder in ("example_dags", "demo", "live", "matrix", "release", "site")
        for path in (ROOT / folder).glob("*.py")
    ),
]


def text_of(page: Path) -> str:
    """Return a page without its code, in which nothing is a link or a heading."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them.

    Small letters; nothing but letters, digits, hyphens and underscores; a space is a hyphen; the second of a name
    has a number.
    """
    anchors: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text_of(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        numbered = (f"{slug}-{number}" for number in range(1, 100))
        anchors.add(slug if slug not in anchors else next(each for each in numbered if each not in anchors))
    return anchors


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    """Marks go, spaces are hyphens, code is not a heading, and the second of a name has a number."""
    page = tmp_path / "page.md"
    page.write_text(
        "# DLI's agency: `a_b`, and C-D\n\n## [A link](x.md) – so\n## Twice\n```sh\n# no heading\n```\n### Twice\n"
    )
    assert anchors_of(page) == {"dlis-agency-a_b-and-c-d", "a-link--so", "twice", "twice-1"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of every page, to its very heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"https?://", target):
            continue
        _check(page.parent, target, page)


def test_pages_that_code_mentions_exist() -> None:
    """In docstrings, comments and messages: ``docs/permissions.md``, with its heading if it names one."""
    mentions = [
        (path, target)
        for path in CODE
        if path.name != "test_description.py"  # its pages are made up
        for target in re.findall(r"(?<![\w/.-])(docs/[\w/-]+\.md(?:#[\w-]+)?)", path.read_text(encoding="utf-8"))
    ]
    assert mentions
    for path, target in mentions:
        _check(ROOT, target, path)


def test_links_from_docstrings_lead_somewhere() -> None:
    """``:doc:`` names a page from the top of the project, without its ending."""
    links = [
        (path, target)
        for path in CODE
        for target in re.findall(r":doc:`[^`<]*</([\w/-]+)>`", path.read_text(encoding="utf-8"))
    ]
    assert links
    for path, target in links:
        _check(ROOT, f"{target}.md", path)


def test_no_template_needs_a_logical_date() -> None:
    """A run that somebody triggers has none on Airflow 3: a directory is named after the run id."""
    dated = re.compile(
        r"\{\{[^}]*\b(ds|ts|ds_nodash|ts_nodash|logical_date|data_interval_\w+|execution_date)\b[^}]*\}\}"
    )
    for path in (*PAGES, *(ROOT / "example_dags").glob("*.py")):
        assert not dated.search(path.read_text(encoding="utf-8")), path


def test_every_page_is_in_the_index() -> None:
    """From ``docs/README.md``, directly or through the page of its folder."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)", text_of(index))}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path != index}
    assert {path for path in pages if path not in linked and path.parent not in linked} == set()


def _check(folder: Path, target: str, source: Path) -> None:
    file, _, anchor = target.partition("#")
    page = folder / file if file else source
    assert page.exists(), f"{source}: {target}"
    assert not anchor or anchor in anchors_of(page), f"{source}: {target}"
