"""Values as people read them: what came from outside is escaped; numbers, durations, tables."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

import airflow_provider_dli
from airflow_provider_dli.client.errors import ConfigurationError, RefusedError
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.formatting import (
    escaped,
    excerpt,
    format_duration,
    format_ids,
    format_size,
    markdown_table,
    pluralize,
    safe_logger,
    text_table,
)
from airflow_provider_dli.services.report import Page, Table, html
from tests.hostile import HOSTILE, is_clean

HOME = Path(airflow_provider_dli.__file__).parent


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31m\x00\x7f\x85\x9b", r"\x1b[31m\x00\x7f\x85\x9b"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\u202a\u202e\u2066\u2069\u061c", r"\u202a\u202e\u2066\u2069\u061c"),
        ("\u200b\u200d\u200f\ufeff\u2060\xad", r"\u200b\u200d\u200f\ufeff\u2060\xad"),
        ("\ud800 \U000e0041", r"\ud800 \U000e0041"),
        ("订单汇总　日次 Größe\xa0№ 🙂 مرحبا", "订单汇总　日次 Größe\xa0№ 🙂 مرحبا"),
        ("back\\slash", "back\\slash"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_written_out(given: str, shown: str) -> None:
    """Letters and spaces of every script stay as they are; twice does no more than once."""
    assert escaped(given) == shown
    assert escaped(escaped(given)) == shown


def test_a_long_string_is_cut() -> None:
    """With a sign that it was."""
    assert escaped("x" * 11, 10) == "x" * 10 + "…"
    assert escaped("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("value", "shown"),
    [("maybe", "'maybe'"), ("hunter22", "'hunt…' (8 characters)"), (5, "5"), ("a\nb", r"'a\nb'")],
)
def test_only_the_beginning_of_what_may_be_a_secret_is_quoted(value: object, shown: str) -> None:
    """Enough to find it again."""
    assert excerpt(value, secret=True) == shown


@pytest.mark.parametrize(
    "error",
    [
        DliException(HOSTILE, advice=HOSTILE),
        ConfigurationError(HOSTILE, HOSTILE, HOSTILE),
        RefusedError(HOSTILE, 400, HOSTILE, HOSTILE, HOSTILE, HOSTILE),
    ],
)
def test_messages_of_exceptions_are_clean(error: Exception) -> None:
    """Also in ``repr``."""
    assert is_clean(str(error))
    assert is_clean(repr(error))


def test_tables_and_pages_are_clean() -> None:
    """Every cell, heading and fact."""
    assert all(map(is_clean, text_table(("a",), [(HOSTILE,)])))
    assert is_clean(markdown_table((HOSTILE,), [(HOSTILE,)]).replace("\n", ""))
    table = Table(HOSTILE, (HOSTILE,), [(HOSTILE,)])
    page = html(Page(HOSTILE, False, HOSTILE, {HOSTILE: HOSTILE}, [table], {"x": HOSTILE}))
    assert is_clean(page.replace("\n", ""))
    assert "\nFORGED" not in page


def test_a_logger_of_ours_escapes_what_it_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Arguments of every kind, and the line itself."""
    log = safe_logger("airflow_provider_dli.test")
    with caplog.at_level(logging.INFO, log.name):
        log.info("%s and %s", HOSTILE, DliException(HOSTILE))
        log.info("%(name)s", {"name": HOSTILE})
        log.info(HOSTILE)
        log.info("100 %% of %d", 5)
    assert all(is_clean(record.getMessage()) for record in caplog.records)
    assert caplog.records[-1].getMessage() == "100 % of 5"


def classes(path: Path) -> list[ast.ClassDef]:
    return [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ClassDef)
    ]


@pytest.mark.slow
def test_whatever_has_a_log_of_airflows_has_it_escaped() -> None:
    """Each class on a base of Airflow's own, and each logger of a module: no call can forget."""
    bases = {"BaseOperator", "BaseSensorOperator", "BaseTrigger", "BaseHook"}
    found = 0
    for path in HOME.rglob("*.py"):
        for each in classes(path):
            names = [base.id for base in each.bases if isinstance(base, ast.Name)]
            if bases & set(names):
                found += 1
                assert "SafeLog" in names[: names.index(next(iter(bases & set(names))))], f"{path}: {each.name}"
        if path.relative_to(HOME).as_posix() not in ("formatting.py", "client/obs/client.py"):
            assert "getLogger" not in path.read_text(encoding="utf-8"), f"{path}: use formatting.safe_logger"
    assert found >= 4


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (12_345, "12 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (5 * 10**9, "5.0 GB"),
        (12_345 * 10**9, "12,345 GB"),
    ],
)
def test_format_size(size: int, text: str) -> None:
    """In the unit that people would choose, with a decimal where it matters."""
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_format_duration(seconds: float, text: str) -> None:
    """The longer, the coarser."""
    assert format_duration(seconds) == text


def test_pluralize() -> None:
    """One is one; thousands are grouped."""
    assert pluralize(1, "archive") == "1 archive"
    assert pluralize(1024, "entry", "entries") == "1,024 entries"


def test_of_many_ids_twenty_are_named_and_the_others_counted() -> None:
    """However many: a log line or an exception stays one that people can read."""
    assert format_ids([1, 2]) == "1, 2"
    assert format_ids(range(20)).endswith("18, 19")
    assert format_ids(range(5_020)).endswith("18, 19, and 5,000 more")
    assert format_ids({"a: x": 1, "b: y": 2}, " | ") == "a: x | b: y"
    assert format_ids(["x" * 2500, "y" * 400, "z" * 101, "last"], "; ") == f"{'x' * 2500}; {'y' * 400}; and 2 more"
    assert format_ids(["x" * 5000]) == "x" * 5000


def test_columns_line_up_with_wide_characters() -> None:
    """A character may be two columns wide; None is a dash; no line ends in spaces."""
    assert list(text_table(("id", "name"), [(1, "订单"), (None, "abcde"), (22, "")])) == [
        "id  name",
        "--  -----",
        "1   订单",
        "-   abcde",
        "22",
    ]
    lines = list(text_table(("name", "id"), [("订单", 1), ("abcde", 2)]))
    assert lines[2:] == ["订单   1", "abcde  2"]


def test_long_values_are_cut_to_the_width() -> None:
    """With a sign that they were; a wide character is not cut in two."""
    assert list(text_table(("a",), [("x" * 9,)], max_width=5))[-1] == "xxxx…"
    assert list(text_table(("a",), [("订单汇总",)], max_width=6))[-1].replace(" ", "") == "订单…"


def test_markdown_is_escaped() -> None:
    """So that a value adds neither markup nor a column."""
    assert markdown_table(("a|b",), [("<b> `c` \\",), (None,)]) == (
        "| a\\|b |\n| --- |\n| &lt;b> \\`c\\` \\\\ |\n| - |\n"
    )
