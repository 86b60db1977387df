"""Ready Airflow connections to an emulator, one for each kind of credentials."""

from __future__ import annotations

import json
from typing import Any

from dli_emulator.state import DEFAULT_AGENCY, State

#: the kinds, as the connection's ``auth_type`` names them; ``temporary`` is an access key with its security token
KINDS = ("access_key", "temporary", "password", "token", "metadata")


def connection(state: State, endpoint: str, obs: str, kind: str, *, agency: bool, extra: dict[str, Any]) -> str:
    """Write a connection as JSON.

    :param state: whom it is for
    :param endpoint: base URL of the emulator
    :param obs: base URL of the object store
    :param kind: one of :data:`KINDS`
    :param agency: whether it assumes the emulator's agency
    :param extra: further extras; they replace those that would be there
    :raises ValueError: if there is no such kind
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of credentials is called {kind!r}; there are {', '.join(KINDS)}")
    identity = state.identity
    login, password, own = _credentials(state, kind)
    extras = {
        "region": identity.region,
        "project_id": identity.project_id,
        "endpoint": endpoint,
        # Only the permanent key is known to the store itself; the others go through the emulator's door.
        "obs_endpoint": obs if kind == "access_key" and not agency else endpoint,
        "iam_endpoint": endpoint,
        **own,
    }
    if kind == "metadata":
        extras["metadata_endpoint"] = endpoint
    if agency:
        extras |= {"agency_name": DEFAULT_AGENCY.name, "agency_domain_name": DEFAULT_AGENCY.domain}
    given = {"login": login, "password": password, "extra": {**extras, **extra}}
    return json.dumps({"conn_type": "dli"} | {name: value for name, value in given.items() if value is not None})


def _credentials(state: State, kind: str) -> tuple[str | None, str | None, dict[str, str]]:
    """Give login, password and the extras that belong to them."""
    identity, keys = state.identity, state.keys
    match kind:
        case "access_key":
            return identity.access_key, identity.secret_key, {}
        case "temporary":
            key = keys.issue_key()
            return key.access_key, key.secret_key, {"security_token": key.security_token or ""}
        case "password":
            return identity.user, identity.password, {"auth_type": kind, "domain_name": identity.domain}
        case "token":
            return None, keys.issue_token(keys.users[identity.user]).value, {"auth_type": kind}
    return None, None, {"auth_type": kind}
