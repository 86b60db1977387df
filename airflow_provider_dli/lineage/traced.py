"""Operators that tell OpenLineage what they read and wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_dli.lineage.trace import Trace


class Traced:
    """An operator that tells OpenLineage what it read and wrote, green or red, deferred or not."""

    trace: Trace | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:  # noqa: ANN401 -- Airflow's
        """Tell; OpenLineage's provider asks after a success and after a failure.

        :param task_instance: not needed: the operator knows
        """
        del task_instance
        if self.trace is None:
            return None
        from airflow_provider_dli.lineage.openlineage import told  # noqa: PLC0415 -- needs OpenLineage's provider

        return told(self.trace)
