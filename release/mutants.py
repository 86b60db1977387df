"""Count what mutation testing found, by part, and why mutants survived. Run by ``make mutants``.

Writes ``docs/quality/mutation.md`` and ``release/mutation.json``.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

from reasons import why
from survivors import KILLED, Mutant, mutants

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "quality" / "mutation.md"
RESULT = ROOT / "release" / "mutation.json"
MARKS = ("<!-- mutants: begin -->\n", "<!-- mutants: end -->\n")
#: percent of a part that must be killed
LEAST = 90.0


def main() -> int:
    """Print the counts and write the page; 1 if fewer than 90 % were killed in a part."""
    found = list(mutants(ROOT / "mutants"))
    parts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in found:
        parts[each.part][each.outcome] += 1
    for part, counts in parts.items():
        print(f"{part}: {counts.total()} mutants, {share(counts):.1f} % killed; {dict(counts)}")
    result = {
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "parts": {part: {"mutants": counts.total(), "killed": counts[KILLED]} for part, counts in parts.items()},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
    text = table(parts, result["when"]) + listing([each for each in found if each.outcome != KILLED])
    PAGE.write_text(before + MARKS[0] + text + MARKS[1] + rest.split(MARKS[1])[1], encoding="utf-8")
    return int(any(share(counts) < LEAST for counts in parts.values()))


def share(counts: Counter[str]) -> float:
    """Return the percentage that was killed."""
    return 100.0 * counts[KILLED] / counts.total()


def table(parts: dict[str, Counter[str]], when: object) -> str:
    """Write how many were killed.

    :param parts: outcomes by part
    :param when: the day
    """
    rows = [
        f"| `{part}` | {counts.total():,} | {counts[KILLED]:,} | {share(counts):.1f} % |"
        for part, counts in parts.items()
    ]
    return "\n".join([f"\nOn {when}.\n", "| | mutants | killed | |", "|---|---|---|---|", *rows, "", ""])


def listing(left: list[Mutant]) -> str:
    """Return how many mutants survived, by reason; ``mutmut results`` has their names.

    :param left: those mutants
    """
    by_reason = Counter(why(each) for each in left)
    lines = ["## What survived\n", "| why | how many |", "|---|---|"]
    lines += [f"| {reason} | {count} |" for reason, count in by_reason.most_common()]
    return "\n".join([*lines, "", ""])


if __name__ == "__main__":
    sys.exit(main())
