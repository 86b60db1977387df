"""The only list of the connection's extras, and the form that Airflow makes of it.

Airflow loads it in every process, with the provider's information: it imports little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CONN_TYPE = "dli"
#: cloud -> the pattern of its hosts, as its *Regions and Endpoints* page gives them
CLOUDS: Mapping[str, str] = {
    "huaweicloud": "https://{service}.{region}.myhuaweicloud.com",
    "huaweicloud-eu": "https://{service}.{region}.myhuaweicloud.eu",
    # DLI's own host there follows the pattern of the others; no official list that names it was found.
    "open-telekom-cloud": "https://{service}.{region}.otc.t-systems.com",
}
#: cloud and region -> base URLs that do not follow the pattern
OTHER_HOSTS: Mapping[tuple[str, str], Mapping[str, str | None]] = {
    # Without an IAM of their own: the global one serves them.
    ("huaweicloud", "af-north-1"): {"iam": "https://iam.myhuaweicloud.com"},
    ("huaweicloud", "ru-northwest-2"): {"iam": "https://iam.myhuaweicloud.com"},
    ("open-telekom-cloud", "eu-ch2"): {
        "iam": "https://iam-pub.eu-ch2.sc.otc.t-systems.com",
        "obs": "https://obs.eu-ch2.sc.otc.t-systems.com",
        "dli": None,  # no list names it
    },
}
#: the variables of authentication ``environment``: access key, secret key, and the token of a temporary one
KEY_VARIABLES = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN")

#: the variable that names the file of authentication ``credentials_file``, and where it lies without
FILE_VARIABLE, DEFAULT_FILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE", "~/.huaweicloud/credentials"


class AuthType(StrEnum):
    """How the connection authenticates."""

    #: login and password are access key and secret key, permanent or temporary
    ACCESS_KEY = "access_key"
    #: login and password are those of an IAM user
    PASSWORD = "password"  # noqa: S105 -- the name of a choice
    #: the password is a token of IAM
    TOKEN = "token"  # noqa: S105 -- the name of a choice
    #: the agency of the ECS that the task runs on
    METADATA = "metadata"
    #: the environment variables of Huawei Cloud's own SDKs, read where the task runs
    ENVIRONMENT = "environment"
    #: the file of Huawei Cloud's own SDKs, ``~/.huaweicloud/credentials``, read where the task runs
    CREDENTIALS_FILE = "credentials_file"
    #: the agency of the CCE pod that the task runs in
    POD_IDENTITY = "pod_identity"


@dataclass(frozen=True, slots=True)
class ExtraField:
    """One extra of the connection.

    :param label: its label in the connection form
    :param description: what to put there
    :param kind: ``string``, ``number`` or ``boolean``
    :param secret: shown as dots and masked in logs
    :param choices: the values it may have; empty for any
    """

    label: str
    description: str
    kind: str = "string"
    secret: bool = False
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema; every extra may be left empty."""
        schema: dict[str, Any] = {"type": [self.kind, "null"]}
        if self.choices:
            schema["enum"] = [*self.choices, None]
        if self.secret:
            schema["format"] = "password"
        return schema


#: the only list of the connection's extras
EXTRAS: Mapping[str, ExtraField] = {
    "region": ExtraField("Region", "Region id, such as cn-north-4."),
    "project_id": ExtraField(
        "Project ID", "Id of the project in that region: console, My Credentials. Looked up in IAM if empty."
    ),
    "auth_type": ExtraField(
        "Authentication",
        "access_key (default): AK and SK above. password: IAM user and password above. token: an IAM token as the "
        "password. metadata: the agency of the ECS. environment: HUAWEICLOUD_SDK_AK and so on. credentials_file: "
        "~/.huaweicloud/credentials. pod_identity: the agency of the CCE pod.",
        choices=tuple(AuthType),
    ),
    "security_token": ExtraField("Security token", "Only with a temporary access key.", secret=True),
    "domain_name": ExtraField("Account name", "The account of the IAM user; only with authentication password."),
    "agency_name": ExtraField("Agency", "Name of an agency of another account to assume; empty for none."),
    "agency_domain_name": ExtraField("Agency's account", "Name of the account that gave the agency."),
    "cloud": ExtraField(
        "Cloud", "Whose hosts to use; empty follows from the region (Huawei Cloud).", choices=tuple(CLOUDS)
    ),
    "endpoint": ExtraField("DLI endpoint", "Only if it does not follow from cloud and region: https://host."),
    "obs_endpoint": ExtraField("OBS endpoint", "Only if it does not follow from cloud and region."),
    "iam_endpoint": ExtraField("IAM endpoint", "Only if it does not follow from cloud and region."),
    "metadata_endpoint": ExtraField("Metadata endpoint", "Only if it is not http://169.254.169.254."),
    "console_endpoint": ExtraField(
        "Console", "Links of tasks lead there: https://console.huaweicloud.com, or the international or other one."
    ),
    "bucket": ExtraField("Bucket to test", "The Test button checks whether this bucket may be read."),
    "ca_bundle": ExtraField("CA bundle", "Path of a file with certificate authorities to trust instead."),
    "insecure_skip_verify": ExtraField(
        "Skip TLS verification (insecure)",
        "Accept any certificate: anybody between here and the service can read and change everything. Only for a "
        "test; a warning is logged.",
        kind="boolean",
    ),
    "proxy": ExtraField(
        "Proxy", "http://user:password@host:port. Empty: the one in the environment, if any.", secret=True
    ),
    "connect_timeout": ExtraField("Connect timeout", "Seconds to establish a connection (10).", kind="number"),
    "read_timeout": ExtraField("Read timeout", "Seconds without a byte of the response (120).", kind="number"),
    "total_timeout": ExtraField(
        "Total timeout",
        "Seconds that one request may take in all, however slowly its response comes. Empty: connect timeout and "
        "twice the read timeout (250).",
        kind="number",
    ),
    "retry_budget": ExtraField(
        "Retry budget", "Seconds that one call may take, its waits and retries included (120).", kind="number"
    ),
}


def conn_fields() -> dict[str, Any]:
    """Return the extras as ``conn-fields`` of Airflow's connection form."""
    return {
        name: {"label": extra.label, "description": extra.description, "schema": extra.schema()}
        for name, extra in EXTRAS.items()
    }


def ui_field_behaviour() -> dict[str, Any]:
    """Return the standard fields as ``ui-field-behaviour`` of Airflow's connection form."""
    return {
        "hidden-fields": ["host", "schema", "port", "extra"],
        "relabeling": {"login": "Access key (AK) or IAM user", "password": "Secret key (SK), password or token"},
        "placeholders": {},
    }
