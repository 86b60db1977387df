"""Text that forges lines of a log, drives a terminal, and shows itself otherwise than it is."""

from __future__ import annotations

import unicodedata

#: as a name, a status, a message or a key may be
HOSTILE = "x\nFORGED 日本\r\x1b[31m\u202e\u2066\u200b\ufeff\x85\u2028\x07"
#: what XML can carry of it
HOSTILE_XML = "x\nFORGED 日本\u202e\u2066\u200b\u2028"
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def is_clean(line: str) -> bool:
    """Return whether a line is one, and every character of it is visible."""
    return not any(unicodedata.category(each) in _UNSEEN for each in line)


def is_clean_output(text: str) -> bool:
    """Return the same of the output of a program: lines, none of them forged."""
    lines = text.split("\n")
    return all(map(is_clean, lines)) and not any(line.startswith("FORGED") for line in lines)
