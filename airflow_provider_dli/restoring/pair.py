"""A job and the one that was restored from it, compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.diff import Difference

_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Pair:
    """A job, and the one that was restored from it.

    :param old_job_id: id of the source
    :param new_job_id: id of the restored one; None if there is none
    :param name: of the source; None if it is gone
    :param differences: the settings in which they differ; nothing if one of them is missing
    :param is_itself: whether both are one and the same job
    :param show_values: whether values are shown that may hold secrets, such as a SQL text
    """

    old_job_id: int
    new_job_id: int | None
    name: str | None
    differences: tuple[Difference, ...] = ()
    is_itself: bool = False
    show_values: bool = False

    @property
    def flaw(self) -> str | None:
        """What is wrong, or None."""
        if self.name is None:
            return "its source is gone, so that nothing can be compared"
        if self.new_job_id is None:
            return "not restored"
        if self.is_itself:
            return "the restored job is the source itself, so that nothing is proven"
        fields = [
            f"{each.field} is {self._shown(each, each.restored)} and was {self._shown(each, each.source)}"
            for each in self.differences
        ]
        return "; ".join(fields) or None

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        fields = [each.as_dict(show_values=self.show_values) for each in self.differences]
        ids = {"old_job_id": self.old_job_id, "new_job_id": self.new_job_id, "name": self.name}
        return {**ids, "same": self.flaw is None, "flaw": self.flaw, "differences": fields}

    def _shown(self, difference: Difference, value: object) -> str:
        text = difference.describe(value, show_values=self.show_values)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
