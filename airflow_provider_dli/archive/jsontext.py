"""JSON as RFC 8259 has it, whatever Python takes beside: no NaN, no bare Infinity, no broken Unicode."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from json import JSONDecodeError, JSONDecoder, detect_encoding
from typing import Any, NoReturn


class JsonError(ValueError):
    """A text that is not JSON; the message says why, and where."""


def is_json(data: bytes) -> bool:
    """Tell whether ``data`` surely is JSON, without making objects of it, which is faster than :func:`parse`.

    False may also mean that nothing here can tell; then :func:`parse` has the last word.
    """
    return quick_check()(data)


def parse(data: bytes) -> Any:  # noqa: ANN401 - what JSON holds has no type
    """Make objects of JSON in UTF-8, UTF-16 or UTF-32, with or without a byte order mark; numbers stay text.

    :raises JsonError: where it is none.
    """
    try:
        return DECODER.decode(data.decode(detect_encoding(data)))
    except JSONDecodeError as error:
        raise JsonError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise JsonError(f"byte {error.start} is not {error.encoding}") from None
    except RecursionError:
        raise JsonError("it is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise JsonError(f"{constant} is no JSON value")


DECODER = JSONDecoder(parse_constant=_refuse, parse_int=str, parse_float=str)


@cache
def quick_check() -> Callable[[bytes], bool]:
    """Take msgspec where it is installed, as it is beside Airflow 3: it can skip over a value, checking it."""
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
