"""Count what mutation testing found, by part; what survived is listed. Run by ``make mutants``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: mutmut's exit codes: a test failed or would never end; all passed; no test came by
_KILLED, _SURVIVED, _UNTESTED = "killed", "survived", "untested"
_LEAST = 90.0


def main() -> int:
    """Print the table; 1 if fewer than 90 % were killed in a part."""
    counts: dict[str, Counter[str]] = {}
    left: list[str] = []
    for file in sorted((ROOT / "mutants").rglob("*.meta")):
        for name, code in json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            part = name.split(".")[1]
            kind = outcome(code)
            counts.setdefault(part, Counter())[kind] += 1
            if kind != _KILLED:
                left.append(f"{kind} {name}")
    for part, found in sorted(counts.items()):
        print(f"{part}: {found.total()} mutants, {share(found):.1f} % killed; {dict(found)}")
    if "--list" in sys.argv:
        print(*left, sep="\n")
    return int(any(share(found) < _LEAST for found in counts.values()))


def outcome(code: int | None) -> str:
    """Tell how a mutant ended.

    :param code: as mutmut keeps it; None if it was not tried
    """
    if code is None:
        return "not tried"
    return {0: _SURVIVED, 33: _UNTESTED, 34: "skipped", 5: _UNTESTED}.get(code, _KILLED)


def share(found: Counter[str]) -> float:
    """Give the percentage that was killed."""
    return 100.0 * found[_KILLED] / found.total()


if __name__ == "__main__":
    sys.exit(main())
