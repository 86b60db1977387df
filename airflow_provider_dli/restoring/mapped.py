"""What must be otherwise in the project that jobs are brought into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Mapped:
    """What must be otherwise in the target.

    :param queues: queue of the source to queue of the target
    :param replacements: text to text, in every setting that is text: the SQL, paths, endpoints in it
    """

    queues: Mapping[str, str] = field(default_factory=dict)
    replacements: Mapping[str, str] = field(default_factory=dict)

    def apply(self, settings: Mapping[str, Any], used: Counter[str]) -> dict[str, Any]:
        """Give settings as they shall be in the target.

        :param settings: of the source
        :param used: counts how often each was found
        """
        changed = {name: self._replaced(value, used) for name, value in settings.items()}
        queue = str(settings.get("queue_name"))
        if queue in self.queues:
            used[f"queues {queue}"] += 1
            changed["queue_name"] = self.queues[queue]
        return changed

    def _replaced(self, value: Any, used: Counter[str]) -> Any:  # noqa: ANN401 -- any JSON
        if isinstance(value, list):
            return [self._replaced(each, used) for each in value]
        if not isinstance(value, str):
            return value
        for old, new in self.replacements.items():
            used[f"replacements {old}"] += value.count(old)
            value = value.replace(old, new)
        return value

    def unused(self, used: Counter[str]) -> list[str]:
        """Give what was found nowhere: a slip of the pen, or a job that is not the one that was meant.

        :param used: how often each was found
        """
        names = [
            *(f"queues {queue}" for queue in self.queues),
            *(f"replacements {old}" for old in self.replacements),
        ]
        return [name for name in names if not used[name]]
