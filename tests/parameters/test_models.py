"""What an author, a template, a mapping or a form gives, and what a call takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.parameters.models import (
    ArchiveSensorParameters,
    BackupParameters,
    CompareParameters,
    DeleteParameters,
    ExportParameters,
    ImportParameters,
    ListParameters,
    RestoreParameters,
    Selection,
    VerifyParameters,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
EXPORT = {
    "obs_dir": "obs-test/night",
    "if_empty": "fail",
    "batch_size": 100,
    "max_concurrency": 4,
    "allow_partial": False,
    "dli_conn_id": "dli_default",
    "reconcile_timeout": 30,
}
BACKUP = {
    **{name: value for name, value in EXPORT.items() if name not in ("obs_dir", "allow_partial")},
    "backup_dir": "obs-test/backups",
    "level": "full",
    "keep_settings": True,
    "timeout": 600,
    "poll_interval": 10,
}
IMPORT = {
    "zip_file": "obs-test/d/a.zip",
    "is_cover": False,
    "on_conflict": "fail",
    "verify_archive": True,
    "dli_conn_id": "dli_default",
    "plan_only": False,
    "reconcile_timeout": 60,
}
RESTORE = {
    **{name: value for name, value in IMPORT.items() if name not in ("zip_file", "is_cover")},
    "backup_dir": "obs-test/backups",
    "level": "full",
}
DELETE = {"if_empty": "fail", "dli_conn_id": "dli_default"}
VERIFY = {
    "zip_file": "obs-test/d/a.zip",
    "dli_conn_id": "dli_default",
    "level": "full",
    "min_entries": 1,
    "timeout": 600,
    "poll_interval": 10,
    "max_concurrency": 4,
}


def selected(given: object, **others: Any) -> tuple[int, ...] | None:
    return ExportParameters.read({**EXPORT, "job_selected": given, **others}).job_selected


def archives(given: object) -> tuple[ObsLocation, ...]:
    return VerifyParameters.read({**VERIFY, "zip_file": given}).zip_file


@pytest.mark.parametrize(
    "given",
    [
        [100, 101],
        (100, 101),
        {101, 100},
        ["100", " 101 "],
        [100, "101", 100],
        "100,101",
        " 100 , 101 ",
        "100\n101\n",
        "100 101",
        "100;101",
        "[100, 101]",
        "(100, 101)",
        "{101, 100}",
        "['100', '101']",
        '["100", 101]',
        "'100', '101'",
        iter([100, 101]),
        [[100], [101]],
        "[[100], [101]]",
        [{"job_id": 100}, {"job_id": "101"}],
        "[{'job_id': 100, 'name': 'a'}, {'job_id': 101}]",
        "[FlinkJob(job_id=100, name='a'), FlinkJob(job_id=101)]",
        [{"old_job_id": 7, "new_job_id": 100}, {"old_job_id": 8, "new_job_id": 101}],
    ],
)
def test_ids_in_every_form(given: object) -> None:
    """Lists and rows, and texts as people type them or templates write them."""
    assert selected(given) == (100, 101)


@pytest.mark.parametrize("given", [100, "100", "[100]", [100], {"job_id": 100}])
def test_one_id(given: object) -> None:
    """Needs no list around it."""
    assert selected(given) == (100,)


@pytest.mark.parametrize("is_selected", [None, False, "False", "None", ""])
def test_no_selection_is_all_jobs(is_selected: object) -> None:
    """Where neither is given."""
    assert ExportParameters.read({**EXPORT, "is_selected": is_selected}).job_selected is None


@pytest.mark.parametrize("given", [None, "None", ""])
@pytest.mark.parametrize("is_selected", [False, "false"])
def test_all_jobs_may_be_explicit(given: object, is_selected: object) -> None:
    """By None beside ``is_selected=False``, which a row of a mapping may need."""
    assert selected(given, is_selected=is_selected) is None


def test_ids_and_is_selected_agree() -> None:
    """True with ids means the same."""
    assert selected([1], is_selected=True) == (1,)


@pytest.mark.parametrize(
    "given", [[], (), "", "  ", ",", "[]", None, ["abc"], "abc", "None", [None], [True], [1.5], "1.5", "-1", [0],
              "[1", "[x]", {}, {"a": 1}, b"1", "１２", [{"name": "a"}], [{"job_id": None}], "9" * 20, "[" * 500,
              "[" * 5000, "[" * 100_000, "[{[1]: 2}]", "{['a']: 1}", "[{{1}}]"]
)  # fmt: skip
def test_a_selection_that_is_nothing_is_never_all_jobs(given: object) -> None:
    """Given and empty, or no ids: an error that names the field."""
    with pytest.raises(ConfigurationError, match=r"^job_selected: ") as caught:
        selected(given)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("others", "field"),
    [
        ({"is_selected": True}, "job_selected"),
        ({"is_selected": False, "job_selected": [1]}, "is_selected"),
        ({"is_selected": False, "selection": {"queue_name": "a"}}, "is_selected"),
        ({"is_selected": "perhaps"}, "is_selected"),
        ({"selection": {}, "job_selected": [1]}, "selection"),
    ],
)
def test_a_contradiction_is_refused(others: dict[str, Any], field: str) -> None:
    """Neither side of it is guessed at."""
    with pytest.raises(ConfigurationError) as caught:
        ExportParameters.read({**EXPORT, **others})
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
        "('obs-test/d/a.zip',)",
        [["obs-test/d/a.zip"], ["obs-test/d/a.zip"]],
        [{"zip_file": "obs-test/d/a.zip", "verified": True}],
        "ExportResult(zip_file=('obs-test/d/a.zip',), message='')",
        {"zip_file": ["obs-test/d/a.zip"]},
        "obs-test/d/a.zip\n",
    ],
)
def test_archives_in_every_form(given: object) -> None:
    """One entry, the list, or the list as a template writes it; each archive once."""
    assert archives(given) == (ObsLocation("obs-test", "d/a.zip"),)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["late events", "orders"], ("late events", "orders")),
        ("late events, orders", ("late events", "orders")),
        ("late events\norders\n", ("late events", "orders")),
        ("late events", ("late events",)),
        ("['late events', 100]", ("late events", 100)),
        ("100 101", (100, 101)),
        (["100 101", "102"], (100, 101, 102)),
        ("100, late events", (100, "late events")),
        (["orders (old)(1)", "[eu] orders"], ("orders (old)(1)", "[eu] orders")),
    ],
)
def test_a_name_may_contain_spaces(given: object, found: tuple[int | str, ...]) -> None:
    """Only ids alone have spaces between: each part of such a name would be expected as a job of its own."""
    options = VerifyParameters.read({**VERIFY, "zip_file": "obs-test/a.zip", "expected_jobs": given})
    assert options.expected_jobs == found


@pytest.mark.parametrize("given", [["a,b", "c"], "['a,b', 'c']", [["a,b"], ("c",)]])
def test_an_item_of_a_list_of_names_is_one_name(given: object) -> None:
    """Only a string is split at commas: that of a list would exclude, expect or restore two other jobs."""
    assert VerifyParameters.read({**VERIFY, "expected_jobs": given}).expected_jobs == ("a,b", "c")
    assert RestoreParameters.read({**RESTORE, "job_names": given}).job_names == ("a,b", "c")
    for read in (Selection.read, lambda filters: _exported(filters).selection):
        selection = read({"name_pattern": given, "exclude": given})
        assert selection.name_pattern == selection.exclude == ("a,b", "c")


@pytest.mark.parametrize("given", ["listed", " listed\n", '"listed"', "none"])
def test_what_a_backup_expects_may_be_a_word(given: str) -> None:
    """Read as other choices are."""
    assert BackupParameters.read({**BACKUP, "expected_jobs": given}).expected_jobs == given.strip(' "\n')


@pytest.mark.parametrize("given", ["Listed", " LISTED ", "NONE", ["listed"], "['listed']", "100, listed"])
def test_a_word_is_not_taken_for_a_name(given: object) -> None:
    """That a job of this name is missing in the archive would be known only after the export."""
    with pytest.raises(
        ConfigurationError, match=r"^expected_jobs: '\w+' is not the .*; give '(listed|none)' in lower"
    ):
        BackupParameters.read({**BACKUP, "expected_jobs": given})


def test_a_key_may_hold_commas_and_spaces() -> None:
    """Only what looks like a list is taken apart, and lines."""
    assert archives("obs-test/a, b.zip") == (ObsLocation("obs-test", "a, b.zip"),)
    assert archives("obs-test/a, (b).zip\nobs-test/c") == (
        ObsLocation("obs-test", "a, (b).zip"),
        ObsLocation("obs-test", "c"),
    )


@pytest.mark.parametrize("given", [[], "[]", "", None, "bucket", [7], "[", {}, [None], ["obs-test/a", None]])
def test_what_names_no_archive_is_refused(given: object) -> None:
    """Verifying nothing, or less than was meant, must not succeed."""
    with pytest.raises(ConfigurationError, match=r"^zip_file: "):
        archives(given)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (["100", ""], "item 2 is empty"),
        (["100", None], "item 2 is None"),
        (["100", "None"], "item 2 is None"),
        ("['100', '']", "item 2 is empty"),
        ([["100"], ["101", " "]], "item 2 of item 2 is empty"),
        ("100,,101", "item 2 is empty"),
        ("100, 101,", "item 3 is empty"),
        ("100,None", "item 2 is None"),
        (["100", " , "], "item 2 is empty"),
        (["100", "101,"], "item 2 of item 2 is empty"),
    ],
)
def test_an_item_that_is_nothing_is_refused_by_its_position(given: object, where: str) -> None:
    """What was meant by it is not known: fewer jobs would be exported, expected, stopped or excluded."""
    readers: dict[str, Callable[[], object]] = {
        "job_selected": lambda: selected(given),
        "job_ids": lambda: DeleteParameters.read(
            {"job_ids": given, "if_empty": "succeed", "dli_conn_id": "dli_default"}
        ),
        "expected_jobs": lambda: VerifyParameters.read({**VERIFY, "expected_jobs": given}),
        "exclude": lambda: Selection.read({"exclude": given}),
        "name_pattern": lambda: Selection.read({"name_pattern": given}),
    }
    for name, read in readers.items():
        with pytest.raises(ConfigurationError, match=rf"^{name}: {where}; give it a value, or omit it$"):
            read()


def test_a_list_of_jobs_in_a_list_may_be_empty() -> None:
    """Of two tasks that select jobs one may have found none."""
    assert selected([[100], [], "[]", [101]]) == (100, 101)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (["obs-test/d/a.zip", ""], "item 2 is empty"),
        ([["obs-test/d/a.zip"], []], "item 2 is empty"),
        (["obs-test/d/a.zip", "[]"], "item 2 is empty"),
        ([{"zip_file": "obs-test/d/a.zip"}, {"zip_file": []}], "zip_file of item 2 is empty"),
        ([{"zip_file": ["obs-test/d/a.zip", None]}], "item 2 of zip_file of item 1 is None"),
        ({"zip_file": ""}, "zip_file is empty"),
    ],
)
def test_a_list_of_archives_in_a_list_is_not_empty(given: object, where: str) -> None:
    """An export that failed pushed it: the archives of the others are not all."""
    with pytest.raises(ConfigurationError, match=rf"^zip_file: {where}; give it a value, or omit it$"):
        archives(given)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ([[{1: 2}], []], "item 2 is empty"),
        ([{1: 2}, {}], "item 2 is empty"),
        ([{"job_mapping": [{1: 2}]}, {"job_mapping": []}], "job_mapping of item 2 is empty"),
    ],
)
def test_a_mapping_of_jobs_in_a_list_is_not_empty(given: object, where: str) -> None:
    """An import that failed pushed it: its jobs were not compared."""
    conns = {"source_conn_id": "a", "dli_conn_id": "b", "show_values": False}
    with pytest.raises(ConfigurationError, match=rf"^job_mapping: {where}; give it a value, or omit it$"):
        CompareParameters.read({"job_mapping": given, **conns})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"team": ""}, "empty"),
        ({"tier": "gold", "team": " "}, "empty"),
        ({"team": None}, "None"),
        ("{'team': ''}", "empty"),
        ("team=", "empty"),
        ("tier=gold,team=", "empty"),
        ("team=None", "None"),
    ],
)
def test_a_tag_without_a_value_is_named(given: object, found: str) -> None:
    """It would match no job: a backup of nothing would succeed."""
    for read, name in ((Selection.read, "tags"), (_exported, "selection.tags")):
        with pytest.raises(ConfigurationError, match=rf"^{name}: the value of 'team' is {found}; give it a value"):
            read({"tags": given})


def _exported(selection: dict[str, Any]) -> ExportParameters:
    return ExportParameters.read({**EXPORT, "selection": selection})


@pytest.mark.parametrize("given", ["[" * 5000, "[{[1]: 2}]", "[{{1}}]"])
def test_a_text_that_cannot_be_read_is_named_and_cut(given: str) -> None:
    """However deep it nests, and though Python could not hold it: one line with the field."""
    with pytest.raises(ConfigurationError, match=r"^job_ids: .* cannot be read; ") as caught:
        DeleteParameters.read({"job_ids": given, "if_empty": "fail", "dli_conn_id": "dli_default"})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("given", ["{['a']: 1}", "{{'a'}}", "{" * 5000, "{'a': " * 5000])
def test_a_selection_that_cannot_be_read_is_named(given: str) -> None:
    """In one line with the field."""
    with pytest.raises(ConfigurationError, match=r"^selection: .* cannot be read; "):
        ExportParameters.read({**EXPORT, "selection": given})


def test_an_empty_value_does_not_filter() -> None:
    """Nothing of it is sent, and nothing compared."""
    empty: dict[str, Any] = {
        "queue_name": " ",
        "user_name": "None",
        "name_pattern": " , ",
        "tags": {},
        "exclude": ", ",
        "status": (),
        "job_type": None,
    }
    assert Selection.read(empty) == Selection()
    assert str(Selection.read(empty)) == "all jobs"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("[ab]*, c", ("[ab]*", "c")),
        (["[ab]*", "c"], ("[ab]*", "c")),
        ("['[ab]*', 'c']", ("[ab]*", "c")),
        ("[12]", ("[12]",)),
        (7, ("7",)),
    ],
)
def test_a_wildcard_may_begin_like_a_list(given: object, expected: tuple[str, ...]) -> None:
    """Only what Jinja or JSON writes is a list."""
    assert Selection.read({"name_pattern": given}).name_pattern == expected


@pytest.mark.parametrize("given", [{"changed_since": None}, {"changed_since": "None", "tags": {}}])
def test_a_list_whose_filters_are_all_nothing_is_refused(given: dict[str, Any]) -> None:
    """Its output is often the input of what stops or deletes."""
    with pytest.raises(ConfigurationError, match=r"^(tags, )?changed_since: .* nothing; .* omit every filter"):
        ListParameters.read({"if_empty": "fail", "dli_conn_id": "dli_default", **given})


@pytest.mark.parametrize(
    "given",
    [
        [{"old_job_id": 1, "new_job_id": 2, "recovered": False}, {"old_job_id": 3, "new_job_id": None}],
        [[{"old_job_id": "1", "new_job_id": "2"}], [{"old_job_id": 3}]],
        "[{'old_job_id': 1, 'new_job_id': 2}, {'old_job_id': 3, 'new_job_id': None}]",
        {1: 2, 3: None},
        '{"1": 2, "3": null}',
    ],
)
def test_a_mapping_of_jobs_in_every_form(given: object) -> None:
    """As the import pushes it, mapped or not, as an author or a template writes it."""
    conns = {"source_conn_id": "a", "dli_conn_id": "b", "show_values": False}
    found = CompareParameters.read({"job_mapping": given, **conns}).job_mapping
    assert [(each.old_job_id, each.new_job_id) for each in found] == [(1, 2), (3, None)]


def test_every_parameter_at_fault_is_named() -> None:
    """In one line."""
    given = {
        **EXPORT,
        "obs_dir": "None",
        "batch_size": "0",
        "reconcile_timeout": "nan",
        "selection": {"status": "x"},
    }
    with pytest.raises(ConfigurationError) as caught:
        ExportParameters.read(given)
    for name in (
        "obs_dir: rendered to nothing",
        "batch_size: '0'",
        "reconcile_timeout: 'nan'",
        "selection.status: 'x'",
    ):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "longest", "others"),
    [
        # "/batch-0001/aggregate_1582677879475.zip"
        ("obs_dir", 1023 - 39, {}),
        # "/0123456789abcdef/" and the name of the archive, or one as DLI gives
        ("staging_dir", 1023 - 18 - 27, {"zip_file": "obs-test/a.zip"}),
        ("staging_dir", 1023 - 18 - 120, {"zip_file": f"obs-test/d/{'a' * 120}"}),
    ],
)
def test_a_directory_has_room_for_what_is_written_in_it(name: str, longest: int, others: dict[str, Any]) -> None:
    """To the byte: OBS takes keys of 1,023."""
    model: Any = ImportParameters if others else ExportParameters
    given = {**(IMPORT if others else EXPORT), **others}
    for key in ("a" * longest, "é" * (longest // 2)):
        assert getattr(model.read({**given, name: f"obs-test/{key}"}), name).key == key
        with pytest.raises(ConfigurationError, match=rf"^{name}: (is .* bytes long|has no room)"):
            model.read({**given, name: f"obs-test/{key}aa"})


@pytest.mark.parametrize(
    "given",
    [
        "None/night",
        "obs://None/night",
        "/night",
        " obs:///night/a",
        "OBS:// /night",
        "obs-test/{{ ds }}",
        "obs-test/{% if x %}a",
    ],
)
def test_a_place_of_which_a_part_was_not_rendered(given: str) -> None:
    """Has a message of its own."""
    with pytest.raises(
        ConfigurationError, match=r"^obs_dir: .* (rendered to nothing|template that was not rendered);"
    ):
        ExportParameters.read({**EXPORT, "obs_dir": given})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)", START),
        ("datetime.datetime(2026, 1, 1, 0, 0, tzinfo=Timezone('UTC'))", START),
        ('DateTime(2026, 1, 1, 1, 0, 0, tzinfo=FixedTimezone(3600, name="+01:00"))', START),
        ("DateTime(2026, 1, 1, 1, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='Europe/Berlin'))", START),
        ("datetime.datetime(2026, 1, 1, 1, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600)))", START),
        ("datetime.date(2026, 1, 1)", START),
        ("f(100)", None),
        ("f()", None),
        ("datetime.datetime('x')", None),
        ("datetime.datetime(2026, 1, 1, tzinfo=Timezone('Nowhere/None'))", None),
        ("datetime.datetime(2026, 1, 1, tzinfo=f())", None),
        ("datetime.timedelta(days=1)", None),
        ("Undefined(name='x')", None),
    ],
)
def test_a_time_in_the_text_of_a_selection_is_read_or_refused(text: str, expected: datetime | None) -> None:
    """It never becomes nothing: a filter would be gone, and more jobs exported."""
    given = {**EXPORT, "selection": f"{{'name_pattern': '*_0?', 'changed_since': {text}}}"}
    if expected:
        assert ExportParameters.read(given).selection.changed_since == expected
        return
    with pytest.raises(ConfigurationError, match=r"^selection"):
        ExportParameters.read(given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dict_keys([100, 101])", (100, 101)),
        ("dict_values(['100', 101])", (100, 101)),
        ("deque([100, 101])", (100, 101)),
        ("frozenset({101, 100})", (100, 101)),
        ("[Decimal('100'), Decimal('101')]", (100, 101)),
        ("[Row(job_id=100, name='x')]", (100,)),
        ("f(100)", None),
        ("['a', f(100)]", None),
        ("[Decimal('1.5')]", None),
        ("[Decimal('1E+999999999')]", None),
        ("[Decimal('NaN')]", None),
        ("Row(100, name='x')", None),
        ("Row(**{'job_id': 100})", None),
        ("['a', <object object at 0x7f00>]", None),
    ],
)
def test_a_call_in_the_text_of_ids_is_read_or_refused(text: str, expected: tuple[int, ...] | None) -> None:
    """Alone, and in a selection; an exclusion that is not read would exclude nothing."""
    readers: list[Callable[[], object]] = [
        lambda: selected(text),
        lambda: Selection.read({"exclude": text}).exclude,
        lambda: ExportParameters.read({**EXPORT, "selection": f"{{'exclude': {text}}}"}).selection.exclude,
    ]
    for read in readers:
        if expected:
            assert read() == expected
            continue
        with pytest.raises(ConfigurationError):
            read()


def test_the_text_of_a_call_is_refused_as_a_selection() -> None:
    """Only what Python writes of a value with names: nothing else becomes an empty mapping, which is all jobs."""
    for given in ("f()", "f(1)", "f(**x)", "f(1, a=2)", "a.b()", "[f()]", "f"):
        with pytest.raises(ConfigurationError, match=r"^selection: "):
            ExportParameters.read({**EXPORT, "selection": given})


@pytest.mark.parametrize("given", [{1: 2}, {None: "x"}, {"nam": "x"}, {"a\nb": "x"}])
def test_an_unknown_filter_is_named(given: dict[Any, Any]) -> None:
    """On one line, whatever the key."""
    with pytest.raises(ConfigurationError, match=r"^selection\..*: is unknown; there are name_pattern") as caught:
        ExportParameters.read({**EXPORT, "selection": given})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "given"),
    [("reconcile_timeout", each) for each in ("P1M", "P1Y", "p1m", "P1Y2M3DT4H")]
    + [("obs_dir", f"obs-test/a{chr(code)}b") for code in (0x202A, 0x202E, 0x2066, 0x2069, 0x200B, 0x200F, 0xFEFF)]
    + [
        ("obs_dir", each)
        for each in ("obs-test/None/x", "obs://obs-test/x/None", "obs-test/None", "obs-test/ None /")
    ],
)
def test_what_nobody_means_is_refused(name: str, given: str) -> None:
    """Months without a length, a part that rendered to None, a name that shows as another."""
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        ExportParameters.read({**EXPORT, name: given})


def test_a_value_in_a_similar_form_is_read() -> None:
    """Minutes, a name that has None in it, a name of other scripts."""
    assert ExportParameters.read({**EXPORT, "reconcile_timeout": "PT1M"}).reconcile_timeout == 60
    for key in ("Nonesuch/x", "None-x", "données/作业"):
        assert ExportParameters.read({**EXPORT, "obs_dir": f"obs-test/{key}"}).obs_dir.key == key


@pytest.mark.parametrize(
    ("read", "remedy"),
    [
        (
            lambda: ExportParameters.read({**EXPORT, "job_selected": "orders"}),
            r"give selection=\{'name_pattern': …\}",
        ),
        (
            lambda: DeleteParameters.read({**DELETE, "job_ids": ["orders"]}),
            "DliListFlinkJobsOperator finds the ids",
        ),
    ],
)
def test_a_name_where_ids_are_expected(read: Callable[[], object], remedy: str) -> None:
    """The message names what selects by name."""
    with pytest.raises(ConfigurationError, match=rf"'orders' is not a job id; .*{remedy}"):
        read()


def test_a_directory_where_archives_are_expected() -> None:
    """The sensor waits for archives that are named."""
    sensor = {"dli_conn_id": "dli_default", "level": "full", "inactivity_period": 0, "zip_file": "obs-test/d/"}
    with pytest.raises(
        ConfigurationError, match="'obs-test/d/' is a directory; give bucket/key of each archive in it"
    ):
        ArchiveSensorParameters.read(sensor)
    assert archives("obs-test/d/") == archives(["obs://obs-test/d/"]) == (ObsLocation("obs-test", "d/"),)
    assert archives("obs-test/d") == (ObsLocation("obs-test", "d"),)
    for whole in ("obs-test", "obs-test/", "obs://obs-test/"):
        with pytest.raises(ConfigurationError, match=r"neither an object nor a directory; .* bucket/directory/"):
            archives(whole)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"job_selected": ["late events (retry)_08"]}, "job_selected: 'late events (retry)_08' is not a job id; "),
        ({"job_selected": ["1, 2", "3 4", "a b"]}, "job_selected: 'a b' is not a job id; "),
        ({"obs_dir": "/data/backups"}, "obs_dir: '/data/backups' begins with a slash: .*; give bucket/directory"),
    ],
)
def test_the_value_is_quoted_as_it_was_given(given: dict[str, object], message: str) -> None:
    """An element of a list whole, and no template is blamed where there was none."""
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(").replace(")", r"\)")):
        ExportParameters.read({**EXPORT, **given})


@pytest.mark.parametrize("text", ["obs-test/a.zip,obs-test/d/b.zip", "obs-test/a.zip; obs://obs-test/b/"])
def test_several_archives_in_one_line(text: str) -> None:
    """A key may hold a comma, but hardly another place after it."""
    with pytest.raises(ConfigurationError, match="several archives in one line; give one a line, or a list"):
        archives(text)
    assert archives("obs-test/a.zip, b.zip")[0].key == "a.zip, b.zip"
