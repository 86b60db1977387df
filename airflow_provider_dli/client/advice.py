"""What to do about an error, by the service's own code; where there is none here, the error's class speaks."""

from __future__ import annotations

from collections.abc import Mapping

_KEYS = (
    "Check login, password and security token of the connection: access key and secret key, IAM user and "
    "password, or a token that has not ended. Do not repeat it unchanged: "
    "more than five failures lock a key for 5 minutes."
)
_AGENCY = (
    "If it stays so, DLI probably has no agency that may write to the bucket: see Global Configuration, Service "
    "Authorization in the console (dli_management_agency), and give it rights on OBS."
)
_JOB = "Look which jobs the project has: DliHook.list_flink_jobs(), or Job Management in the console."
_PROJECT = "Check project_id and region of the connection: the key must belong to that project."

#: code -> what to do (error codes of DLI: dli_02_0056 and the pages of its APIs; of the gateway: devg-apisign)
ADVICE: Mapping[str, str] = {
    "APIGW.0101": "DLI does not offer this API in this region, or the endpoint of the connection is not DLI's.",
    "APIGW.0301": _KEYS,
    "APIGW.0302": "The IAM user may not call this API; docs/rights.md names what each task needs.",
    "APIGW.0303": "Set this machine's clock: a signature may be 15 minutes old at most.",
    "APIGW.0305": _KEYS,
    "APIGW.0307": "The token has ended; put a new one into the connection, or use auth_type password.",
    "APIGW.0308": "Too many requests: raise retry_budget of the connection, or spread the schedules of DAGs.",
    "APIGW.0310": _PROJECT,
    "APIGW.0802": "The IAM user may not work in this region.",
    "DLI.0001": "Correct the parameter that the message names.",
    "DLI.0002": "Look whether what the message names exists in this project.",
    "DLI.0003": "Ask for the right that the message names; for exports dli:jobs:export, or EXPORT on the job.",
    "DLI.0011": "DLI may not read or write this place in OBS: check its agency's rights on the bucket.",
    "DLI.0999": _AGENCY,
    "DLI.10001": _AGENCY,
    "DLI.13024": "Give the job a queue before it is run.",
    "DLI.16001": _JOB,
    "DLI.29001": "Check obs_dir: bucket or bucket/directory, the bucket in the region of the project.",
    "DLI.29002": "Check the path of the archive: bucket/key of a ZIP, or a folder that holds only such.",
}
