"""JSON as RFC 8259 defines it, whatever Python accepts beside: no NaN, no bare Infinity, no broken Unicode.

Parsed at once, or read piece by piece in bounded memory.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from json import JSONDecodeError, JSONDecoder
from typing import Any, NoReturn

MARK = 4
"""Bytes that show the encoding."""
LONGEST = 1 << 16
"""Characters of a string or number that are kept; no job's id or name is longer."""
DEEPEST = 1 << 20
"""Levels; no document that is parsed at once has more."""
TOO_DEEP = "it is nested too deeply to examine"
SPACE = re.compile(r"[ \t\n\r]*")
PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
WORD = re.compile(r"[-+.0-9A-Za-z]*")
LITERALS = {"true", "false", "null"}
LONGEST_ESCAPE = 6
VALUE, FIRST_VALUE, KEY, FIRST_KEY, COLON, AFTER = range(6)
CLOSING = {"{": "}", "[": "]"}


class JsonError(ValueError):
    """A text that is not JSON; the message has the reason and the place."""


class UnreadableError(ValueError):
    """A text that exceeds what can be read in bounded memory, JSON or not; the message has the reason."""


def is_json(data: bytes) -> bool:
    """Return whether ``data`` surely is JSON, without making objects of it, which is faster than :func:`parse`.

    False may also mean that nothing here can decide; then :func:`parse` does.
    """
    return quick_check()(data)


@cache
def quick_check() -> Callable[[bytes], bool]:
    """Use msgspec if it is installed, as it is beside Airflow 3: it can skip over a value, checking it."""
    try:
        msgspec = import_module("msgspec")
    except ImportError:
        return lambda _data: False
    skip = msgspec.json.Decoder(msgspec.Raw).decode

    def check(data: bytes) -> bool:
        try:
            skip(data)
            data.isascii() or data.decode("utf-8")
        except (msgspec.DecodeError, ValueError, RecursionError):  # older msgspec: no ValueError
            return False
        return True

    return check


def parse(data: bytes) -> Any:  # noqa: ANN401 - what JSON holds has no type
    """Make objects of JSON in UTF-8, UTF-16 or UTF-32, with or without a byte order mark; numbers stay strings.

    :raises JsonError: if it is not JSON.
    :raises UnreadableError: if it is nested deeper than Python's parser goes; :class:`JsonStream` goes deeper.
    """
    try:
        return DECODER.decode(data.decode(json.detect_encoding(data)))
    except JSONDecodeError as error:
        raise JsonError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise JsonError(f"byte {error.start} is not {error.encoding}") from None
    except RecursionError:
        raise UnreadableError(TOO_DEEP) from None


def _refuse(constant: str) -> NoReturn:
    raise JsonError(f"{constant} is not a JSON value")


class Number(str):
    """A number as it is written."""

    __slots__ = ()


DECODER = JSONDecoder(parse_constant=_refuse, parse_int=Number, parse_float=Number)


