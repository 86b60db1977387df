"""The page with the source of each fact about DLI, OBS and IAM is complete, and names what there is."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.errors import (
    ADVICE,
    AuthenticationError,
    PermissionDeniedError,
    RefusedError,
    ServiceError,
    UnavailableError,
)
from airflow_provider_dli.client.exchange import parse_reply
from airflow_provider_dli.client.flink.settings import DEFAULTS
from airflow_provider_dli.client.flink.status import PHASES
from tests.sources.page import FACTS, PAGE, SOURCES, Fact, page

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_provider_dli"
SURENESS = ("established", "one source", "assumed")


def is_module(name: str) -> bool:
    """Return whether the package has this module."""
    try:
        return find_spec(f"{PACKAGE}.{name}") is not None
    except ModuleNotFoundError:  # what should be a package is a module, or is not there
        return False


@cache
def functions_of(file: Path) -> frozenset[str]:
    """Return the names of the functions in a file."""
    return frozenset(re.findall(r"^ *(?:async )?def (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_page_is_made_of_the_facts() -> None:
    """``python -m tests.sources.page`` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_there_are_many() -> None:
    """Of every area."""
    assert len(FACTS) >= 100
    assert len({fact.area for fact in FACTS}) >= 9


@pytest.mark.parametrize("fact", FACTS, ids=[f"{number}" for number in range(1, len(FACTS) + 1)])
def test_what_a_row_names_exists(fact: Fact) -> None:
    """Its modules, its sources and its test; and it has a degree of certainty."""
    modules = fact.where.split()
    assert modules
    assert [name for name in modules if not is_module(name)] == []
    cited = fact.source.split()
    assert cited
    assert [source for source in cited if source not in SOURCES] == []
    assert fact.sure.startswith(SURENESS)
    assert not any("|" in cell or "\n" in cell for cell in fact)
    file, _, function = fact.test.partition("::")
    assert function in functions_of(ROOT / "tests" / file)


def test_every_source_is_cited_and_dated() -> None:
    """One that no fact names is not a source; each has a title, and a year."""
    cited = {source for fact in FACTS for source in fact.source.split()}
    assert set(SOURCES) == cited
    assert [
        source for source, (title, date) in SOURCES.items() if not title or not re.search(r"20\d\d", date)
    ] == []


def sources_of_the_package() -> str:
    """Return the code of the whole package."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / PACKAGE).rglob("*.py")))


def test_no_code_or_page_is_without_a_row() -> None:
    """The service's codes and the manual's pages that the package names: who adds one adds its source."""
    code = sources_of_the_package()
    named = set(re.findall(r"\b(?:DLI\.\d{4,5}|APIGW\.\d{4})\b", code))
    assert named >= {"DLI.0003", "APIGW.0308"}
    facts = "\n".join(fact.fact for fact in FACTS)
    assert sorted(each for each in named if f"`{each}`" not in facts) == []
    pages = set(re.findall(r"\b(?:dli_0\d|obs_0\d|iam_\d\d)_\d{4}\b|\bobs_faq_\d{4}\b", code))
    assert sorted(pages - set(SOURCES)) == []


def test_no_status_or_default_is_without_a_row() -> None:
    """Each status of a job, and each default with its value."""
    facts = "\n".join(fact.fact for fact in FACTS)
    assert [status for status in PHASES if f"`{status}`" not in facts] == []
    for name, values in DEFAULTS.items():
        for value in [value for value in values if value is not None]:
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            assert re.search(rf"`{name}` (?:\S+ or )?`?{re.escape(shown)}`?(?!\w)", facts), name


def refusal(status: int, code: str) -> ServiceError:
    """Return the error that a response with this code becomes, of an operation that has advice for each."""
    body = json.dumps({"error_code": code, "error_msg": "No."}).encode()
    with pytest.raises(ServiceError) as caught:
        parse_reply(flink.export_jobs("bucket", [100]), Reply(status, {}, body))
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "DLI.0001", RefusedError),
        (400, "DLI.0002", RefusedError),
        (400, "DLI.0003", PermissionDeniedError),
        (400, "DLI.0011", PermissionDeniedError),
        (400, "DLI.0012", UnavailableError),
        (401, "DLI.0013", AuthenticationError),
        (401, "DLI.0014", AuthenticationError),
        (400, "DLI.0015", AuthenticationError),
        (400, "DLI.0016", PermissionDeniedError),
        (400, "DLI.0019", UnavailableError),
        (400, "DLI.0999", UnavailableError),
        (400, "DLI.10001", UnavailableError),
    ],
)
def test_codes_of_dli_have_their_class(status: int, code: str, kind: type[ServiceError]) -> None:
    """More precise than their HTTP status, which is 400 for most."""
    error = refusal(status, code)
    assert (type(error), error.code, error.status) == (kind, code, status)
    assert error.advice.startswith(ADVICE.get(code, kind.advice))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "APIGW.0301", AuthenticationError),
        (403, "APIGW.0302", PermissionDeniedError),
        (401, "APIGW.0303", AuthenticationError),
        (401, "APIGW.0305", AuthenticationError),
        (401, "APIGW.0307", AuthenticationError),
        (403, "APIGW.0310", PermissionDeniedError),
        (403, "APIGW.0802", PermissionDeniedError),
    ],
)
def test_codes_of_the_gateway_have_their_class(status: int, code: str, kind: type[ServiceError]) -> None:
    """That of their HTTP status, and advice of their own."""
    error = refusal(status, code)
    assert (type(error), error.code) == (kind, code)
    assert error.advice.startswith(ADVICE[code])
