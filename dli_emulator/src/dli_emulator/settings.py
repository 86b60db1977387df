"""Choices where the editions of the manual differ or are silent, and what not every project meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

#: forms of an agency with which DLI may read and write OBS; one is enough. INVENTED: that
#: ``dli_management_agency`` is, since the manual has it as one to which the permissions for OBS are added
AGENCIES = ("dli_admin_agency", "dli_management_agency", "custom", "Tenant Administrator")


@dataclass
class Settings:
    """Choices where the editions of the manual differ or are silent.

    :param boolean_is_success: calls of jobs return ``is_success`` as a JSON boolean instead of a string
    :param names_2020: fields have the names of 2020, such as ``zip_files``
    :param lenient_obs_dir: ``obs_dir`` may have ``obs://`` before it and slashes at its ends
    :param metadata_version: 2 hands out keys for a session token only; 1 knows no session tokens
    :param quoted_ids: an import returns ids as strings, as the manual's example does
    :param batch_answer: the response to a batch is ``each``, one envelope for every id, ``one`` for all of them
        in an array, or ``object``, one without an array as before 2023
    :param step_seconds: how long a job stays in each status on its way
    :param agencies: DLI's agencies; without ``dli_admin_agency``, ``dli_management_agency``, ``custom`` and
        ``Tenant Administrator`` exports and imports fail with ``DLI.10001``. A project may have its own:
        ``state.projects[…].agencies``
    :param denial: the response if IAM does not give a permission; INVENTED, all of them: ``gateway``, 403
        ``APIGW.0302``; ``identity``, with an ``encoded_authorization_message`` beside; ``dli``, 400 ``DLI.0003``
    :param deletes_savepoints: the savepoint from which a job restarts is deleted once the job runs
    :param fills_in_settings: jobs show what DLI fills in where it was not set: ``checkpoint_interval`` 30,
        ``tm_cus``, ``tm_slot_num``, ``resource_config``; and a ``checkpoint_path`` that is a bucket alone as
        ``bucket/jobs/checkpoint/<id>``
    :param foreign_jobs: the response to a user who may not use a job; INVENTED, both: ``denied``, ``DLI.0003``;
        ``missing``, as if there were no such job
    :param has_ecs_agency: the ECS has an agency; without one the metadata service has no key
    :param layout: of an archive; INVENTED, all of them: ``jobs``, an entry of JSON for each job; ``one_json``, one
        for all; ``properties``, an entry of lines ``name=value`` for each; ``nested``, an archive for each;
        ``gbk``, entries named after the jobs in GBK without the flag for UTF-8
    :param metadata_token_status: HTTP status of a request for a session token, where the metadata service has none
        and returns keys without; 0: it has them
    :param object_etags: what ETags of objects are: ``md5`` of the content; not that, as of objects that are
        ``encrypted`` (SSE-KMS), or of a parallel ``file_system``; of one object: ``state.encrypted.add``
    :param strict_obs: the S3 interface refuses what OBS refuses: ``DeleteObjects`` and a lifecycle without
        ``Content-MD5``, a wrong one, and bodies with trailers; it ignores checksums and a range without a start
    :param sub_user_export: what ``is_selected: false`` exports for a user who does not see all jobs; INVENTED:
        ``own``, those that the user may export; ``refused``, none; ``all``, those of the project
    """

    boolean_is_success: bool = False
    names_2020: bool = False
    lenient_obs_dir: bool = False
    metadata_version: int = 2
    quoted_ids: bool = False
    batch_answer: Literal["each", "one", "object"] = "each"
    step_seconds: float = 0.1
    agencies: tuple[str, ...] = AGENCIES[:1]
    denial: Literal["gateway", "identity", "dli"] = "gateway"
    deletes_savepoints: bool = False
    fills_in_settings: bool = False
    foreign_jobs: Literal["denied", "missing"] = "denied"
    has_ecs_agency: bool = True
    layout: Literal["jobs", "one_json", "properties", "nested", "gbk"] = "jobs"
    metadata_token_status: Literal[0, 404, 405, 503] = 0
    object_etags: Literal["md5", "encrypted", "file_system"] = "md5"
    strict_obs: bool = False
    sub_user_export: Literal["own", "refused", "all"] = "own"

    def change(self, values: Mapping[str, Any]) -> None:
        """Change settings: all of them, or none if one is wrong.

        :param values: by name, as JSON has them
        :raises ValueError: if there is no such setting, or it cannot have that value
        """
        kinds = get_type_hints(Settings)
        unknown = sorted(set(values) - set(kinds))
        if unknown:
            raise ValueError(f"no setting is called {', '.join(unknown)}; there are {', '.join(kinds)}")
        checked = {name: _checked(name, value, kinds[name]) for name, value in values.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """Return all settings by name."""
        return asdict(self)


def _checked(name: str, value: Any, kind: Any) -> Any:  # noqa: ANN401 - each setting has its type
    if get_origin(kind) is Literal:
        fits, wanted = value in get_args(kind) and type(value) is not bool, f"one of {get_args(kind)}"
    elif get_origin(kind) is tuple:
        fits, wanted = _are_strings(value), "a list of strings"
        value = tuple(value) if fits else value
    elif kind is float:
        fits, wanted = type(value) in (int, float), "a number"
    else:
        fits, wanted = type(value) is kind, f"of type {kind.__name__}"
    if not fits:
        raise ValueError(f"the setting {name} must be {wanted}, not {value!r}")
    return value


def _are_strings(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