class JsonStream:
    """Read one document piece by piece, and find the expected jobs that it names.

    :param keys: members that name a job.
    :param jobs: ids and names that are searched for; None for all.

    ``found`` has those of them that were met, ``seen`` the members that named any job; both count only after
    :meth:`finish`, and if the bytes were intact.
    """

    def __init__(self, keys: frozenset[str], jobs: frozenset[str] | None) -> None:
        self.found: set[str] = set()
        self.seen: set[str] = set()
        self._keys = keys
        self._jobs = jobs
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._tokens = Tokens()
        self._open: list[str] = []
        self._expect = VALUE
        self._member: str | None = None  # if it names a job

    def feed(self, data: bytes, *, final: bool = False) -> None:
        """Read the next piece.

        :raises JsonError: if it is not JSON.
        :raises UnreadableError: if it exceeds the bounds.
        """
        if self._decoder is None:
            self._head += data
            if len(self._head) < MARK and not final:
                return
            self._decoder = codecs.getincrementaldecoder(json.detect_encoding(self._head))()
            data = self._head
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            raise JsonError(f"it is not {error.encoding}") from None
        for kind, value in self._tokens.read(text, final=final):
            self._take(kind, value)

    def finish(self) -> None:
        """Read the end.

        :raises JsonError: if it is not JSON.
        """
        self.feed(b"", final=True)
        if self._open or self._expect != AFTER:
            raise JsonError("it ends too early")

    def _take(self, kind: str, value: str | None) -> None:
        """Check a token against the grammar, and the value of a member that counts against the jobs."""
        expect = self._expect
        if expect in (VALUE, FIRST_VALUE):
            self._take_value(kind, value)
        elif expect in (KEY, FIRST_KEY) and kind == '"':
            self._member = value if value in self._keys else None
            self._expect = COLON
        elif expect == COLON and kind == ":":
            self._expect = VALUE
        elif expect == AFTER and kind == "," and self._open:
            self._expect = KEY if self._open[-1] == "{" else VALUE
        elif expect in (AFTER, FIRST_KEY) and self._open and kind == CLOSING[self._open[-1]]:
            self._close()
        else:
            raise JsonError(f"'{kind}' stands where it cannot")

    def _take_value(self, kind: str, value: str | None) -> None:
        member, self._member = self._member, None
        if kind in CLOSING:
            if len(self._open) == DEEPEST:
                raise UnreadableError(TOO_DEEP)
            self._open.append(kind)
            self._expect = FIRST_KEY if kind == "{" else FIRST_VALUE
        elif kind in ('"', "0", "t"):
            if member is not None and kind != "t":
                self.seen.add(member)
                if value is not None and (self._jobs is None or value in self._jobs):
                    self.found.add(value)
            self._expect = AFTER
        elif kind == "]" and self._expect == FIRST_VALUE:
            self._close()
        else:
            raise JsonError(f"'{kind}' stands where a value must")

    def _close(self) -> None:
        self._open.pop()
        self._expect = AFTER


class Tokens:
    """Cut text that comes in pieces into tokens."""

    def __init__(self) -> None:
        self._rest = ""
        self._string: list[str] | None = None  # of a string that has begun
        self._length = 0

    def read(self, text: str, *, final: bool) -> Iterator[tuple[str, str | None]]:
        """Yield kind and text of each token: ``"`` a string, ``0`` a number, ``t`` a literal, else the mark.

        The text of a string that is too long to name a job is None.

        :param final: whether this is the end.
        """
        text, at = self._rest + text, 0
        while True:
            if self._string is not None:
                at, is_complete = self._read_string(text, at, final=final)
                if not is_complete:
                    break
                yield '"', self._finished()
            at = _end(SPACE, text, at)
            if at == len(text):
                break
            mark = text[at]
            if mark == '"':
                self._string, self._length, at = [], 0, at + 1
            elif mark in "{}[]:,":
                at += 1
                yield mark, mark
            else:
                end = _end(WORD, text, at)
                if end - at > LONGEST:
                    raise UnreadableError("it holds a number of too many digits")
                if end == len(text) and not final:
                    break
                yield _kind(text[at:end] or mark), text[at:end]
                at = end
        self._rest = text[at:]

    def _read_string(self, text: str, at: int, *, final: bool) -> tuple[int, bool]:
        """Read on in a string; return the position after that, and whether the string has ended."""
        while True:
            end = _end(PLAIN, text, at)
            self._keep(text[at:end])
            at = end
            if at == len(text):
                break
            if text[at] == '"':
                return at + 1, True
            escape = ESCAPE.match(text, at)
            if escape is None:
                if text[at] == "\\" and len(text) - at < LONGEST_ESCAPE and not final:
                    return at, False
                raise JsonError("a string holds what it cannot")
            self._keep(escape.group())
            at = escape.end()
        if final:
            raise JsonError("a string has no end")
        return at, False

    def _keep(self, part: str) -> None:
        self._length += len(part)
        if self._string is not None and self._length <= LONGEST:
            self._string.append(part)

    def _finished(self) -> str | None:
        parts, self._string = self._string, None
        if parts is None or self._length > LONGEST:
            return None
        raw = "".join(parts)
        return str(json.loads(f'"{raw}"')) if "\\" in raw else raw


def _kind(word: str) -> str:
    if word in LITERALS:
        return "t"
    if NUMBER.fullmatch(word):
        return "0"
    raise JsonError("it holds what is not a value")


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where the match of a pattern ends that also matches nothing."""
    match = pattern.match(text, at)
    return match.end() if match else at
