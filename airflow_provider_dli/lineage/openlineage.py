"""What a task read and wrote, in OpenLineage's words. Imported only where its provider is installed."""

from __future__ import annotations

from typing import Any, ClassVar

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client import event_v2
from openlineage.client.facet_v2 import (
    RunFacet,
    data_quality_assertions_dataset,
    dataset_type_dataset,
    dataset_version_dataset,
    input_statistics_input_dataset,
)

from airflow_provider_dli.lineage.trace import Dataset, Trace

#: under which a run's own facts stand; OpenLineage wants a prefix for what is not in its standard
FACET = "dli_flinkJobs"


@attr.define
class FlinkJobsRunFacet(RunFacet):
    """Which Flink jobs a task dealt with.

    Names are in camel case, as in all facets. None and empty lists mean that it does not apply.
    """

    region: str | None = attr.field(default=None)
    projectId: str | None = attr.field(default=None)  # noqa: N815 -- OpenLineage's style
    jobIds: list[int] | None = attr.field(default=None)  # noqa: N815
    failedJobIds: list[int] = attr.field(factory=list)  # noqa: N815
    jobMapping: dict[str, int] | None = attr.field(default=None)  # noqa: N815

    _additional_skip_redact: ClassVar[list[str]] = ["region", "projectId"]


def told(trace: Trace) -> OperatorLineage[Any, Any]:
    """Translate.

    :param trace: what a task read and wrote
    """
    return OperatorLineage(
        inputs=[_input(dataset) for dataset in trace.inputs],
        outputs=[
            event_v2.OutputDataset(dataset.namespace, dataset.name, facets=_facets(dataset))
            for dataset in trace.outputs
        ],
        run_facets={FACET: FlinkJobsRunFacet(**trace.facts)} if trace.facts else {},
    )


def _input(dataset: Dataset) -> event_v2.InputDataset:
    facets: dict[str, Any] = {}
    if dataset.size is not None:
        facets["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            size=dataset.size, fileCount=1
        )
    if dataset.checks:
        facets["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[
                data_quality_assertions_dataset.Assertion(
                    assertion=check.name, success=check.success, description=check.description
                )
                for check in dataset.checks
            ]
        )
    return event_v2.InputDataset(dataset.namespace, dataset.name, facets=_facets(dataset), inputFacets=facets)


def _facets(dataset: Dataset) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if dataset.namespace.startswith("obs:"):
        facets["datasetType"] = dataset_type_dataset.DatasetTypeDatasetFacet(datasetType="FILE")
    if dataset.version is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=dataset.version)
    return facets
