"""The badges of the README, of facts that are in the project: ``python release/badges.py [FOLDER]`` draws them.

Pictures in the project and not from a service: nobody learns who reads the page, and each shows what was measured.
"""

from __future__ import annotations

import json
import sys
import tomllib
from html import escape
from pathlib import Path
from typing import Any

from mutants import LEAST

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "badges"
_GREY, _GOOD, _BAD, _BLUE = "#555", "#2a7d2e", "#b3261e", "#1d5fa8"
# Of a letter of 11 px, on average; the text is stretched to what is reckoned, whatever the font.
_LETTER = 6.0
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="20">
<title>{what}: {value}</title>
<rect width="{width}" height="20" rx="3" fill="{colour}"/><rect width="{left}" height="20" rx="3" fill="{grey}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{at_what}" y="14" textLength="{long_what}">{what}</text>
<text x="{at_value}" y="14" textLength="{long_value}">{value}</text></g></svg>
"""


def badges() -> dict[str, str]:
    """Draw all: by name of the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cells = list(_read("matrix/results.json").values())
    succeeded = sum(cell["succeeded"] for cell in cells)
    parts = _read("release/mutation.json")["parts"]
    shares = {name: 100 * part["killed"] / part["mutants"] for name, part in parts.items()}
    killed = ", ".join(f"{name} {share:.0f} %" for name, share in shares.items())
    return {
        "airflow": badge("Airflow", ", ".join(_minors(cells, "airflow")), _BLUE),
        "python": badge("Python", ", ".join(_minors(cells, "python")), _BLUE),
        "matrix": badge("cells of the matrix", f"{succeeded} of {len(cells)}", _judged(succeeded == len(cells))),
        "mutation": badge("mutants killed", killed, _judged(min(shares.values()) >= LEAST)),
        "license": badge("license", project["license"], _BLUE),
    }


def badge(what: str, value: str, colour: str) -> str:
    """Draw one.

    :param what: on the left
    :param value: on the right
    :param colour: of the right
    """
    long_what, long_value = (round(len(text) * _LETTER) for text in (what, value))
    left = long_what + 12
    return _SVG.format(
        what=escape(what),
        value=escape(value),
        colour=colour,
        grey=_GREY,
        left=left,
        width=left + long_value + 12,
        at_what=left / 2,
        at_value=left + long_value / 2 + 6,
        long_what=long_what,
        long_value=long_value,
    )


def main() -> int:
    """Write them, into the docs or the folder that is named."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    for name, drawn in badges().items():
        (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")
    return 0


def _read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / path).read_text(encoding="utf-8"))
    return found


def _minors(cells: list[dict[str, Any]], name: str) -> list[str]:
    found = {tuple(map(int, cell[name].split(".")[:2])) for cell in cells}
    return [".".join(map(str, minor)) for minor in sorted(found)]


def _judged(good: object) -> str:
    return _GOOD if good else _BAD


if __name__ == "__main__":
    sys.exit(main())
