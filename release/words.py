"""Count the words of the docs that people write: prose, not code, and not what a generator has written.

``python release/words.py`` fails above the limit; ``-v`` prints the words of each page. A generator writes between
``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``. Code is what a fence gives a language, but ``text``: the tests
run it. The changelog is a record and not counted.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 25_000
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "dli_emulator/README.md")
_GENERATED = re.compile(r"<!-- ([^>]*?): begin -->.*?<!-- \1: end -->", re.DOTALL)
_CODE = re.compile(r"^```(?!text$)\w+$.*?^```$", re.DOTALL | re.MULTILINE)


def main() -> int:
    """Print the words of every page and of all; 1 above the limit."""
    counts = {path: words(path) for path in [*(ROOT / "docs").rglob("*.md"), *(ROOT / page for page in PAGES)]}
    for path, count in sorted(counts.items(), key=lambda item: item[1]) if "-v" in sys.argv else ():
        print(f"{count:6}  {path.relative_to(ROOT)}")
    total = sum(counts.values())
    print(f"{total:6}  words in the docs, of {LIMIT} at most")
    return int(total > LIMIT)


def words(page: Path) -> int:
    """Return how many words of a page are written by hand; the bars of tables and other marks alone are none."""
    text = _CODE.sub("", _GENERATED.sub("", page.read_text(encoding="utf-8")))
    return sum(any(char.isalnum() for char in word) for word in text.split())


if __name__ == "__main__":
    sys.exit(main())
