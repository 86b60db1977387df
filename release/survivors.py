"""What the mutants changed that no test noticed, read from what mutmut left."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: mutmut's exit codes: a test failed or would never end; all passed; no test came by
KILLED, SURVIVED, UNTESTED, NOT_TRIED = "killed", "survived", "untested", "not tried"
_OUTCOMES = {None: NOT_TRIED, 0: SURVIVED, 5: UNTESTED, 33: UNTESTED, 34: "skipped"}
#: mutmut's name of a function: with its class between two marks, or without one
_NAME = re.compile(r"x(?:ǁ(?P<owner>\w+?)ǁ|_)(?P<function>\w+)")


@dataclass(frozen=True)
class Mutant:
    """One change.

    :param function: where, such as ``client.exchange.Retries._pause``
    :param number: mutmut's number of it in the function
    :param outcome: how it ended
    :param change: what was and what it was changed into; empty if it was killed
    """

    function: str
    number: int
    outcome: str
    change: tuple[str, str] = ("", "")

    @property
    def part(self) -> str:
        """Return the package that it is in: ``client`` or ``archive``."""
        return self.function.partition(".")[0]


def mutants(folder: Path) -> Iterator[Mutant]:
    """Read all mutants.

    :param folder: mutmut's own
    """
    for meta in sorted(folder.rglob("*.meta")):
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        source = _functions(meta.with_suffix("").read_text(encoding="utf-8"))
        for key, code in codes.items():
            module, _, name = key.rpartition(".")
            original, _, number = name.partition("__mutmut_")
            outcome = _OUTCOMES.get(code, KILLED)
            change = ("", "") if outcome == KILLED else _change(source, original, name)
            yield Mutant(f"{module.partition('.')[2]}.{_plain(original)}", int(number), outcome, change)


def _plain(name: str) -> str:
    found = _NAME.fullmatch(name)
    return ".".join(part for part in (found["owner"], found["function"]) if part) if found else name


def _functions(source: str) -> dict[str, list[str]]:
    lines = source.splitlines()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds))
    return {node.name: lines[node.lineno : node.end_lineno] for node in found}


def _change(functions: dict[str, list[str]], original: str, name: str) -> tuple[str, str]:
    """Return the lines that differ, before and after; those of the signature are not among them."""
    before, after = functions.get(f"{original}__mutmut_orig", []), functions.get(name, [])
    lines = [line for line in difflib.ndiff(before, after) if line[:2] in ("- ", "+ ")]
    return tuple(" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")  # type: ignore[return-value]  # two
