"""What must be otherwise in the project that jobs are brought into."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dli.escaping import beginning


@dataclass(frozen=True, slots=True)
class Mapped:
    """What must be otherwise in the target.

    :param queues: queue of the source to queue of the target
    :param replacements: text to text, in every setting that is text: the SQL, paths, endpoints in it. All in one
        pass, of several that fit at one place the longest, so that what one has put in no other replaces
    """

    queues: Mapping[str, str] = field(default_factory=dict)
    replacements: Mapping[str, str] = field(default_factory=dict)

    def apply(self, settings: Mapping[str, Any], used: Counter[str]) -> dict[str, Any]:
        """Return settings as they shall be in the target.

        :param settings: of the source
        :param used: counts how often each was found
        """
        changed = {name: self._replaced(value, used) for name, value in settings.items()}
        queue = str(settings.get("queue_name"))
        if queue in self.queues:
            used[_queue(queue)] += 1
            changed["queue_name"] = self.queues[queue]
        return changed

    def _replaced(self, value: Any, used: Counter[str]) -> Any:  # noqa: ANN401 -- any JSON
        if isinstance(value, list):
            return [self._replaced(each, used) for each in value]
        if isinstance(value, Mapping):
            return {name: self._replaced(each, used) for name, each in value.items()}
        if not isinstance(value, str) or not self.replacements:
            return value
        for old in self.replacements:
            # Also where a longer one is replaced: it was found.
            used[_replacement(old)] += value.count(old)
        longest_first = sorted(self.replacements, key=len, reverse=True)
        found = "|".join(map(re.escape, longest_first))
        return re.sub(found, lambda match: self.replacements[match[0]], value)

    def unused(self, used: Counter[str]) -> list[str]:
        """Return what was found nowhere: a typing error, or a job that is not the one that was meant.

        :param used: how often each was found
        """
        shown = {_queue(queue): _queue(queue) for queue in self.queues}
        # A password may be among what is replaced.
        shown |= {_replacement(old): f"replacements {beginning(old)}" for old in self.replacements}
        return [name for key, name in shown.items() if not used[key]]


def _queue(name: str) -> str:
    return f"queues {name}"


def _replacement(old: str) -> str:
    return f"replacements {old}"
