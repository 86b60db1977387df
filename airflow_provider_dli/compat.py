"""What the provider needs of Airflow, under the names of Airflow 3, on every Airflow that it runs on.

Airflow has moved these names from version to version. Airflow's own module for this comes with a distribution that
the constraints of many of those versions do not allow, so this is ours. A name is imported when it is first used:
reading a DAG file loads nothing that the file does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Asset as Asset
    from airflow.sdk import AssetAlias as AssetAlias
    from airflow.sdk import BaseHook as BaseHook
    from airflow.sdk import BaseOperator as BaseOperator
    from airflow.sdk import BaseOperatorLink as BaseOperatorLink
    from airflow.sdk import BaseSensorOperator as BaseSensorOperator
    from airflow.sdk import Connection as Connection
    from airflow.sdk import Context as Context
    from airflow.sdk import PokeReturnValue as PokeReturnValue
    from airflow.sdk import XComArg as XComArg
    from airflow.sdk.configuration import conf as conf
    from airflow.sdk.exceptions import AirflowException as AirflowException
    from airflow.sdk.exceptions import AirflowFailException as AirflowFailException
    from airflow.sdk.exceptions import AirflowNotFoundException as AirflowNotFoundException
    from airflow.sdk.exceptions import AirflowRescheduleException as AirflowRescheduleException
    from airflow.sdk.exceptions import AirflowSensorTimeout as AirflowSensorTimeout
    from airflow.sdk.exceptions import AirflowSkipException as AirflowSkipException
    from airflow.sdk.exceptions import AirflowTaskTimeout as AirflowTaskTimeout
    from airflow.sdk.exceptions import TaskDeferred as TaskDeferred
    from airflow.sdk.execution_time.xcom import XCom as XCom
    from airflow.sdk.log import mask_secret as mask_secret
    from airflow.sdk.observability.stats import Stats as Stats

_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")
#: name -> the modules that may have it, the newest first
PLACES: dict[str, tuple[str, ...]] = {
    "Asset": ("airflow.sdk", "airflow.datasets:Dataset"),
    "AssetAlias": ("airflow.sdk", "airflow.datasets:DatasetAlias"),
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sensors.base"),
    "Connection": ("airflow.sdk", "airflow.models.connection"),
    "Context": ("airflow.sdk", "airflow.utils.context"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sensors.base"),
    "Stats": (
        "airflow.sdk.observability.stats",
        "airflow.sdk._shared.observability.metrics.stats",
        "airflow.stats",
    ),
    "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models.xcom"),
    "XComArg": ("airflow.sdk", "airflow.models.xcom_arg"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
    "mask_secret": (
        "airflow.sdk.log",
        "airflow.sdk.execution_time.secrets_masker",
        "airflow.utils.log.secrets_masker",
    ),
    "AirflowException": _EXCEPTIONS,
    "AirflowFailException": _EXCEPTIONS,
    "AirflowNotFoundException": _EXCEPTIONS,
    "AirflowRescheduleException": _EXCEPTIONS,
    "AirflowSensorTimeout": _EXCEPTIONS,
    "AirflowSkipException": _EXCEPTIONS,
    "AirflowTaskTimeout": _EXCEPTIONS,
    "TaskDeferred": _EXCEPTIONS,
}


def _import(name: str) -> Any:  # noqa: ANN401 -- whatever Airflow has by that name
    """Import a name from where this Airflow has it.

    :raises AttributeError: if it is not one of :data:`PLACES`
    :raises ImportError: if this Airflow has it in none of its places
    """
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for place in PLACES[name]:
        module, _, former = place.partition(":")
        try:
            found = getattr(import_module(module), former or name)
        except (ImportError, AttributeError):
            continue
        globals()[name] = found
        return found
    raise ImportError(f"Airflow's {name} is in none of {', '.join(PLACES[name])}")


if not TYPE_CHECKING:  # a type checker shall report names that are not here
    __getattr__ = _import
