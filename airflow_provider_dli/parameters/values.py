"""Read values in every form that Airflow gives them.

Jinja writes ``None`` as ``'None'``, a list as ``"['a', 'b']"``, a flag as ``'True'``; with
``render_template_as_native_obj`` it reads ``'1'`` as 1 and ``'None'`` as None. An empty field of a form is ``""``.
The output of a mapped task is a lazy sequence of what each instance returned, so often a list of lists. The output
of our own operators is a list of rows.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from itertools import islice
from numbers import Integral
from typing import Any, cast
from zoneinfo import ZoneInfo

from jinja2 import Undefined

from airflow_provider_dli.formatting import excerpt

#: of a list, and of lists in lists
_MAX_ITEMS, _MAX_DEPTH = 100_000, 8
_MAX_DIGITS = 30
_WHOLE_NUMBER = re.compile(rf"[+-]?[0-9]{{1,{_MAX_DIGITS}}}")
#: how a string begins that Python or JSON has written, and no place or id does
_WRITTEN = re.compile(r"""[\[({'"]|[A-Za-z_][\w.]*\(""")


class Refused(ValueError):  # noqa: N818 -- a value is refused; the error is made of it
    """A value cannot be used. Pydantic collects these; the model makes one ConfigurationError of all."""

    def __init__(self, problem: str, remedy: str | None = None, name: str | None = None) -> None:
        super().__init__(problem)
        #: what is wrong, after the name of the parameter
        self.problem = problem
        #: what would be right; that of the kind if None
        self.remedy = remedy
        #: the parameter, where another is at fault than the one that is read
        self.name = name


class Nothing(Refused):
    """A value is nothing, and nothing is made of it."""

    def __init__(self, value: object) -> None:
        super().__init__(f"was given and is {_nothing(value)}")


class PartIsNothing(Refused):
    """A part of a value is nothing: an item of a list, a value in a mapping."""

    def __init__(self, part: str, value: object) -> None:
        super().__init__(f"{part} is {_nothing(value)}", "give it a value, or omit it")


def _nothing(value: object) -> str:
    return "None" if value is None or (isinstance(value, str) and value.strip()) else "empty"


def is_nothing(value: object) -> bool:
    """Return whether a value rendered to nothing: None, ``'None'``, empty, only spaces, or undefined.

    A job or queue that is really named ``None`` cannot be distinguished from it.
    """
    if isinstance(value, str):
        return value.strip() in {"", "None"}
    return value is None or isinstance(value, Undefined)


def literal(text: str) -> object:
    """Return what Python or JSON has written as text.

    A dataclass or named tuple, which is written as a call, becomes a mapping; times, sets and the like are read.

    :raises Refused: if it is neither, or holds another call
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(_Calls().visit(ast.parse(text.strip(), mode="eval")))
    except Refused:
        raise
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise Refused(f"{excerpt(text)} cannot be read") from None


def _zone(name: object = None, *, key: object = None) -> tzinfo:
    return ZoneInfo(str(name if key is None else key))


def _fixed(seconds: float, *, name: object = None) -> tzinfo:  # noqa: ARG001 -- pendulum writes it
    return timezone(timedelta(seconds=seconds))


#: what Python and pendulum write as a call, and what reads it
_CALLS: dict[str, Callable[..., object]] = {
    "datetime.datetime": datetime,
    "DateTime": datetime,
    "datetime.date": date,
    "Date": date,
    "datetime.timedelta": timedelta,
    "datetime.timezone": timezone,
    "Timezone": _zone,
    "zoneinfo.ZoneInfo": _zone,
    "FixedTimezone": _fixed,
    "Decimal": Decimal,
    "dict_keys": list,
    "dict_values": list,
    "deque": list,
    "set": set,
    "frozenset": frozenset,
    "OrderedDict": dict,
}


class _Calls(ast.NodeTransformer):
    """Read calls that are well known; one with keywords alone is a dataclass or a named tuple, so a mapping.

    Any other is refused: what it would be is not known, and it must not become an empty value.
    """

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """``datetime.timezone.utc``, as the zone of a time."""
        return _constant(UTC) if ast.unparse(node) == "datetime.timezone.utc" else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """``ExportResult(zip_file=('a',))`` becomes ``{'zip_file': ('a',)}``."""
        known = _CALLS.get(ast.unparse(node.func))
        try:
            positional = [ast.literal_eval(self.visit(each)) for each in node.args]
            named: dict[Any, Any] = {each.arg: ast.literal_eval(self.visit(each.value)) for each in node.keywords}
            if known:
                return _constant(known(*positional, **named))
        except Refused:
            raise
        except (ArithmeticError, LookupError, OSError, TypeError, ValueError):
            raise Refused(f"{excerpt(ast.unparse(node))} cannot be read") from None
        if positional or not named or None in named:
            raise Refused(f"{excerpt(ast.unparse(node))} is a call, and cannot be read")
        return _constant(named)


def _constant(value: object) -> ast.expr:
    return ast.Constant(cast("Any", value))


def bare(value: object) -> object:
    """Return a single value without what surrounds it in a string: spaces, or quotes of JSON or Python."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith(("'", '"')):
        try:
            inner = literal(text)
        except Refused:
            return text
        return inner.strip() if isinstance(inner, str) else text
    return text


@dataclasses.dataclass(frozen=True, slots=True)
class ListForm:
    """How a list of a kind is read."""

    #: takes a string apart
    split: Callable[[str], list[str]]
    #: takes one in a list apart, if not as well
    split_item: Callable[[str], list[str]] | None = None
    #: whether a string may be a list that Python or JSON has written
    written: bool = True
    #: returns the key under which a row has a list; None for a row that is a single value
    key_of: Callable[[Mapping[Any, Any]], str | None] = lambda _: None
    #: whether a list in the list may be empty
    may_be_empty: bool = True


def leaves(value: object, form: ListForm) -> list[object]:
    """Return the single values in a list, flattened: strings that are lists, lists of lists, lazy sequences, sets.

    Plain strings are split, those in a list as the form has it. Mappings, dataclasses and named tuples are rows:
    single values, as mappings. Sets are sorted, for their order differs from process to process.

    :raises Refused: if a part of it is nothing, or is like a list and cannot be read, or there is no end to it
    """
    found = list(islice(_walk(value, form), _MAX_ITEMS + 1))
    if len(found) > _MAX_ITEMS:
        raise Refused(f"holds more than {_MAX_ITEMS:,} items")
    return found


def _walk(value: object, form: ListForm, path: tuple[str, ...] = (), *, is_item: bool = False) -> Iterator[object]:
    """Yield the single values in a part of a list.

    :param path: where the part is: ``item 2``, and in that ``zip_file``; empty for the whole, which may be nothing
    :param is_item: whether the part is an item of a list; a name there may resemble a list
    """
    if len(path) > _MAX_DEPTH:
        raise Refused("holds lists in lists without end")
    if isinstance(value, str) and form.written and _WRITTEN.match(value.strip()):
        value = _literal_or_name(value) if is_item and form.split_item else literal(value)
    part = " of ".join(reversed(path))
    if part and (is_nothing(value) or (isinstance(value, Mapping) and not value)):
        raise PartIsNothing(part, value)
    if isinstance(value, str):
        yield from _split(value, (is_item and form.split_item) or form.split, part)
    elif (row := as_row(value)) is not None:
        key = form.key_of(row)
        yield from [row] if key is None else _walk(row[key], form, (*path, key))
    elif (inner := _iterated(value)) is None:
        yield value
    else:
        is_empty = True
        for number, each in enumerate(inner, 1):
            is_empty = False
            yield from _walk(each, form, (*path, f"item {number}"), is_item=True)
        if part and is_empty and not form.may_be_empty:
            raise PartIsNothing(part, "")


def _literal_or_name(text: str) -> object:
    try:
        return literal(text)
    except Refused:
        return text


def _split(text: str, split: Callable[[str], list[str]], part: str) -> list[str]:
    """Return the values in a string; that of which all are empty is empty itself."""
    found = split(text.strip())
    if not any(each.strip() for each in found):
        if part:
            raise PartIsNothing(part, "")
        return []
    for number, each in enumerate(found, 1):
        if is_nothing(each):
            raise PartIsNothing(f"item {number} of {part}" if part else f"item {number}", each)
    return found


def as_row(value: object) -> Mapping[Any, Any] | None:
    """Return a mapping, or what has fields as one; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    names = getattr(value, "_fields", ()) if isinstance(value, tuple) else ()
    return dict(zip(names, value, strict=False)) if names and isinstance(value, tuple) else None


def _iterated(value: object) -> Iterable[object] | None:
    """Return what a list holds, whatever kind of list; None for a single value."""
    if isinstance(value, bytes | bytearray | memoryview | Undefined) or not isinstance(value, Iterable):
        return None
    if isinstance(value, AbstractSet):
        return sorted(value, key=lambda each: (type(each).__name__, each if isinstance(each, int) else str(each)))
    try:
        return iter(value)
    except TypeError:  # an XComArg that nobody resolved raises it
        return None


def mapping(value: object) -> Mapping[Any, Any]:
    """Return a mapping, also one that Jinja or JSON has written.

    :raises Refused: if it is none
    """
    found = literal(value) if isinstance(value, str) else value
    row = as_row(found)
    if row is None:
        raise Refused(f"{excerpt(value)} is not a mapping")
    return row


def whole_number(value: object) -> int | None:
    """Return a whole number, also one that is written as text; None for anything else, a boolean too."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if _WHOLE_NUMBER.fullmatch(text) else None
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _MAX_DIGITS:
        return int(value) if value == int(value) else None
    return None
