"""The questions that only read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from asking import Answer, Asker
from masking import shape
from points import Outcome, Question, Told, skipped

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


def questions(asker: Asker) -> list[Question]:
    """Give the questions, in the order of the points.

    :param asker: of an account with some jobs
    """
    return [
        Question(7, "status with several values, with a comma and repeated", lambda: several_statuses(asker)),
        Question(7, "name: whole, a beginning, a middle, in capitals", lambda: name_filter(asker)),
        Question(7, "limit of 0, 100, 101 and 1000", lambda: limits(asker)),
        skipped(
            10,
            "the console's address of a job",
            "no call tells it: open a Flink job in the console and send the address with its ids masked",
        ),
        Question(12, "codes of refusals that change nothing", lambda: refusals(asker)),
    ]


def closing_questions(asker: Asker) -> list[Question]:
    """Give what is known only when everything else was asked.

    :param asker: that asked everything
    """
    return [
        Question(6, "status and is_success of every answer", lambda: successes(asker)),
        Question(8, "headers that speak of rates", lambda: rates(asker)),
    ]


def denied(asker: Asker) -> Told:
    """Ask as somebody without the right (point 9).

    :param asker: of that connection
    """
    answer = asker.get(limit=1)
    if answer.taken:
        return Outcome.FAILED, "AIRFLOW_CONN_DLI_DENIED may list jobs, so it shows no refusal", {}
    facts = told(asker, answer)
    return Outcome.SETTLED, f"{answer.status} {facts.get('code', '')}", facts | {"shape": shape(answer.body)}


def told(asker: Asker, answer: Answer) -> dict[str, Any]:
    """Give what of an answer may be passed on.

    :param asker: whose mask knows what is somebody's own
    :param answer: any
    """
    facts: dict[str, Any] = {"status": answer.status}
    if answer.code:
        facts["code"] = asker.mask.text(answer.code)
    if answer.message:
        facts["message"] = asker.mask.message(answer.message)
    return facts


def jobs_of(answer: Answer) -> list[dict[str, Any]]:
    """Read the jobs of a list.

    :param answer: to a list
    :raises LookupError: if it is none
    """
    found: list[dict[str, Any]] = answer.body["job_list"]["jobs"]
    return found


def count_of(answer: Answer) -> int:
    """Read how many jobs a list says there are."""
    return int(answer.body["job_list"]["total_count"])


def several_statuses(asker: Asker) -> Told:
    """Hold lists of two statuses against the lists of each."""
    found = Counter(str(job["status"]) for job in jobs_of(asker.get(limit=_PAGE))).most_common()
    if len(found) < 2:
        return Outcome.SKIPPED, "needs jobs in two statuses at least", {"statuses": len(found)}
    first, second = found[0][0], found[-1][0]
    one, other = (count_of(asker.get(status=status, limit=1)) for status in (first, second))
    forms: dict[str, Any] = {}
    for form, value in (("comma", f"{first},{second}"), ("repeated", [first, second])):
        answer = asker.get(status=value, limit=1)
        forms[form] = count_of(answer) if answer.taken else told(asker, answer)
    meanings = {one + other: "both", one: "the first only", other: "the second only", 0: "neither"}
    if one == other:
        meanings[one] = "one of them only"
    said = "; ".join(
        f"{form}: {meanings.get(found, 'something else') if isinstance(found, int) else 'refused'}"
        for form, found in forms.items()
    )
    return Outcome.SETTLED, said, {"first alone": one, "second alone": other, **forms}


def name_filter(asker: Asker) -> Told:
    """Look for a job by its name and by parts of it."""
    names = [str(job["name"]) for job in jobs_of(asker.get(limit=_PAGE)) if len(str(job["name"])) > 4]
    name = next((name for name in names if name.isascii() and name != name.upper()), None)
    if name is None:
        return Outcome.SKIPPED, "needs a job whose name has five letters at least", {}
    forms = {"whole": name, "beginning": name[:-1], "middle": name[1:-1], "capitals": name.upper()}
    found: dict[str, Any] = {}
    for form, value in forms.items():
        answer = asker.get(name=value, limit=_PAGE)
        hits = [job for job in jobs_of(answer) if job["name"] == name] if answer.taken else []
        found[form] = bool(hits) if answer.taken else told(asker, answer)
    hitting = [form for form, hit in found.items() if hit is True]
    return Outcome.SETTLED, f"found by: {', '.join(hitting) or 'nothing'}", found


def limits(asker: Asker) -> Told:
    """Ask for none, the most that the manual allows, and more."""
    found: dict[str, Any] = {}
    for limit in (0, 100, 101, 1000):
        answer = asker.get(limit=limit)
        facts = {"jobs": len(jobs_of(answer)), "of": count_of(answer)} if answer.taken else told(asker, answer)
        found[str(limit)] = facts
    said = "; ".join(
        f"limit={limit}: " + (f"{facts['jobs']} of {facts['of']} jobs" if "of" in facts else "refused")
        for limit, facts in found.items()
    )
    return Outcome.SETTLED, said, found


def refusals(asker: Asker) -> Told:
    """Provoke refusals by reading, and keep their codes."""
    found: dict[str, Any] = {}
    for what, path, query, expected in _REFUSALS:
        answer = asker.get(path, **query)
        found[what] = told(asker, answer) | ({"documented": expected} if expected else {})
    codes = sorted({str(facts["code"]) for facts in found.values() if "code" in facts})
    return Outcome.SETTLED, f"codes seen: {', '.join(codes) or 'none'}", found


def successes(asker: Asker) -> Told:
    """Count answers by status and ``is_success``; a 200 that says false settles the point, none does not."""
    seen = dict(sorted(asker.seen.items()))
    odd = {said: count for said, count in seen.items() if said.startswith("200") and "alse" in said}
    if odd:
        return Outcome.SETTLED, "yes, it does", seen
    return Outcome.SEEN, f"not in {sum(seen.values())} answers", seen


def rates(asker: Asker) -> Told:
    """Tell the headers of rate limits; what they mean for other accounts is not known."""
    if not asker.rates:
        return Outcome.SEEN, f"no such header in {sum(asker.seen.values())} answers, and nothing was provoked", {}
    return Outcome.SEEN, "the last values of each header", dict(sorted(asker.rates.items()))
