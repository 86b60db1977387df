"""What an author, a template or a form gives, and what a call takes."""

from __future__ import annotations

import pytest

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.parameters import archive_places, job_ids, selected_jobs, selection_of
from airflow_provider_dli.selection import Selection


@pytest.mark.parametrize(
    "given",
    [
        [100, 101],
        (100, 101),
        ["100", " 101 "],
        [100, "101", 100],
        "100,101",
        " 100 , 101, ",
        "100\n101\n",
        "100 101",
        "100;101",
        "[100, 101]",
        "['100', '101']",
        '["100", 101]',
        iter([100, 101]),
    ],
)
def test_ids_in_every_form(given: object) -> None:
    """Lists, and texts as people type them or templates write them."""
    assert selected_jobs(given, None, given=True) == [100, 101]


@pytest.mark.parametrize("given", [100, "100", "[100]", [100]])
def test_one_id(given: object) -> None:
    """Needs no list around it."""
    assert selected_jobs(given, None, given=True) == [100]


@pytest.mark.parametrize("is_selected", [None, False])
def test_no_selection_is_all_jobs(is_selected: bool | None) -> None:
    """The only way to say so is to give none."""
    assert selected_jobs(None, is_selected, given=False) is None


def test_ids_and_is_selected_agree() -> None:
    """True with ids says the same twice."""
    assert selected_jobs([1], True, given=True) == [1]


@pytest.mark.parametrize(
    "given", [[], (), "", "  ", ",", "[]", None, ["abc"], "abc", "None", [None], [True], [1.5], "1.5", "-1", [0],
              "[1", "[x]", {}, {"a": 1}, b"1", "１２", [[1]], "9" * 20, "[" * 500,
              "[" * 5000, "[" * 100_000, "[{[1]: 2}]", "{['a']: 1}", "[{{1}}]"]
)  # fmt: skip
def test_a_selection_that_is_none_is_never_all_jobs(given: object) -> None:
    """Given and empty, or no ids: an error that names the field."""
    with pytest.raises(ConfigurationError, match=r"^job_selected: "):
        selected_jobs(given, None, given=True)


@pytest.mark.parametrize(
    ("job_selected", "is_selected", "field"),
    [
        (None, True, "job_selected"),
        ([1], False, "is_selected"),
        (None, "true", "is_selected"),
        ([1], 1, "is_selected"),
    ],
)
def test_a_contradiction_is_refused(job_selected: object, is_selected: object, field: str) -> None:
    """Neither side of it is guessed at."""
    with pytest.raises(ConfigurationError) as caught:
        selected_jobs(job_selected, is_selected, given=job_selected is not None)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "given",
    [
        "obs-test/d/a.zip",
        "obs://obs-test/d/a.zip",
        ["obs-test/d/a.zip"],
        ("obs-test/d/a.zip", "obs://obs-test/d/a.zip"),
        "['obs-test/d/a.zip']",
        '["obs-test/d/a.zip"]',
    ],
)
def test_archives_in_every_form(given: object) -> None:
    """One entry, the list, or the list as a template writes it; each archive once."""
    assert archive_places(given) == [ObsLocation("obs-test", "d/a.zip")]


def test_a_key_may_hold_commas_and_blanks() -> None:
    """Only what looks like a list is taken apart."""
    assert archive_places("obs-test/a, b.zip") == [ObsLocation("obs-test", "a, b.zip")]


@pytest.mark.parametrize("given", [[], "[]", "", None, "bucket", [7], "[", {}])
def test_what_names_no_archive_is_refused(given: object) -> None:
    """Verifying nothing must not turn green."""
    with pytest.raises(ConfigurationError, match=r"^zip_file: "):
        archive_places(given)


@pytest.mark.parametrize("given", ["[" * 5000, "[{[1]: 2}]", "[{{1}}]"])
def test_a_text_that_cannot_be_read_is_named_and_cut(given: str) -> None:
    """However deep it nests, and though Python could not hold it: one line with the field."""
    with pytest.raises(ConfigurationError, match=r"^job_ids: .* cannot be read; ") as caught:
        job_ids("job_ids", given)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("given", ["{['a']: 1}", "{{'a'}}", "{" * 5000, "{'a': " * 5000])
def test_a_selection_that_cannot_be_read_is_named(given: str) -> None:
    """In one line with the field."""
    with pytest.raises(ConfigurationError, match=r"^selection: .* cannot be read; "):
        selection_of(given)


def test_what_is_blank_filters_nothing() -> None:
    """Nothing of it is sent, and nothing looked at."""
    blank = {"queue_name": " ", "user_name": "", "name_pattern": " , ", "tags": {}, "exclude": ", ", "status": ()}
    assert Selection.read(blank) == Selection()
    assert Selection.read(blank).filters() == {}
