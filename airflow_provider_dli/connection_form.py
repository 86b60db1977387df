"""The only list of the connection's extras, and the form that Airflow makes of it.

Airflow 3.2 reads :func:`conn_fields` with the provider's information, in every process: this module imports
little. Older ones call the hook, which returns :func:`connection_form_widgets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
#: the regions with an STS that Huawei Cloud's own clients know; the one of any region serves the others too
STS_REGIONS = frozenset(
    {
        "af-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "cn-east-3",
        "cn-north-4",
        "cn-south-1",
        "cn-southwest-2",
        "la-south-2",
        "sa-brazil-1",
        "tr-west-1",
    }
)
#: name in the file of authentication ``credentials_file`` -> the variable of authentication ``environment``
SDK_VARIABLES: Mapping[str, str] = {
    "ak": "HUAWEICLOUD_SDK_AK",
    "sk": "HUAWEICLOUD_SDK_SK",
    "security_token": "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    "project_id": "HUAWEICLOUD_SDK_PROJECT_ID",
    "idp_id": "HUAWEICLOUD_SDK_IDP_ID",
    "id_token_file": "HUAWEICLOUD_SDK_ID_TOKEN_FILE",
    "iam_endpoint": "HUAWEICLOUD_SDK_IAM_ENDPOINT",
}
#: what authentication ``oidc`` needs -> the variable for an extra that is not set; the last three are no extras
OIDC_VARIABLES: Mapping[str, str] = {
    "provider_urn": "HUAWEICLOUD_OIDC_PROVIDER_URN",
    "agency_urn": "HUAWEICLOUD_OIDC_AGENCY_URN",
    "id_token_file": "HUAWEICLOUD_OIDC_TOKEN_FILE",
    "agency_session_name": "HUAWEICLOUD_OIDC_SESSION_NAME",
    "duration_seconds": "HUAWEICLOUD_OIDC_DURATION_SECONDS",
    "id_token": "HUAWEICLOUD_OIDC_ID_TOKEN",
    "policy": "HUAWEICLOUD_OIDC_POLICY",
    "policy_ids": "HUAWEICLOUD_OIDC_POLICY_IDS",
}
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
    #: an agency that trusts an identity provider of OpenID Connect, which gives the task a token in a file
    OIDC = "oidc"


#: what each means for login and password
AUTH_TYPES: Mapping[str, str] = {
    AuthType.ACCESS_KEY: "AK as login, SK as password",
    AuthType.PASSWORD: "an IAM user as login, with its password",
    AuthType.TOKEN: "a token of IAM as password",
    AuthType.METADATA: "agency of the ECS",
    AuthType.ENVIRONMENT: "HUAWEICLOUD_SDK_AK and so on",
    AuthType.CREDENTIALS_FILE: DEFAULT_FILE,
    AuthType.POD_IDENTITY: "agency of the CCE pod",
    AuthType.OIDC: "agency that trusts a token of OpenID Connect in a file",
}


@dataclass(frozen=True, slots=True)
class ExtraField:
    """One extra of the connection.

    :param label: its label in the connection form
    :param description: what to put there
    :param kind: ``string``, ``number`` or ``boolean``
    :param secret: shown as dots and masked in logs
    :param choices: the values it may have, each with what it means; empty for any
    :param default: what an empty field means, where that is one value
    :param unset: what an empty field with choices means, where that is not one value
    :param required: whether there is no connection without it
    :param section: below which heading it stands, for what few connections need
    """

    label: str
    description: str
    kind: str = "string"
    secret: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    default: str | float | bool | None = None
    unset: str | None = None
    required: bool = False
    section: str | None = None

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema, with what Airflow's form shows of it."""
        schema: dict[str, Any] = {"type": self.kind if self.required else [self.kind, "null"]}
        if self.choices:
            schema["enum"] = [*([None] if self.unset else []), *self.choices]
            schema["values_display"] = {**({"null": self.unset} if self.unset else {}), **self._meanings()}
        if self.secret:
            schema["format"] = "password"
        given = {"default": self.default, "section": self.section}
        return schema | {name: value for name, value in given.items() if value is not None}

    def explained(self) -> str:
        """Return its description for a form that shows neither choices nor what is required."""
        choices = f" One of: {'; '.join(self._meanings().values())}." if self.choices else ""
        unset = f" Empty: {self.unset.lower()}." if self.unset else ""
        return f"{'Required. ' if self.required else ''}{self.description}{choices}{unset}"

    def _meanings(self) -> dict[str, str]:
        return {value: f"{value}: {meaning}" if meaning else value for value, meaning in self.choices.items()}


_AGENCY, _ENDPOINTS, _NETWORK = "Agency", "Cloud and endpoints", "Network"

