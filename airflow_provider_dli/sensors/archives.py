"""Wait for archives of exported Flink jobs.

What a task needs is imported when it runs: this module is read with every DAG file that uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, PokeReturnValue, conf

from airflow_provider_dli.exceptions import read_parameters
from airflow_provider_dli.formatting import escaped
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, number_of
from airflow_provider_dli.sensors.base import DliSensor
from airflow_provider_dli.triggers.deferral import event_status

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.parameters import Level
    from airflow_provider_dli.parameters.models import ArchiveSensorParameters


class DliExportArchiveSensor(DliSensor):
    """Wait until archives of exported Flink jobs are in OBS, no longer change, and have an intact directory.

    For exports that somebody else makes, or that take long. It reads two or three ranges of each archive and
    verifies its directory; every byte is verified by
    :class:`~airflow_provider_dli.operators.verify.DliVerifyFlinkExportOperator`.

    Pushes a list of reports as ``return_value``, in the form of that operator's.

    :param zip_file: the archives: one entry ``bucket/key``, a list of them, or ``export.output`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param level: what is verified of each in the end: ``directory``, or ``exists`` for nothing but that it is
        there (templated)
    :param inactivity_period: seconds for which an archive must not have changed, by the time of its last write
        (templated)
    :param deferrable: wait on the triggerer; default: Airflow's ``[operators] default_deferrable``. The
        parameters of all sensors, such as ``poke_interval``, ``timeout``, ``mode`` and ``soft_fail``, do as usual
    :raises DliFailException: if an archive is damaged, or a parameter, the connection or the bucket cannot be used
    :raises DliException: if OBS is in trouble
    :raises AirflowSensorTimeout: if an archive did not appear in time
    """

    template_fields: Sequence[str] = ("zip_file", "dli_conn_id", "level", "inactivity_period")
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        zip_file: Iterable[str | XComArg] | str | XComArg,
        dli_conn_id: str = DEFAULT_CONN_ID,
        level: Level | str = "directory",
        inactivity_period: float | str | timedelta = 0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseSensorOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.zip_file = zip_file
        self.dli_conn_id = dli_conn_id
        self.level = level
        self.inactivity_period = number_of(inactivity_period)
        self.deferrable = deferrable

    @property
    def hook(self) -> ObsHook:
        """The hook that all polls of this task share."""
        from airflow_provider_dli.hooks.obs import ObsHook

        return self.open_hook(ObsHook)

    def _poll(self, context: Context) -> PokeReturnValue:
        """Poll once; verify the archives once all are there and no longer change."""
        del context
        from airflow_provider_dli.services.verify import find_changing

        options = self._prepared()
        # Without an inactivity period, it may even be written in the future, by a clock that is ahead of ours.
        if awaited := find_changing(self.hook, options.zip_file, options.inactivity_period or float("-inf")):
            self.log.info("Not there yet, or still changing: %s", ", ".join(place.url for place in awaited))
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._verified(options))

    def execute_complete(self, context: Context, event: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited."""
        del context
        if event_status(event) == "timeout":
            pending = ", ".join(map(str, event.get("pending") or []))
            message = f"Not there, or still changing, after {self.timeout:.0f} s: {pending}"
            raise AirflowSensorTimeout(escaped(message))
        return self._verified(self._prepared())

    def _prepared(self) -> ArchiveSensorParameters:
        """Check every parameter, before anything is sent."""
        from airflow_provider_dli.parameters.models import ArchiveSensorParameters

        return read_parameters(ArchiveSensorParameters, self)

    def _verified(self, options: ArchiveSensorParameters) -> list[dict[str, Any]]:
        from airflow_provider_dli.services.verify import VerifyOptions, raise_for_failures, verify_archives

        reports = verify_archives(self.hook, options.zip_file, VerifyOptions(options.level), self.log)
        raise_for_failures(reports)
        return [report.as_dict() for report in reports]

    def _defer(self) -> None:
        from airflow_provider_dli.triggers.obs import ArchivesTrigger

        options = self._prepared()
        self.log.info("Waiting on the triggerer for %s.", ", ".join(place.url for place in options.zip_file))
        trigger = ArchivesTrigger(
            [str(place) for place in options.zip_file],
            options.dli_conn_id,
            self.poke_interval,
            inactivity_period=options.inactivity_period,
            **self.wait_limits(self.hook, self.timeout),
        )
        self.defer_to(trigger)
