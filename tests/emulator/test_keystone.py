"""keystoneauth1, OpenStack's own client of this protocol, unchanged, as a second opinion on the emulator's IAM."""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1.exceptions import Unauthorized
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from airflow_provider_dli.emulator import Emulator
from airflow_provider_dli.emulator.state import DEFAULT_DOMAIN, DEFAULT_USER


def session(emulator: Emulator, **changes: Any) -> Session:
    """Make a session of the emulator's user."""
    given = {
        "auth_url": f"{emulator.iam}/v3",
        "username": DEFAULT_USER,
        "password": "emulator-password",
        "user_domain_name": DEFAULT_DOMAIN,
        "project_name": emulator.region,
        "project_domain_name": DEFAULT_DOMAIN,
    }
    return Session(auth=v3.Password(**given | changes))


def test_it_gets_its_token_and_project(dli_emulator: Emulator) -> None:
    """And DLI takes the token."""
    ours = session(dli_emulator)
    assert ours.get_project_id() == dli_emulator.project_id
    url = f"{dli_emulator.dli}/v1.0/{dli_emulator.project_id}/streaming/jobs"
    answer = ours.get(url)
    assert len(answer.json()["job_list"]["jobs"]) == 10
    assert answer.request.headers["X-Auth-Token"] == ours.get_token()


def test_a_token_that_ends_is_renewed(dli_emulator: Emulator) -> None:
    """It reads the end from the answer."""
    dli_emulator.world.keys.token_seconds = 10.0
    ours = session(dli_emulator)
    first = ours.get_token()
    assert isinstance(ours.auth, v3.Password)
    assert ours.auth.get_access(ours).will_expire_soon(30)
    assert ours.get_token() != first


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"project_domain_name": "elsewhere"}])
def test_it_is_refused(dli_emulator: Emulator, changes: dict[str, str]) -> None:
    """As by the real one."""
    with pytest.raises(Unauthorized):
        session(dli_emulator, **changes).get_token()
