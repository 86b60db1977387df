"""The questions that only read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from masking import shape
from points import Outcome, Question, Result, skipped
from sending import Response, Sender

#: no job of a real project has this id
NO_JOB = 999_999_999_999
_PAGE = 100
_REFUSALS: tuple[tuple[str, str, dict[str, Any], str | None], ...] = (
    ("a job that is not there", f"/{NO_JOB}", {}, "DLI.16001"),
    ("a negative offset", "", {"offset": -1}, "DLI.23001"),
    ("a negative limit", "", {"limit": -1}, None),
    ("an order that is none", "", {"order": "sideways"}, None),
    ("a kind of job that is none", "", {"job_type": "no_such_job"}, None),
    ("a status that is none", "", {"status": "no_such_status"}, None),
)


def questions(sender: Sender) -> list[Question]:
    """Return the questions, in the order of the points.

    :param sender: of an account with some jobs
    """
    return [
        Question(7, "status with several values, with a comma and repeated", lambda: several_statuses(sender)),
        Question(7, "name: whole, a beginning, a middle, in capitals", lambda: name_filter(sender)),
        Question(7, "limit of 0, 100, 101 and 1000", lambda: limits(sender)),
        skipped(
            10,
            "the console's address of a job",
            "no call shows it: open a Flink job in the console and send the address with its ids masked",
        ),
        Question(12, "codes of refusals that change nothing", lambda: refusals(sender)),
    ]


def closing_questions(sender: Sender) -> list[Question]:
    """Return what is known only after everything else was sent.

    :param sender: that sent everything
    """
    return [
        Question(6, "status and is_success of every response", lambda: successes(sender)),
        Question(8, "headers that speak of rates", lambda: rates(sender)),
    ]


def denied(sender: Sender) -> Result:
    """Send as somebody without permission (point 9).

    :param sender: of that connection
    """
    response = sender.get(limit=1)
    if response.taken:
        return Outcome.FAILED, "AIRFLOW_CONN_DLI_DENIED may list jobs, so it shows no refusal", {}
    facts = proof(sender, response)
    return Outcome.DECIDED, f"{response.status} {facts.get('code', '')}", facts | {"shape": shape(response.body)}


def visibility(sender: Sender, user: Sender) -> Result:
    """Compare how many jobs two users list (point 13).

    :param sender: of the connection
    :param user: of another user
    """
    response = user.get(limit=1)
    if not response.taken:
        return Outcome.DECIDED, "the list is refused", proof(user, response)
    seen, everything = count_of(response), count_of(sender.get(limit=1))
    return Outcome.DECIDED, f"the user lists {seen} of {everything} jobs", {"listed": seen, "of": everything}


def proof(sender: Sender, response: Response) -> dict[str, Any]:
    """Return what of a response may be passed on.

    :param sender: whose mask knows what is somebody's own
    :param response: any
    """
    facts: dict[str, Any] = {"status": response.status}
    if response.code:
        facts["code"] = sender.mask.text(response.code)
    if response.message:
        facts["message"] = sender.mask.message(response.message)
    return facts


def jobs_of(response: Response) -> list[dict[str, Any]]:
    """Read the jobs of a list.

    :param response: to a list
    :raises LookupError: if it is none
    """
    found: list[dict[str, Any]] = response.body["job_list"]["jobs"]
    return found


def count_of(response: Response) -> int:
    """Read how many jobs a list reports."""
    return int(response.body["job_list"]["total_count"])


def several_statuses(sender: Sender) -> Result:
    """Compare lists of two statuses with the lists of each."""
    found = Counter(str(job["status"]) for job in jobs_of(sender.get(limit=_PAGE))).most_common()
    if len(found) < 2:
        return Outcome.SKIPPED, "needs jobs in two statuses at least", {"statuses": len(found)}
    first, second = found[0][0], found[-1][0]
    one, other = (count_of(sender.get(status=status, limit=1)) for status in (first, second))
    forms: dict[str, Any] = {}
    for form, value in (("comma", f"{first},{second}"), ("repeated", [first, second])):
        response = sender.get(status=value, limit=1)
        forms[form] = count_of(response) if response.taken else proof(sender, response)
    meanings = {one + other: "both", one: "the first only", other: "the second only", 0: "neither"}
    if one == other:
        meanings[one] = "one of them only"
    result = "; ".join(
        f"{form}: {meanings.get(found, 'something else') if isinstance(found, int) else 'refused'}"
        for form, found in forms.items()
    )
    return Outcome.DECIDED, result, {"first alone": one, "second alone": other, **forms}


def name_filter(sender: Sender) -> Result:
    """Search for a job by its name and by parts of it."""
    names = [str(job["name"]) for job in jobs_of(sender.get(limit=_PAGE)) if len(str(job["name"])) > 4]
    name = next((name for name in names if name.isascii() and name != name.upper()), None)
    if name is None:
        return Outcome.SKIPPED, "needs a job whose name has five letters at least", {}
    forms = {"whole": name, "beginning": name[:-1], "middle": name[1:-1], "capitals": name.upper()}
    found: dict[str, Any] = {}
    for form, value in forms.items():
        response = sender.get(name=value, limit=_PAGE)
        hits = [job for job in jobs_of(response) if job["name"] == name] if response.taken else []
        found[form] = bool(hits) if response.taken else proof(sender, response)
    hitting = [form for form, hit in found.items() if hit is True]
    return Outcome.DECIDED, f"found by: {', '.join(hitting) or 'nothing'}", found


def limits(sender: Sender) -> Result:
    """Request none, the most that the manual allows, and more."""
    found: dict[str, Any] = {}
    for limit in (0, 100, 101, 1000):
        response = sender.get(limit=limit)
        facts = (
            {"jobs": len(jobs_of(response)), "of": count_of(response)}
            if response.taken
            else proof(sender, response)
        )
        found[str(limit)] = facts
    result = "; ".join(
        f"limit={limit}: " + (f"{facts['jobs']} of {facts['of']} jobs" if "of" in facts else "refused")
        for limit, facts in found.items()
    )
    return Outcome.DECIDED, result, found


def refusals(sender: Sender) -> Result:
    """Provoke refusals by reading, and keep their codes."""
    found: dict[str, Any] = {}
    for what, path, query, expected in _REFUSALS:
        response = sender.get(path, **query)
        found[what] = proof(sender, response) | ({"documented": expected} if expected else {})
    codes = sorted({str(facts["code"]) for facts in found.values() if "code" in facts})
    return Outcome.DECIDED, f"codes seen: {', '.join(codes) or 'none'}", found


def successes(sender: Sender) -> Result:
    """Count responses by status and ``is_success``; a 200 with false decides the point, none does not."""
    seen = dict(sorted(sender.seen.items()))
    odd = {result: count for result, count in seen.items() if result.startswith("200") and "alse" in result}
    absent = sum(count for result, count in seen.items() if result.startswith("200") and "absent" in result)
    if odd:
        return Outcome.DECIDED, f"yes, it does; is_success absent in {absent} of status 200", seen
    return Outcome.SEEN, f"not in {sum(seen.values())} responses; absent in {absent} of status 200", seen


def rates(sender: Sender) -> Result:
    """Return the headers of rate limits; what they mean for other accounts is not known."""
    if not sender.rates:
        return (
            Outcome.SEEN,
            f"no such header in {sum(sender.seen.values())} responses, none was provoked",
            {},
        )
    return Outcome.SEEN, "the last values of each header", dict(sorted(sender.rates.items()))
