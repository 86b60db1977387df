"""Numbers, durations and tables as people read them."""

from __future__ import annotations

import pytest

from airflow_provider_dli.formatting import format_duration, markdown_table, pluralize, text_table


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
