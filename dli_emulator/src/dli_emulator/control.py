"""The control endpoint, for tests in other languages: faults, settings, request log and reset over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiohttp import web

from dli_emulator.call import blocking
from dli_emulator.faults import Fault
from dli_emulator.state import State

#: what the emulator answers, as an OpenAPI description
DESCRIPTION = Path(__file__).parent / "openapi.json"


class Control:
    """Answers under ``/_emulator/``.

    :param state: what is shown and changed
    :param reset: makes state and bucket clean; may block
    """

    def __init__(self, state: State, reset: Callable[[], None]) -> None:
        self._state = state
        self._reset = reset

    async def handle(self, incoming: web.Request) -> web.Response:
        """Answer one request."""
        if not ip_address(incoming.remote or "").is_loopback:
            return web.json_response({"error": "the control endpoint is for this machine only"}, status=403)
        if incoming.method == "POST" and not _is_json(incoming):
            return web.json_response({"error": "give Content-Type: application/json"}, status=415)
        match incoming.method, incoming.match_info["what"]:
            case "GET", ("faults" | "requests" | "settings" | "openapi.json") as what:
                return web.json_response(self._shown(what))
            case "POST", ("encrypted" | "faults" | "grants" | "scale" | "settings" | "users") as what:
                return await self._posted(what, incoming)
            case "DELETE", "faults":
                self._state.faults.clear()
            case "DELETE", "requests":
                self._state.log.clear()
            case "POST", "reset":
                await blocking(self._reset)
            case _:
                return web.json_response({"error": "there is no such control"}, status=404)
        return web.Response(status=204)

    def _shown(self, what: str) -> Any:  # noqa: ANN401 - any JSON
        if what == "openapi.json":
            return json.loads(DESCRIPTION.read_text(encoding="utf-8"))
        if what == "faults":
            return [fault.as_dict() for fault in self._state.faults]
        if what == "settings":
            return self._state.settings.as_dict()
        return [asdict(entry) for entry in self._state.log]

    async def _posted(self, what: str, incoming: web.Request) -> web.Response:
        act = {
            "encrypted": self._encrypt,
            "faults": self._add_faults,
            "grants": self._grant,
            "scale": self._scale,
            "settings": self._change_settings,
            "users": self._add_user,
        }[what]
        try:
            status, shown = act(await incoming.json())
        except (ValueError, TypeError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return web.json_response(shown, status=status)

    def _add_faults(self, given: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        faults = [Fault.from_dict(item) for item in (given if isinstance(given, list) else [given])]
        self._state.faults.add(*faults)
        return 201, [fault.as_dict() for fault in faults]

    def _change_settings(self, given: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        self._state.settings.change(_object(given))
        return 200, self._state.settings.as_dict()

    def _add_user(self, given: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        fields = _object(given)
        name, policies = fields.get("name"), fields.get("policies", [])
        if not isinstance(name, str) or not name or not isinstance(policies, list):
            raise ValueError("a user needs a name, and policies as a list")
        user = self._state.add_user(name, *policies, is_admin=fields.get("is_admin") is True)
        key = self._state.keys.key_of(name)
        shown = {"access_key": key.access_key, "secret_key": key.secret_key, "password": user.password}
        return 201, {"name": name, "domain": user.domain, **shown}

    def _grant(self, given: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        fields = _object(given)
        user, job_id, privileges = fields.get("user"), fields.get("job_id"), fields.get("privileges")
        if not isinstance(user, str) or type(job_id) is not int or not isinstance(privileges, list):
            raise ValueError("a grant needs a user, a job_id and privileges as a list")
        self._state.grant(user, job_id, *map(str, privileges))
        return 201, {"user": user, "job_id": job_id, "privileges": privileges}

    def _encrypt(self, given: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        place = _object(given).get("object")
        if not isinstance(place, str) or "/" not in place:
            raise ValueError(f"object must be bucket/key, not {place!r}")
        self._state.encrypted.add(place)
        return 201, {"object": place}

    def _scale(self, given: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        job_id = _object(given).get("job_id")
        if type(job_id) is not int:
            raise ValueError(f"job_id must be the id of a job, not {job_id!r}")
        self._state.scale(job_id)
        return 202, {"job_id": job_id}


def _object(given: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(given, dict):
        raise TypeError(f"a JSON object is required, not {given!r}")
    return given


def _is_json(incoming: web.Request) -> bool:
    """Return whether a body is declared as JSON, which no form of a web page can do; true without a body."""
    if "Content-Type" in incoming.headers or incoming.body_exists:
        return incoming.content_type == "application/json"
    return True
