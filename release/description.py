"""The description of the provider's distribution: README.md, with links that work where no repository is around.

hatchling calls it at each build. A link into the repository becomes an absolute one as soon as ``[project.urls]``
in ``pyproject.toml`` has ``Source``, at the tag of the version. Until then there is nowhere to lead to: the words
of a link stay, and a picture goes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

#: code, in which nothing is a link; or ``[words](target)``, a picture if a bang is before it, which words may hold
_LINK = re.compile(
    r"^```.*?^```$|`[^`\n]*`|(!?)\[((?:!\[[^\]]*\]\([^)]*\)|[^\[\]])*)\]\(([^)\s]+)\)", re.DOTALL | re.MULTILINE
)
_ELSEWHERE = re.compile(r"[a-z]+:|#")
_WITHOUT = "\nThe pages that are named here are in the folder `docs` of the source distribution.\n"


class DescriptionHook(MetadataHookInterface):
    """Sets ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the description.

        :param metadata: the table ``project``, changed in place
        """
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": description(text, source, f"v{metadata['version']}"),
        }


def description(text: str, source: str | None, tag: str) -> str:
    """Return the README as an index shows it.

    :param text: of the README
    :param source: address of the repository, None if there is none
    :param tag: of the version
    """

    def absolute(found: re.Match[str]) -> str:
        bang, words, target = found.groups()
        if target is None:
            return found[0]
        words = _LINK.sub(absolute, words)
        if _ELSEWHERE.match(target):
            return f"{bang}[{words}]({target})"
        if source is None:
            return "" if bang else words.strip()
        return f"{bang}[{words}]({source.rstrip('/')}/{'raw' if bang else 'blob'}/{tag}/{target})"

    return _LINK.sub(absolute, text) + ("" if source else _WITHOUT)
