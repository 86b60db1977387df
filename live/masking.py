"""Take out of a text what a stranger must not learn: the same thing is called the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: fields of responses whose values are somebody's own, and what they are called instead
_OWN = {
    "name": "job",
    "user_name": "user",
    "user_id": "user",
    "project_id": "project",
    "queue_name": "queue",
    "desc": "description",
    "savepoint_path": "path",
    "domain_id": "account",
    "tenant_id": "account",
}
_PATTERNS = (
    (re.compile(r"[0-9A-Za-z+/_-]{40,}={0,2}"), "<long>"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<hex>"),
    (re.compile(r"\b[\w.+-]+@[\w.-]+\b"), "<mail>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "<address>"),
)
#: of a denial: "Permission denied for resource …, User = …, Action = …"
_SUBJECT = re.compile(r"(?i)(\b(?:user|resource|domain|account|agency)(?:_?name)?\"?\s*[=:]\s*)[^,]+")
_NUMBER = re.compile(r"\d{3,}")
_SHORTEST = 3


class Mask:
    """Remembers what is to be masked, and masks it."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def learn(self, kind: str, value: object) -> None:
        """Remember a text; one that is shorter than three characters hides nothing and would redact too much.

        :param kind: what it is, for its place in the text: ``bucket`` becomes ``<bucket 1>``
        :param value: the text; anything else is left alone
        """
        if isinstance(value, str) and len(value) >= _SHORTEST and value not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[value] = f"<{kind} {self._counts[kind]}>"

    def learn_from(self, body: object) -> None:
        """Remember what a response contains of its owner.

        :param body: decoded JSON
        """
        if isinstance(body, list):
            for each in body:
                self.learn_from(each)
        elif isinstance(body, Mapping):
            for name, value in body.items():
                if name in _OWN:
                    self.learn(_OWN[name], value)
                self.learn_from(value)

    def message(self, text: str) -> str:
        """Mask the service's words: numbers of three digits and more as well, which may be somebody's ids."""
        return _NUMBER.sub("<number>", _SUBJECT.sub(r"\1<hidden>", self.text(text)))

    def text(self, text: str) -> str:
        """Mask a text."""
        for value in sorted(self._names, key=len, reverse=True):
            text = text.replace(value, self._names[value])
        for pattern, name in _PATTERNS:
            text = pattern.sub(name, text)
        return text

    def leaks(self, text: str, own_words: str) -> list[str]:
        """Name what of all that was learnt is in a text, by its place-holder.

        :param text: that is to be passed on
        :param own_words: what a text may hold in any case: a job called ``job`` gives nothing away
        """
        return sorted(name for value, name in self._names.items() if value in text and value not in own_words)


def shape(body: object) -> Any:  # noqa: ANN401 - JSON of any kind
    """Return the form of a response without what is in it: field names, kinds, the first element of a list.

    :param body: decoded JSON
    """
    if isinstance(body, Mapping):
        return {str(name): shape(value) for name, value in body.items()}
    if isinstance(body, list):
        return [shape(body[0]), f"{len(body)} in all"] if body else []
    if body is None or isinstance(body, bool):
        return body
    return {int: "number", float: "number", str: "text"}.get(type(body), type(body).__name__)
