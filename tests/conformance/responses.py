"""Responses of the service, varied within what the editions of its manual allow."""

from __future__ import annotations

import random
from typing import Any

_LETTERS = "abcXYZ019 -_./:'\"\\{}[]<>&%ü作业🙂\u2028\n\t"
#: fields that a response needs: our client raises an error if one is missing, where the official one has None
_NEEDED = {
    "is_success",
    "message",
    "job_id",
    "name",
    "job_type",
    "status",
    "total_count",
    "template_id",
    "jid",
    "state",
    "start-time",
    "end-time",
    "duration",
    "version",
    "zip_file",
    "old_job_id",
    "new_job_id",
    "stream_graph",
    "job_list",
    "jobs",
    "job_detail",
    "job",
    "execute_graph",
    "template",
    "template_list",
    "templates",
    "metrics",
    "job_mapping",
}
#: strings that have a meaning
_WORDS = {
    "is_success",
    "error_code",
    "message",
    "state",
    "zip_file",
    "stream_graph",
    "status",
    "job_type",
    "version",
}


def varied(response: Any, chance: random.Random) -> Any:
    """Vary a response: nulls and missing fields, other strings and numbers, more fields, lists of another length.

    :param response: decoded JSON
    :param chance: where the variation comes from
    """
    if isinstance(response, list):
        longer = response * chance.choice([1, 1, 2]) if response and isinstance(response[0], dict) else response
        return _of_distinct_jobs([varied(each, chance) for each in longer])
    if not isinstance(response, dict):
        return response
    kept = {name: value for name, value in response.items() if name in _NEEDED or chance.random() < 0.9}
    new = {name: _value(name, value, chance) for name, value in kept.items()}
    if chance.random() < 0.3:
        new["a_field_of_tomorrow"] = {"or": [1, None]}
    items = list(new.items())
    chance.shuffle(items)
    return dict(items)


def _of_distinct_jobs(rows: list[Any]) -> list[Any]:
    """Return the rows of an import without those that name a job of another row: our client refuses such."""
    for name in ("old_job_id", "new_job_id"):
        if rows and isinstance(rows[0], dict) and name in rows[0]:
            missing = [row for row in rows if str(row[name]) == "-1"]
            rows = [*{str(row[name]): row for row in rows if row not in missing}.values(), *missing]
    return rows


def _value(name: str, value: Any, chance: random.Random) -> Any:
    if name == "is_success":
        return _success(value, chance)
    if name not in _NEEDED and chance.random() < 0.15:
        return None
    if name in ("old_job_id", "new_job_id"):
        number = chance.choice([value, -1 if name == "new_job_id" else 7, (1 << 63) - 1])
        return str(number) if chance.random() < 0.5 else number
    if isinstance(value, str) and name not in _WORDS:
        return "x" + "".join(chance.choices(_LETTERS, k=chance.randrange(60)))
    if type(value) is int and value >= 0:
        return chance.choice([value, value + 1, chance.randrange(1, 1 << 63), (1 << 63) - 1])
    return varied(value, chance)


def _success(value: Any, chance: random.Random) -> Any:
    """Write a success in one of the forms that the official client's model takes too."""
    return chance.choice([True, "true"]) if isinstance(value, str) else value


def refusal(chance: random.Random) -> tuple[int, dict[str, str]]:
    """Draw an error of DLI or of the gateway: its status and body."""
    gateway = chance.random() < 0.4
    code = f"APIGW.{chance.randrange(100, 9999):04}" if gateway else f"DLI.{chance.randrange(1, 99999):04}"
    words = "".join(chance.choices("abcdefXYZ:.,'ü作🙂", k=chance.randrange(1, 60)))
    body = {"error_code": code, "error_msg": words}
    body |= {"request_id": f"{chance.randrange(1 << 64):x}"} if gateway else {}
    items = list(body.items())
    chance.shuffle(items)
    return chance.choice([400, 401, 403, 404, 500, 503]), dict(items)
