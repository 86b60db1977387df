"""The description of this provider that Airflow reads. Data, no logic."""

from __future__ import annotations

from typing import Any

from airflow_provider_dli import __version__
from airflow_provider_dli.connection_form import CONN_TYPE, conn_fields, ui_field_behaviour

_DLI = "Huawei Cloud Data Lake Insight (DLI)"
_DLI_DOCS = "https://support.huaweicloud.com/intl/en-us/dli/index.html"
_OBS = "Huawei Cloud Object Storage Service (OBS)"
_ASSET_URIS = {
    "schemes": ["obs"],
    "handler": "airflow_provider_dli.assets.obs.sanitize_uri",
    "factory": "airflow_provider_dli.assets.obs.create_asset",
    "to_openlineage_converter": "airflow_provider_dli.assets.obs.convert_asset_to_openlineage",
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, as ``airflow/provider_info.schema.json`` wants it."""
    return {
        "package-name": "airflow-provider-dli",
        "name": _DLI,
        # With a link as reStructuredText has it, which Airflow shows.
        "description": f"Export Flink jobs of `{_DLI} <{_DLI_DOCS}>`__ to OBS, verify the archives, "
        "restore the jobs.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _DLI,
                "external-doc-url": _DLI_DOCS,
                "tags": ["service"],
            },
            {
                "integration-name": _OBS,
                "external-doc-url": "https://support.huaweicloud.com/intl/en-us/obs/index.html",
                "tags": ["service"],
            },
        ],
        "hooks": [
            {"integration-name": _DLI, "python-modules": ["airflow_provider_dli.hooks.dli"]},
            {"integration-name": _OBS, "python-modules": ["airflow_provider_dli.hooks.obs"]},
        ],
        "operators": [{"integration-name": _DLI, "python-modules": ["airflow_provider_dli.operators.dli"]}],
        "sensors": [{"integration-name": _DLI, "python-modules": ["airflow_provider_dli.sensors.dli"]}],
        "triggers": [
            {"integration-name": _DLI, "python-modules": ["airflow_provider_dli.triggers.flink"]},
            {"integration-name": _OBS, "python-modules": ["airflow_provider_dli.triggers.obs"]},
        ],
        "extra-links": [
            "airflow_provider_dli.links.dli.ObsBucketLink",
            "airflow_provider_dli.links.dli.DliConsoleLink",
        ],
        "asset-uris": [_ASSET_URIS],
        # Airflow 2 calls an asset a dataset.
        "dataset-uris": [_ASSET_URIS],
        # Airflow 3.2 and later: the commands of "airflow dli"; an earlier one ignores it.
        "cli": ["airflow_provider_dli.backups.cli.airflow_commands"],
        "config": {
            "dli": {
                "description": "Huawei Cloud DLI.",
                "options": {
                    "backup_catalogues": {
                        "description": "Catalogues of backups that the page *DLI backups* shows, with commas "
                        "between them: connection=bucket/directory. A user sees those whose connection they may "
                        "read. Without any, there is no such page. Airflow 3.1.1 and later.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "dli_default=backups-bucket/flink, dli_test=test-bucket/flink",
                        "default": "",
                    }
                },
            }
        },
        "filesystems": ["airflow_provider_dli.filesystems.obs"],
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": "airflow_provider_dli.hooks.dli.DliHook",
                "hook-name": "Huawei Cloud DLI",
                "conn-fields": conn_fields(),
                "ui-field-behaviour": ui_field_behaviour(),
            }
        ],
    }
