"""Copy backups of Flink jobs to another catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.lineage import Lineage, obs_dataset
from airflow_provider_dli.links.dli import ObsBucketLink
from airflow_provider_dli.metrics import observing
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow_provider_dli.compat import Context, XComArg
    from airflow_provider_dli.parameters import Level


class DliCopyBackupsOperator(DliBaseOperator):
    """Copy backups of Flink jobs to another catalogue: in another bucket, region or account.

    Copies the usable backups that the other catalogue does not have, reads each copy to its last byte, compares
    its SHA-256, and gives it a manifest of its own: jobs can be restored from it with the source gone. What was
    copied before a failure is not copied again, and nothing is overwritten.

    Pushes what was copied as ``return_value``, also when the task fails.

    .. seealso::
        :doc:`Copy backups </docs/operators/copy>`: how it copies, XComs, permissions.

    :param backup_dir: directory of the backups (templated)
    :param target_dir: directory of the copies, another one (templated)
    :param dli_conn_id: connection whose key reads the backups (templated)
    :param target_conn_id: connection whose key writes and reads the copies; by default ``dli_conn_id`` (templated)
    :param project_ids: ids of the projects whose backups are copied; by default all (templated)
    :param newest: how many of each project, the newest first; ``all`` for all that are not copied yet (templated)
    :param level: that a backup must have been verified at: ``full``, ``directory`` or ``exists`` (templated). The
        copies are always verified at ``full``
    :raises DliFailException: if a backup is damaged, or something else is in the place of a copy; without further
        retries
    :raises DliException: if OBS is unreachable or in trouble; a retry may help, and goes on
    """

    action = "copy"
    template_fields: Sequence[str] = (
        "backup_dir",
        "target_dir",
        "dli_conn_id",
        "target_conn_id",
        "project_ids",
        "newest",
        "level",
    )
    operator_extra_links = (ObsBucketLink(),)
    ui_color = "#d9ead3"
    on_kill_message = (
        "Archives that were copied so far stay; the next attempt verifies them and copies the others."
    )

    def __init__(
        self,
        *,
        backup_dir: str | XComArg,
        target_dir: str | XComArg,
        dli_conn_id: str = DEFAULT_CONN_ID,
        target_conn_id: str | None = None,
        project_ids: Iterable[str] | str | XComArg | None = None,
        newest: int | str = 1,
        level: Level | str = "exists",
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.backup_dir = backup_dir
        self.target_dir = target_dir
        self.dli_conn_id = dli_conn_id
        self.target_conn_id = target_conn_id
        self.project_ids = project_ids
        self.newest = newest
        self.level = level

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy the backups."""
        with observing(self, context):
            from airflow_provider_dli.backups import copying
            from airflow_provider_dli.backups.manifest import Run

            options, source, target = copying.prepare(self)
            self.begin(context, target.obs, options.target_dir.bucket)
            outcome = copying.copy_backups(options, source, target, Run.of(context), self.log)
            result = outcome.as_dict()
            self.lineage = Lineage(
                inputs=[obs_dataset(str(each.backup.place)) for each in outcome.copies],
                outputs=[obs_dataset(place) for place in result["copied"]],
            )
            self.push_xcoms(context, return_value=result)
            outcome.raise_for_failures()
            self.log.info(
                "Copied %d, skipped %d: %.1f MB in %.1f s.",
                len(result["copied"]),
                len(result["skipped"]),
                result["bytes"] / 1_000_000,
                result["seconds"],
            )
            return result
