"""Lineage as OpenLineage's classes. Imported only where OpenLineage's provider is installed."""

from __future__ import annotations

from typing import Any, ClassVar

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client import event_v2
from openlineage.client.facet_v2 import RunFacet, dataset_type_dataset, dataset_version_dataset
from openlineage.client.facet_v2 import data_quality_assertions_dataset as assertions
from openlineage.client.facet_v2 import input_statistics_input_dataset as statistics

from airflow_provider_dli.lineage import Check, Dataset, Lineage

#: key of the run facet; OpenLineage requires a prefix for facets outside its standard
FACET = "dli_flinkJobs"


@attr.define
class FlinkJobsRunFacet(RunFacet):
    """The Flink jobs of a task. None and an empty list mean that a field does not apply."""

    region: str | None = attr.field(default=None)
    projectId: str | None = attr.field(default=None)  # noqa: N815 -- OpenLineage's style
    jobIds: list[int] | None = attr.field(default=None)  # noqa: N815
    failedJobIds: list[int] = attr.field(factory=list)  # noqa: N815
    visibleJobs: int | None = attr.field(default=None)  # noqa: N815
    jobMapping: dict[str, int] | None = attr.field(default=None)  # noqa: N815

    _additional_skip_redact: ClassVar[list[str]] = ["region", "projectId"]


def operator_lineage(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """Return the lineage of a task as OpenLineage's provider takes it."""
    return OperatorLineage(
        inputs=[_input(dataset) for dataset in lineage.inputs],
        outputs=[
            event_v2.OutputDataset(dataset.namespace, dataset.name, facets=_facets(dataset))
            for dataset in lineage.outputs
        ],
        run_facets={FACET: FlinkJobsRunFacet(**lineage.facts)} if lineage.facts else {},
    )


def _input(dataset: Dataset) -> event_v2.InputDataset:
    facets: dict[str, Any] = {}
    if dataset.size is not None:
        facets["inputStatistics"] = statistics.InputStatisticsInputDatasetFacet(size=dataset.size, fileCount=1)
    if dataset.checks:
        checks = [
            assertions.Assertion(assertion=check.name, success=check.success, **_described(check))
            for check in dataset.checks
        ]
        facets["dataQualityAssertions"] = assertions.DataQualityAssertionsDatasetFacet(assertions=checks)
    return event_v2.InputDataset(dataset.namespace, dataset.name, facets=_facets(dataset), inputFacets=facets)


def _described(check: Check) -> dict[str, Any]:
    """Return the description of a check, for which OpenLineage's classes of 2025 have no field."""
    return {"description": check.description} if "description" in attr.fields_dict(assertions.Assertion) else {}


def _facets(dataset: Dataset) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if dataset.namespace.startswith("obs:"):
        facets["datasetType"] = dataset_type_dataset.DatasetTypeDatasetFacet(datasetType="FILE")
    if dataset.version is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=dataset.version)
    return facets
