"""The kinds of credentials: what each ``auth_type`` takes from the connection, and from the task's machine."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_dli.client import iam, sts
from airflow_provider_dli.client.credentials import AccessKey, Credentials, read_small_file
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.connection.fields import (
    AirflowConnection,
    Extras,
    checked_endpoint,
    checked_number,
    credential,
    endpoint,
    host,
)
from airflow_provider_dli.connection_form import (
    DEFAULT_FILE,
    FILE_VARIABLE,
    OIDC_VARIABLES,
    SDK_VARIABLES,
    AuthType,
)
from airflow_provider_dli.formatting import excerpt

#: a value, after the field or variable that it is from
Named = tuple[str, str]

_SESSION_NAME = "airflow-provider-dli"
# Of an agency, STS issues keys for 15 minutes to 12 hours; where a temporary key assumes it, for an hour at most.
_SECONDS, _CHAINED_SECONDS = (900, 43200), 3600
# The name of a session is the last part of a URN: sts::<account id>::assumed-agency:<agency>/<session>.
_NEVER_IN_A_NAME = re.compile(r"[\s/:]")
_POLICY_ID = re.compile(r"[\w.:/+=@-]+", re.ASCII)
_MAX_URN, _MAX_SESSION_NAME, _MAX_EXTERNAL_ID, _MAX_POLICY = 1500, 128, 1224, 2048
_OF_MACHINE = (AuthType.METADATA, AuthType.POD_IDENTITY, AuthType.OIDC)
#: extra -> what it belongs to
_BELONGS_TO = {
    "provider_urn": "auth_type oidc",
    "id_token_file": "auth_type oidc",
    "external_id": "an agency_urn that a key assumes",
    "agency_session_name": "an agency_urn",
    "duration_seconds": "an agency_urn",
}


@dataclass(frozen=True, slots=True)
class Given:
    """What the credentials of a connection are made of.

    :param connection: login and password
    :param extras: its extras
    :param environ: environment variables
    :param sdk: what :func:`sdk_values` has read: once, so that key and project belong together
    :param region: region id
    :param cloud: the extra ``cloud``
    :param iam_endpoint: base URL of IAM
    :param scope: the project, for tokens
    """

    connection: AirflowConnection
    extras: Extras
    environ: Mapping[str, str]
    sdk: Mapping[str, Named]
    region: str
    cloud: str | None
    iam_endpoint: str
    scope: iam.Scope

    def sts_endpoint(self) -> str:
        """Return the base URL of STS."""
        remedy = "give its URL; STS of any region will do, such as https://sts.ap-southeast-3.myhuaweicloud.com"
        return host(self.extras, "sts_endpoint", "sts", self.region, self.cloud, remedy)


def read_credentials(given: Given) -> Credentials:
    """Return the credentials of a connection, of an agency if it names one. Nothing is sent.

    :raises ConfigurationError: naming the field or environment variable that is missing or not usable
    """
    kind = AuthType(given.extras.string("auth_type") or AuthType.ACCESS_KEY)
    _refuse_unused(given.extras, kind)
    return _of_agency(given, kind, KINDS[kind](given))


def _refuse_unused(extras: Extras, kind: AuthType) -> None:
    if kind == AuthType.OIDC:
        used = {*_BELONGS_TO} - {"external_id"}
    else:
        used = {*_BELONGS_TO} - {"provider_urn", "id_token_file"} if extras.is_set("agency_urn") else set()
    for name, other in _BELONGS_TO.items():
        if extras.is_set(name) and name not in used:
            raise ConfigurationError(name, "has no effect here", f"remove it: it belongs to {other}")


def _access_key(given: Given) -> AccessKey:
    token = given.extras.string("security_token")
    return AccessKey(
        credential("login", given.connection.login, "the access key (AK)", header=True),
        credential("password", given.connection.password, "the secret key (SK)", header=True),
        credential("security_token", token, "the token", header=True) if token else None,
    )


def _password(given: Given) -> Credentials:
    user = iam.User(
        credential("login", given.connection.login, "the name of the IAM user", header=False),
        credential("password", given.connection.password, "the password of the IAM user", header=False),
        given.extras.required("domain_name", "give the name of the account that the IAM user belongs to"),
    )
    return iam.password_token(given.iam_endpoint, user, given.scope)


def _token(given: Given) -> Credentials:
    return iam.ready_token(
        given.iam_endpoint, credential("password", given.connection.password, "the token", header=True)
    )


def _metadata(given: Given) -> Credentials:
    return iam.metadata_keys(endpoint(given.extras, "metadata_endpoint", iam.METADATA_ENDPOINT))


def _pod(given: Given) -> Credentials:
    remedy = "run the task in a pod of CCE that has an agency, or use another auth_type"
    (field, url), file = (
        (f"environment variable {name}", given.environ.get(name, "").strip()) for name in iam.POD_VARIABLES
    )
    for name, value in ((field, url), file):
        if not value:
            raise ConfigurationError(name, "is not set", remedy)
    scheme, _, rest = url.partition("://")
    node, _, way = rest.partition("/")
    checked_endpoint(field, f"{scheme}://{node}")
    if not way.isascii() or not way.isprintable() or " " in way:
        raise ConfigurationError(field, "has characters that no URL has", remedy)
    return iam.pod_keys(url, iam.TokenFile(*file))


def _of_sdk(given: Given) -> Credentials:
    """Read what the official SDKs read; an identity provider comes before a key, as it does there."""
    values = given.sdk

    def value(name: str, meaning: str = "the key") -> str:
        return credential(*values[name], meaning, header=True)

    if values["idp_id"][1] and values["id_token_file"][1]:
        provider = value("idp_id", "the id of the identity provider")
        return iam.federated_keys(given.iam_endpoint, provider, _id_token_file(*values["id_token_file"]))
    for name, other in (("idp_id", "id_token_file"), ("id_token_file", "idp_id")):
        if values[name][1] and not values["ak"][1]:
            raise ConfigurationError(values[other][0], f"is empty, and {name} is not", "give both, or ak and sk")
    return AccessKey(value("ak"), value("sk"), value("security_token") if values["security_token"][1] else None)


def sdk_values(auth_type: str | None, environ: Mapping[str, str]) -> dict[str, Named]:
    """Return what Huawei Cloud's own SDKs read in the environment, or in the section ``[basic]`` of their file.

    An empty mapping for other kinds of credentials; empty strings for what is not set.

    :raises ConfigurationError: if the file cannot be read, or has no such section; nothing of it is shown
    """
    if auth_type == AuthType.ENVIRONMENT:
        return {name: _variable(environ, variable) for name, variable in SDK_VARIABLES.items()}
    if auth_type != AuthType.CREDENTIALS_FILE:
        return {}
    where = _credentials_file(environ)
    parser = configparser.ConfigParser(interpolation=None)
    problem = ""
    try:
        text, problem = read_small_file(Path(environ.get(FILE_VARIABLE) or DEFAULT_FILE).expanduser())
        parser.read_string(text)
    except (ValueError, RuntimeError, configparser.Error) as error:
        problem = f"cannot be read ({type(error).__name__})"
    if not problem and parser.has_section("basic"):
        return {name: (f"{name} in {where}", parser["basic"].get(name, "")) for name in SDK_VARIABLES}
    problem = problem or "has no section [basic]"
    raise ConfigurationError(where, problem, "give an INI file with ak and sk below [basic]")


def source_of(auth_type: str | None, environ: Mapping[str, str], credentials: Credentials) -> str | None:
    """Return what credentials are from that are neither login nor password, for messages; None for those."""
    if auth_type == AuthType.ENVIRONMENT:
        return f"the environment variables {', '.join([*SDK_VARIABLES.values()][:3])}"
    if auth_type == AuthType.CREDENTIALS_FILE:
        return f"ak, sk and security_token in {_credentials_file(environ)}"
    return credentials.identity if auth_type in _OF_MACHINE else None


def _credentials_file(environ: Mapping[str, str]) -> str:
    """Return what messages call the file of ``credentials_file``."""
    return f"the file that {FILE_VARIABLE} names" if environ.get(FILE_VARIABLE) else DEFAULT_FILE


def _variable(environ: Mapping[str, str], name: str) -> Named:
    return f"environment variable {name}", environ.get(name, "")


def _id_token_file(field: str, path: str) -> iam.TokenFile:
    return iam.TokenFile(field, path.strip(), iam.ID_TOKEN)


def _oidc(given: Given) -> Credentials:
    """Read the extras, and for each that is not set the variable that the official SDKs read."""
    extras = given.extras

    def value(name: str) -> Named:
        if in_extras := extras.text(name) if name == "duration_seconds" else extras.string(name):
            return name, in_extras
        # For the file, the client in Java has the variable of the older federation.
        variables = [each[name] for each in (OIDC_VARIABLES, SDK_VARIABLES) if name in each]
        variable = next((each for each in variables if given.environ.get(each, "").strip()), variables[0])
        return f"environment variable {variable}", given.environ.get(variable, "").strip()

    def required(name: str) -> Named:
        field, found = value(name)
        if not found:
            raise ConfigurationError(name, "is missing", f"give it as an extra, or in the {field}")
        return field, found

    id_token = given.environ.get(OIDC_VARIABLES["id_token"], "").strip()
    token: Callable[[], str]
    if id_token and not extras.is_set("id_token_file"):
        token = _ready_id_token(f"environment variable {OIDC_VARIABLES['id_token']}", id_token)
    else:
        token = _id_token_file(*required("id_token_file"))
    more = {"policy": _policy(*value("policy")), "policy_ids": _policy_ids(*value("policy_ids"))}
    session = _session(required("agency_urn"), value("agency_session_name"), value("duration_seconds"), more)
    return sts.oidc_keys(given.sts_endpoint(), _urn(*required("provider_urn"), "oidcProvider"), token, session)


def _policy(field: str, text: str) -> str | None:
    """Return the policy of a session as it was given; None if there is none."""
    if not text:
        return None
    _sized(field, text, 2, _MAX_POLICY)
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise ConfigurationError(field, "is not a JSON object", "give the policy as JSON, or remove it")
    return text


def _policy_ids(field: str, text: str) -> list[str] | None:
    ids = [each.strip() for each in text.split(",")]
    if text and not all(_POLICY_ID.fullmatch(each) for each in ids):
        raise ConfigurationError(field, f"{excerpt(text)} is not a list of ids", "give ids with commas between")
    return ids if text else None


def _ready_id_token(field: str, token: str) -> Callable[[], str]:
    if not iam.ID_TOKEN.fullmatch(token):
        raise ConfigurationError(field, "is not a token of OpenID Connect", "give a JWT as it was issued")
    return lambda: token


def _of_agency(given: Given, kind: AuthType, credentials: Credentials) -> Credentials:
    """Return the credentials of the agency that the connection names; the same if it names none."""
    extras = given.extras
    name, domain = extras.string("agency_name"), extras.string("agency_domain_name")
    urn = extras.string("agency_urn") if kind != AuthType.OIDC else None
    if urn and (name or domain):
        raise ConfigurationError(
            "agency_urn", "is given beside an agency's name", "give the URN, or agency_name and agency_domain_name"
        )
    if urn:
        is_permanent = isinstance(credentials, AccessKey) and not credentials.security_token
        external = extras.string("external_id")
        more = {"external_id": _sized("external_id", external, 2, _MAX_EXTERNAL_ID) if external else None}
        session = _session(
            ("agency_urn", urn),
            ("agency_session_name", extras.string("agency_session_name") or ""),
            ("duration_seconds", extras.text("duration_seconds")),
            more,
            longest=_SECONDS[1] if is_permanent else _CHAINED_SECONDS,
        )
        return sts.agency_keys(given.sts_endpoint(), credentials, session)
    if name and domain:
        return iam.agency_keys(given.iam_endpoint, credentials, iam.Agency(name, domain))
    if name or domain:
        missing = "agency_domain_name" if name else "agency_name"
        raise ConfigurationError(missing, "is missing", "an agency needs its name and the account that gave it")
    return credentials


def _session(
    urn: Named, name: Named, seconds: Named, more: Mapping[str, object], longest: int = _SECONDS[1]
) -> sts.Session:
    lasts = checked_number(*seconds, _SECONDS[0], longest) if seconds[1] else float(sts.SESSION_SECONDS)
    if lasts % 1:
        raise ConfigurationError(seconds[0], f"{lasts:g} is not a whole number", "give seconds without a fraction")
    named = _sized(*name, 2, _MAX_SESSION_NAME) if name[1] else _SESSION_NAME
    if _NEVER_IN_A_NAME.search(named):
        raise ConfigurationError(name[0], f"{excerpt(named)} has spaces, / or :", "give a name for a URN")
    return sts.Session(_urn(*urn, "agency"), named, int(lasts), more)


def _urn(field: str, value: str, resource: str) -> str:
    form = f"iam::<account id>:{resource}:<name>"
    if len(value) > _MAX_URN or not re.fullmatch(rf"iam::[0-9A-Za-z_-]+:{resource}:[^\s:]+", value):
        shown = excerpt(value, secret=True)
        raise ConfigurationError(field, f"{shown} is not a URN of this kind", f"give one of the form {form}")
    return value


def _sized(field: str, value: str, least: int, most: int) -> str:
    if not least <= len(value) <= most or not value.isprintable():
        raise ConfigurationError(
            field, f"has {len(value):,} characters", f"give {least} to {most:,} that can be printed"
        )
    return value


def secrets_of_machine(auth_type: object, environ: Mapping[str, str]) -> list[str]:
    """Return the secrets that these credentials take from the environment, or from the file that it names."""
    if auth_type == AuthType.OIDC:
        return [environ.get(OIDC_VARIABLES["id_token"], "")]
    with suppress(ConfigurationError):  # reported where the key is read
        values = sdk_values(auth_type if isinstance(auth_type, str) else None, environ)
        return [values[name][1] for name in ("sk", "security_token") if values]
    return []


#: each kind, and the function that reads it
KINDS: Mapping[AuthType, Callable[[Given], Credentials]] = {
    AuthType.ACCESS_KEY: _access_key,
    AuthType.PASSWORD: _password,
    AuthType.TOKEN: _token,
    AuthType.METADATA: _metadata,
    AuthType.POD_IDENTITY: _pod,
    AuthType.OIDC: _oidc,
    AuthType.CREDENTIALS_FILE: _of_sdk,
    AuthType.ENVIRONMENT: _of_sdk,
}
