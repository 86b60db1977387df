"""Why a change may survive. The first rule that fits is told; what fits none is not judged."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from survivors import UNTESTED, Mutant


class Rule(NamedTuple):
    """What makes a survivor harmless, or known.

    :param reason: in words, for the page
    :param fits: tells whether it is so of one
    """

    reason: str
    fits: Callable[[Mutant], bool]


def _in(pattern: str) -> Callable[[Mutant], bool]:
    """Look for a pattern in what the code was changed into."""
    return lambda mutant: re.search(pattern, mutant.change[1]) is not None


def _same_but_for(pattern: str) -> Callable[[Mutant], bool]:
    """Tell whether the change is in what the pattern takes away, and nowhere else."""

    def same(mutant: Mutant) -> bool:
        was, became = (re.sub(pattern, "", text) for text in mutant.change)
        return was == became

    return same


RULES = (
    Rule("only tests with Airflow come by", lambda mutant: mutant.outcome == UNTESTED),
    Rule("both are equally long by then", _same_but_for(r"(, )?strict=\w+|, (?=\))")),
    Rule("a codec by another of its names", _same_but_for(r"(?i)\"(utf-8|ascii|cp437|unicode_escape)\"")),
    Rule("for a byte that cannot come", _in(r"decode\(\"[\w-]+\", (\)|\"XX|\"REPLACE)")),
    Rule("a type that only the type checker sees", _same_but_for(r"cast\(.*?, ")),
    Rule("words of a message", _same_but_for(r"\"[^\"]*\"|None")),
    Rule("read as false all the same", _same_but_for(r"(?<== )(False|None|\"\")")),
    Rule("the very bound", _same_but_for(r"[<>]=?|\b\d+\b")),
)


def why(mutant: Mutant) -> str:
    """Say why it may have survived.

    :param mutant: that survived
    """
    return next((rule.reason for rule in RULES if rule.fits(mutant)), "not judged")
