"""IAM policies of users: what a document of version 1.1 or 5.0 allows.

A policy of version 1.1 and an identity policy of version 5.0 have some actions under different names, as the
tables of the manual have them; a name of one version means nothing in a document of the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

VERSIONS = ("1.1", "5.0")
_PARTS = 5
#: action -> names that it has in a version, any of which allows it; an action that is not here has its own name.
#: INVENTED: that in version 1.1 whoever may see a job may list its own, for which its table has no row
_NAMES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("dli:jobs:start", "5.0"): ("dli:jobs:startFlinkJob",),
    ("dli:jobs:stop", "5.0"): ("dli:jobs:stopFlinkJob",),
    ("dli:jobs:list", "5.0"): ("dli:jobs:list", "dli:jobs:listAll"),
    ("dli:jobs:list", "1.1"): ("dli:jobs:list", "dli:jobs:listAll", "dli:jobs:get"),
}


@dataclass(frozen=True)
class Statement:
    """One statement of a policy.

    :param allows: whether it allows or denies
    :param actions: patterns such as ``dli:jobs:*``
    :param resources: patterns such as ``obs:*:*:object:bucket/*``; empty for all
    """

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()

    def covers(self, names: Iterable[str], resource: str | None) -> bool:
        """Return whether it is about an action.

        :param names: of the action
        :param resource: that it is for, such as ``obs:object:bucket/key``; None if resources do not matter
        """
        is_named = any(_fits(pattern, name) for pattern in self.actions for name in names)
        if not is_named or resource is None or not self.resources:
            return is_named
        return any(_is_resource(pattern, resource) for pattern in self.resources)


@dataclass(frozen=True)
class Policy:
    """A policy as IAM stores it.

    :param version: one of ``VERSIONS``
    :param statements: what it allows and denies
    """

    version: str
    statements: tuple[Statement, ...]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Read the JSON document of a policy.

        :param document: with ``Version`` and ``Statement``
        :raises ValueError: if it is not a valid policy, or has conditions, which the emulator does not know
        """
        given: object = document
        version = given.get("Version") if isinstance(given, Mapping) else None
        if version not in VERSIONS:
            raise ValueError(f"the Version of a policy must be one of {', '.join(VERSIONS)}, not {version!r}")
        statements = document.get("Statement")
        if not isinstance(statements, list) or not statements:
            raise ValueError(f"the Statement of a policy must be a list, not {statements!r}")
        return cls(version, tuple(_statement(each) for each in statements))


def is_allowed(policies: Iterable[Policy], action: str, resource: str | None = None) -> bool:
    """Return whether policies allow an action: at least one statement does, and none denies it.

    :param policies: those of a user
    :param action: by its name in version 1.1
    :param resource: that it is for; None if resources do not matter
    """
    effects = [
        statement.allows
        for policy in policies
        for statement in policy.statements
        if statement.covers(_NAMES.get((action, policy.version), (action,)), resource)
    ]
    return bool(effects) and all(effects)


def _statement(given: Any) -> Statement:  # noqa: ANN401 - any JSON
    if not isinstance(given, Mapping) or given.get("Effect") not in ("Allow", "Deny"):
        raise ValueError(f"a Statement must be an object whose Effect is Allow or Deny, not {given!r}")
    if given.get("Condition"):
        raise ValueError("the emulator does not know the Condition of a Statement")
    actions, resources = _patterns(given, "Action"), _patterns(given, "Resource")
    if not actions or not all(re.fullmatch(r"\*|[\w*-]+:[\w*-]+:[\w*-]+", action) for action in actions):
        raise ValueError(f"each Action must be of the form service:type:action, not {list(actions)}")
    return Statement(given["Effect"] == "Allow", actions, resources)


def _patterns(statement: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = statement.get(name) or []
    patterns = [given] if isinstance(given, str) else given
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise ValueError(f"the {name} of a Statement must be a list of strings, not {given!r}")
    return tuple(patterns)


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.DOTALL | re.IGNORECASE) is not None


def _is_resource(pattern: str, resource: str) -> bool:
    """Return whether a pattern ``service:region:account:type:path`` is of a resource ``service:type:path``."""
    if pattern == "*":
        return True
    parts = pattern.split(":", _PARTS - 1)
    if len(parts) < _PARTS:
        return False
    service, kind, path = resource.split(":", 2)
    return _fits(parts[0], service) and _fits(parts[3], kind) and _fits(parts[4], path)
