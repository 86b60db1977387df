"""Pages of the docs with sections made from code: ``<!-- NAME: begin -->`` to ``<!-- NAME: end -->``."""

from __future__ import annotations


def with_section(text: str, name: str, body: str) -> str:
    """Return a page with what is between two marks replaced.

    :param text: the page as it is
    :param name: of the section
    :param body: what belongs there, with a line end at its end
    :raises ValueError: if the page has no such section
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no section {name!r}")
    return f"{before}{begin}{body}{end}{after}"