#: the only list of the connection's extras
EXTRAS: Mapping[str, ExtraField] = {
    "region": ExtraField("Region", "Region id, such as cn-north-4.", required=True),
    "project_id": ExtraField(
        "Project ID", "Id of the project in that region: console, My Credentials. Empty: looked up in IAM."
    ),
    "auth_type": ExtraField(
        "Authentication",
        "What login and password are, or where the keys come from.",
        choices=AUTH_TYPES,
        default=str(AuthType.ACCESS_KEY),
    ),
    "security_token": ExtraField(
        "Security token", "Of a temporary access key; with authentication access_key only.", secret=True
    ),
    "domain_name": ExtraField("Account name", "Account of the IAM user; required with authentication password."),
    "agency_name": ExtraField("Agency", "Name of the agency to assume. Empty: none.", section=_AGENCY),
    "agency_domain_name": ExtraField(
        "Agency's account", "Name of the account that created the agency.", section=_AGENCY
    ),
    "agency_urn": ExtraField(
        "Agency's URN",
        "iam::<account id>:agency:<name>, in the place of name and account; required with authentication oidc.",
        section=_AGENCY,
    ),
    "agency_session_name": ExtraField(
        "Session name", "Of a session with an agency by its URN. Empty: airflow-provider-dli.", section=_AGENCY
    ),
    "duration_seconds": ExtraField(
        "Session duration (s)",
        "900 to 43200, and no more than the agency allows; 3600 at most with a temporary key. Empty: 3600.",
        kind="number",
        section=_AGENCY,
    ),
    "external_id": ExtraField(
        "External ID", "The one that the trust policy of an agency by its URN names, if any.", section=_AGENCY
    ),
    "provider_urn": ExtraField(
        "Identity provider's URN",
        "iam::<account id>:oidcProvider:<name>; with authentication oidc only.",
        section=_AGENCY,
    ),
    "id_token_file": ExtraField(
        "ID token file",
        "Path of the file with the token, where the task runs; with authentication oidc only.",
        section=_AGENCY,
    ),
    "cloud": ExtraField(
        "Cloud",
        "Whose hosts to use.",
        choices=dict.fromkeys(CLOUDS, ""),
        unset="Follows from the region",
        section=_ENDPOINTS,
    ),
    "endpoint": ExtraField(
        "DLI endpoint", "https://host. Empty: follows from cloud and region.", section=_ENDPOINTS
    ),
    "obs_endpoint": ExtraField("OBS endpoint", "Empty: follows from cloud and region.", section=_ENDPOINTS),
    "iam_endpoint": ExtraField("IAM endpoint", "Empty: follows from cloud and region.", section=_ENDPOINTS),
    "sts_endpoint": ExtraField("STS endpoint", "Empty: follows from the region.", section=_ENDPOINTS),
    "metadata_endpoint": ExtraField("Metadata endpoint", "Empty: http://169.254.169.254.", section=_ENDPOINTS),
    "console_endpoint": ExtraField(
        "Console",
        "Where links of tasks lead. Empty: https://console.huaweicloud.com. International site: "
        "https://console-intl.huaweicloud.com.",
        section=_ENDPOINTS,
    ),
    "bucket": ExtraField("Bucket to test", "The Test button checks whether this bucket may be read."),
    "ca_bundle": ExtraField(
        "CA bundle",
        "Path of a PEM file with certificate authorities to trust. Empty: those of the system.",
        section=_NETWORK,
    ),
    "insecure_skip_verify": ExtraField(
        "Skip TLS verification (insecure)",
        "Off: certificates are verified. On: anybody between here and the service can read and change everything; "
        "only for a test.",
        kind="boolean",
        default=False,
        section=_NETWORK,
    ),
    "proxy": ExtraField(
        "Proxy",
        "http://user:password@host:port. Empty: the one in the environment, if any.",
        secret=True,
        section=_NETWORK,
    ),
    "connect_timeout": ExtraField(
        "Connect timeout (s)", "To establish a connection.", kind="number", default=10, section=_NETWORK
    ),
    "read_timeout": ExtraField(
        "Read timeout (s)", "Without a byte of the response.", kind="number", default=120, section=_NETWORK
    ),
    "total_timeout": ExtraField(
        "Total timeout (s)",
        "Of one request, its response included. Empty: connect timeout and twice the read timeout.",
        kind="number",
        section=_NETWORK,
    ),
    "retry_budget": ExtraField(
        "Retry budget (s)",
        "Of one call, its waits and retries included. 0: no retry.",
        kind="number",
        default=120,
        section=_NETWORK,
    ),
}


def conn_fields() -> dict[str, Any]:
    """Return the extras as ``conn-fields`` of Airflow's connection form."""
    return {
        name: {"label": extra.label, "description": extra.description, "schema": extra.schema()}
        for name, extra in EXTRAS.items()
    }


def connection_form_widgets() -> dict[str, Any]:
    """Return the extras as widgets of the connection form, before Airflow 3.2."""
    # Airflow 2 has these libraries; Airflow 3.0 and 3.1 put something else in their place.
    from flask_appbuilder.fieldwidgets import (  # noqa: PLC0415
        BS3PasswordFieldWidget,
        BS3TextFieldWidget,
    )
    from wtforms import BooleanField, PasswordField, StringField  # noqa: PLC0415

    def widget(extra: ExtraField) -> Any:  # noqa: ANN401 -- a field of wtforms
        # A number is a string too: of other fields only IntegerField is allowed, which takes no fraction.
        # Nothing is validated: the form has the fields of all types, and would refuse a connection of another.
        if extra.kind == "boolean":
            return BooleanField(extra.label, description=extra.explained(), default=extra.default)
        if extra.secret:
            return PasswordField(extra.label, description=extra.explained(), widget=BS3PasswordFieldWidget())
        default = None if extra.default is None else str(extra.default)
        return StringField(
            extra.label, description=extra.explained(), default=default, widget=BS3TextFieldWidget()
        )

    return {name: widget(extra) for name, extra in EXTRAS.items()}


def ui_field_behaviour() -> dict[str, Any]:
    """Return the standard fields as ``ui-field-behaviour`` of Airflow's connection form."""
    return {
        "hidden-fields": ["host", "schema", "port", "extra"],
        "relabeling": {"login": "Access key (AK) or IAM user", "password": "Secret key (SK), password or token"},
        "placeholders": {
            "login": "required with access_key (default) and password",
            "password": "required with access_key (default), password and token",
        },
    }
