"""Why a change may survive. The first rule that fits is given; what fits none is not classified."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from survivors import UNTESTED, Mutant


class Rule(NamedTuple):
    """What makes a survivor harmless, or known.

    :param reason: in words, for the page
    :param fits: returns whether it is so of one
    """

    reason: str
    fits: Callable[[Mutant], bool]


def _in(pattern: str) -> Callable[[Mutant], bool]:
    """Search for a pattern in what the code was changed into."""
    return lambda mutant: re.search(pattern, mutant.change[1]) is not None


def _same_but_for(pattern: str) -> Callable[[Mutant], bool]:
    """Return whether the change is in what the pattern takes away, and nowhere else."""

    def same(mutant: Mutant) -> bool:
        was, became = (re.sub(pattern, "", text) for text in mutant.change)
        return was == became

    return same


def _where(functions: str, change: str = "") -> Callable[[Mutant], bool]:
    """Search for one pattern in the name of the function, and for another in the change."""
    return lambda mutant: bool(re.match(functions, mutant.function) and re.search(change, " ".join(mutant.change)))


# What messages contain without quotation marks: names of operations, hosts, causes, advice.
_MESSAGE_PARTS = (
    r"\b((request|self\._request|call)\.operation|operation|remedy|error|missing|_NOT_FOUND|_CUT)\b|str\(None\)"
)
_LOGGING = (
    r"client\.(transport\.(no_response|sync\._(read|cause)|sync\..*_send)"
    r"|exchange\._log_|obs\.reader.*_read_chunk|.*iam\._time)"
)
# The session and each request set it, or two ways of reading NO_PROXY, so that neither can be forgotten.
_TWICE = "allow_redirects|cert|verify|trusted|proxies|set_policy|proxy_bypass|endswith|reading="
_ANYWAY = 'method="explicit|retries|signature_version|ensure_ascii|SSLContext|total=None|length_remaining'
_GUARDED = r"archive\.fields\.check_sizes|client\.flink\.settings\._checked$"
_MORE = (
    r"archive\.(contents|directory\._parse|entries|source)\b|client\.obs\.reader\.",
    r"_limit and|if keep|window\(|read\(None\)|_newest|central\[28\]|self\._start [+-] len|found\), None\)",
)
# What a shortcut does not take goes the long way, to the same end.
_LONGER = (
    r"archive\.(directory\._parse|fields\.(check_names|_check_conflicts))$",
    r"\) and False else _decode|is_plain|good\.add|DEFLATE_BEST|ODD|files\) or True",
)

RULES = (
    Rule("only tests with Airflow come by", lambda mutant: mutant.outcome == UNTESTED),
    Rule("both are equally long by then", _same_but_for(r"(, )?strict=\w+|, (?=\))")),
    Rule("a codec by another of its names", _same_but_for(r"(?i)\"(utf-8|ascii|cp437|unicode_escape)\"")),
    Rule("for a byte that cannot come", _in(r"decode\(\"[\w-]+\", (\)|\"XX|\"REPLACE)")),
    Rule("a type that only the type checker sees", _same_but_for(r"cast\(.*?, ")),
    Rule(
        "what the quick check does not accept, the careful one decides",
        _where(r"archive\.(entries\.Walk\._(check_quickly|agrees)|fields\.is_plain)"),
    ),
    Rule(
        "what the quick check does not accept, the careful one decides",
        _where(r"archive\.entries\.Walk\.run", r"_check_quickly|limit - entry\.offset"),
    ),
    Rule(
        "reached only if one of both is true already",
        _where(_GUARDED),
    ),
    Rule("the first of two locks", _where(r"client\.transport\.(sync|aio|ways)\.", _TWICE)),
    Rule("more is read or kept than is needed", _where(*_MORE)),
    Rule(
        "only the time it takes",
        _where(r"archive\.(source\.Stream|inspect|_read_all|entries\.check_gap)", "_pool|security|OVERLAP"),
    ),
    Rule("only the time it takes", _where(*_LONGER)),
    Rule("another finding reports it", _where(r"archive\.entries\.", "DESCRIPTOR|fitting")),
    Rule("what the library does anyway", _where("client", _ANYWAY)),
    Rule("the mark stands there once", _same_but_for(r"r?partition|junk \+?=")),
    Rule("no ETag begins or ends with an X", _in(r"strip\('XX")),
    Rule("a status of no group, one way or the other", _in(r"PHASES\.get\(status, (None)?\)")),
    Rule("a test that is omitted here holds it", _where(r"client\.obs\.client\.redact")),
    Rule("nothing is read before it is set", _in(r"self\._(body_end = None|is_lone = True)")),
    Rule("a fixed key needs no time", _where("client.obs.objects.find_object_flow")),
    Rule("the status of a success has no kind of error", _where("client.replies.decode", "_class")),
    Rule("words of a message", _where(_LOGGING)),
    Rule("words of a message", _same_but_for(rf"\"[^\"]*\"|None|{_MESSAGE_PARTS}")),
    Rule("read as false all the same", _same_but_for(r"(?<==)\s?(False|None|\"\")")),
    Rule("one turn more or less is borne", _in(r"self\._goes_back = True")),
    Rule("the very bound", _same_but_for(r"[<>]=?|\b\d+\b")),
)


def why(mutant: Mutant) -> str:
    """Return why it may have survived.

    :param mutant: that survived
    """
    return next((rule.reason for rule in RULES if rule.fits(mutant)), "not classified")
