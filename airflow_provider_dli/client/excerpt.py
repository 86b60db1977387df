"""A value in a message: escaped, on one line, short, and no secret that came into the wrong field."""

from __future__ import annotations

import re
import reprlib

from airflow_provider_dli.escaping import escaped

#: most characters of a value in a message, and most of a word in it
_MOST, _MOST_OF_WORD = 80, 20
#: what is read of a longer text
_READ = 4 * _MOST
_WORD = re.compile(rf"\S{{{_MOST_OF_WORD + 1},}}")
_NAMED_SECRET = re.compile(
    r"(?i)((?:pass(?:word|wd)?|pwd|secret\w*|token|credential\w*|(?:access_?)?key)['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,]+"
)
_USER_INFO = re.compile(r"://[^/\s@]*@")


class _Excerpt(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _READ
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 4
        self.maxlevel = 3

    def repr_str(self, x: str, level: int) -> str:
        del level
        return repr(x[:_READ])

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # more digits than Python writes
            return "<int>"

    def repr_instance(self, x: object, level: int) -> str:
        text = super().repr_instance(x, level)
        # Where it lies in memory is of no use to anybody.
        return f"<{type(x).__name__}>" if " at 0x" in text else text


_EXCERPT = _Excerpt()


def excerpt(value: object) -> str:
    """Return a value as a message shows it.

    Of a word longer than 20 characters at most the first half is shown, and never more than 20: it may be a secret
    that was put into the wrong field. So is what follows ``password=`` and the like, and a user before a host.

    :param value: whatever was given
    """
    text = escaped(_EXCERPT.repr(value))
    text = _USER_INFO.sub("://…", _NAMED_SECRET.sub(r"\1…", text))
    text = _WORD.sub(lambda word: f"{word[0][: min(_MOST_OF_WORD, len(word[0]) // 2)]}…", text)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
