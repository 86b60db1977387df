"""Which backups are kept: the rules compared with restic's words for them, and what no rule may delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dli.backups.manifest import (
    JOBS,
    LEVELS,
    MANIFEST,
    STAMP,
    Archive,
    Content,
    Job,
    Level,
    Manifest,
    RecordName,
    Verification,
    parse_record,
)
from airflow_provider_dli.backups.retention import Decision, plan, proof
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.errors import ConfigurationError, PermissionDeniedError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.objects import Entry
from airflow_provider_dli.exceptions import DliFailException, translated
from airflow_provider_dli.parameters.models import Retention
from tests.backups.made import PROJECT

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
NONE: dict[str, Any] = dict.fromkeys(("keep_last", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly"), 0)
Kind = Literal["verified", "damaged", "incomplete", "unreadable", "expired"]


def policy(**rules: Any) -> Retention:
    """Return a policy of these rules alone."""
    return Retention.read({**NONE, "keep_within": 0, "timezone": "UTC", **rules})


def backup(
    at: datetime,
    kind: Kind = "verified",
    *,
    level: str = "full",
    records: Iterable[str] = (),
    number: int = 0,
    project_id: str = PROJECT,
    bases: Iterable[str] = (),
) -> Backup:
    """Return a backup as a listing shows it.

    :param records: kinds of records, of the day after its export
    """
    backup_id = f"{at:{STAMP}}-{number:08x}"
    place = ObsLocation("obs-test", f"backups/{project_id}/{backup_id}")
    archive = Archive(name="archives/a.zip", size=1, etag="e")
    manifest = Manifest(
        backup_id=backup_id,
        project_id=project_id,
        region="cn-north-4",
        connection_id="dli_default",
        provider_version="0",
        started_at=at,
        exported_at=at,
        completed_at=at,
        is_all_jobs=True,
        selection="all jobs",
        bases=tuple(bases),
        jobs=Content(count=1, size=1, sha256="0" * 64, etag="e"),
        archives=(archive,),
        verification=Verification.model_validate({"level": level, "verified_at": at, "passed": True}),
    )
    names = {
        "verified": (MANIFEST, JOBS, archive.name),
        "damaged": (MANIFEST, JOBS),
        "incomplete": (JOBS, archive.name),
        "unreadable": (MANIFEST, JOBS, archive.name),
        "expired": ("expired.json",),
    }[kind]
    objects = {name: Entry(f"{place.key}/{name}", 1, "e", at) for name in names}
    parsed = [
        parse_record(f"{each}-{at + DAY:{STAMP}}-none-{index:08x}.json") for index, each in enumerate(records)
    ]
    return Backup(
        place,
        project_id,
        backup_id,
        manifest if kind in ("verified", "damaged") else None,
        "it is not JSON" if kind == "unreadable" else None,
        objects,
        tuple(record for record in parsed if isinstance(record, RecordName)),
    )


def decide(
    backups: Sequence[Backup],
    rules: Retention,
    jobs: Mapping[str, Iterable[int]] | Iterable[int] = (1,),
    now: datetime = NIGHT + 400 * DAY,
) -> dict[str, Decision]:
    """Return the decision on each backup, by its id.

    :param jobs: of all backups, or by the id of each
    """
    of_each = jobs if isinstance(jobs, Mapping) else {each.backup_id: jobs for each in backups}
    decisions = plan(backups, lambda each: dict.fromkeys(of_each[each.backup_id], False), rules, now)
    return {each.backup.backup_id: each for each in decisions}


def kept(backups: Sequence[Backup], rules: Retention, **others: Any) -> list[Backup]:
    """Return the backups that are kept."""
    decided = decide(backups, rules, **others)
    return [each for each in backups if each.backup_id in decided and decided[each.backup_id].reasons]


NIGHTS = [backup(NIGHT + number * DAY) for number in range(100)]


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ({"keep_last": 3}, [97, 98, 99]),
        ({"keep_daily": 2}, [98, 99]),
        # 2026-11-01 is a Sunday, so 2027-02-08, the last of them, is a Monday.
        ({"keep_weekly": 3}, [91, 98, 99]),
        ({"keep_monthly": 3}, [60, 91, 99]),
        ({"keep_yearly": 1}, [99]),
        ({"keep_within": timedelta(days=3)}, [97, 98, 99]),
        ({"keep_within": "P3D", "keep_monthly": 2}, [91, 97, 98, 99]),
        ({"keep_last": 1000}, list(range(100))),
        # Fewer years than the rule has: the oldest of all is kept too, as restic does.
        ({"keep_yearly": 3}, [0, 60, 99]),
    ],
)
def test_rules(rules: dict[str, Any], days: list[int]) -> None:
    """Each alone, and together: what any rule keeps is kept."""
    assert kept(NIGHTS, policy(**rules)) == [NIGHTS[day] for day in days]


def test_the_newest_of_a_period_is_kept() -> None:
    """Whatever the order in which the backups come."""
    made = [backup(NIGHT + timedelta(hours=hours)) for hours in (30, 1, 29, 5)]
    assert kept(made, policy(keep_daily=2)) == [made[0], made[3]]


def test_periods_begin_in_a_time_zone() -> None:
    """At 20:00 UTC it is the next day in Shanghai."""
    made = [backup(NIGHT.replace(hour=hour)) for hour in (2, 15, 20)]
    assert kept(made, policy(keep_daily=2)) == [made[0], made[2]]
    assert kept(made, policy(keep_daily=2, timezone="Asia/Shanghai")) == [made[1], made[2]]


@pytest.mark.parametrize("rules", [{}, {"keep_last": 0}, {"keep_last": "0", "keep_within": 0}])
def test_no_rule_at_all_is_refused(rules: dict[str, Any]) -> None:
    """It would delete all backups."""
    with pytest.raises(
        ConfigurationError, match=r"^keep_last: is 0, and so are all rules: none would be kept; give"
    ):
        policy(**rules)


def test_each_project_is_decided_by_itself() -> None:
    """Ids of jobs may be the same in both."""
    other = [backup(NIGHT, project_id="f" * 32, number=1)]
    assert kept([*NIGHTS, *other], policy(keep_last=1)) == [NIGHTS[-1], *other]


def test_the_last_backup_of_every_job_is_kept() -> None:
    """Also of one that was deleted long ago; a newer backup that is damaged, or is being deleted, is none."""
    made = [backup(NIGHT + number * DAY) for number in range(4)]
    made += [
        backup(NIGHT + 4 * DAY, "damaged"),
        backup(NIGHT + 5 * DAY, records=["expiring"]),
        backup(NIGHT + 6 * DAY),
    ]
    jobs = {each.backup_id: ids for each, ids in zip(made, ([1, 2], [1], [1, 3], [1], [3], [3], [1]), strict=True)}
    decided = decide(made, policy(keep_last=1), jobs)
    assert [each.reasons for each in decided.values()] == [
        ("newest verified backup of 1 job (2)",),
        (),
        ("newest verified backup of 1 job (3)",),
        (),
        ("newest damaged backup of 1 job (3)",),
        ("newest verified backup of 1 job (3)",),
        ("keep_last", "newest verified backup of 1 job (1)"),
    ]
    assert decided[made[1].backup_id].protectors == (made[6],)


def test_the_last_backup_at_each_level_is_kept() -> None:
    """One of which only the existence of the archives was checked does not replace one that was read."""
    made = [backup(NIGHT), backup(NIGHT + DAY, level="full"), backup(NIGHT + 2 * DAY, level="exists")]
    assert kept(made, policy(keep_last=1)) == made[1:]


def test_damaged_backups_take_no_place_of_verified_ones() -> None:
    """They are kept as long as a rule would keep them, as evidence, and beside as many verified ones."""
    made = [*NIGHTS[:4], *(backup(NIGHT + number * DAY, "damaged") for number in (4, 5, 6))]
    decided = decide(made, policy(keep_last=2))
    assert [bool(each.reasons) for each in decided.values()] == [False, False, True, True, False, True, True]


def test_what_is_held_or_read_is_kept() -> None:
    """A reader that was killed a day ago reads no more."""
    made = [backup(NIGHT, records=["hold"]), backup(NIGHT + DAY, records=["reading"]), NIGHTS[2]]
    decided = decide(made, policy(keep_last=1), now=NIGHT + 2 * DAY + timedelta(hours=1))
    assert decided[made[0].backup_id].reasons == ("held since 2026-11-02",)
    assert decided[made[1].backup_id].reasons == ("a task reads it",)
    assert kept(made, policy(keep_last=1)) == [made[0], made[2]]


def test_what_an_incremental_backup_omits_is_kept_with_it() -> None:
    """Of a day the last increment is kept, and with it the full backup; a damaged one is of no use to it."""
    hour = timedelta(hours=1)
    full, damaged = backup(NIGHT), backup(NIGHT + hour, "damaged")
    bases = [full.backup_id, damaged.backup_id, "20260101T000000Z-00000000"]
    held = backup(NIGHT + 3 * hour, records=["hold"], bases=[full.backup_id])
    made = [full, damaged, backup(NIGHT + 2 * hour), held, backup(NIGHT + 4 * hour, bases=bases), NIGHTS[1]]
    decided = decide(made, policy(keep_daily=2))
    assert decided[full.backup_id].reasons == (f"has unchanged jobs of {made[4].backup_id}, {held.backup_id}",)
    assert kept(made, policy(keep_daily=2)) == [full, held, made[4], NIGHTS[1]]
    assert kept(made, policy(keep_daily=1)) == [full, held, NIGHTS[1]]


def test_what_is_not_a_backup_is_left_alone() -> None:
    """It has a reason of its own; what was deleted is not even mentioned."""
    made = [backup(NIGHT, "incomplete"), backup(NIGHT + DAY, "unreadable"), backup(NIGHT, "expired", number=1)]
    decided = decide([*made, *NIGHTS[5:7]], policy(keep_last=1))
    assert [each.reasons for each in decided.values()] == [
        ("it has no manifest: it is being made, or the task that made it failed",),
        ("its manifest cannot be read: it is not JSON",),
        (),
        ("keep_last", "newest verified backup of 1 job (1)"),
    ]


@pytest.mark.parametrize(
    "at", [NIGHT + 1000 * DAY, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
)
def test_an_impossible_time_counts_for_nothing(at: datetime) -> None:
    """Such a backup is kept, and takes no place of another."""
    made = [*NIGHTS[:3], backup(at)]
    found = kept(made, policy(keep_last=1, keep_within=10**9, timezone="Pacific/Kiritimati"), now=NIGHT + 3 * DAY)
    assert found == made
    decided = decide(made, policy(keep_last=1), now=NIGHT + 3 * DAY)
    assert decided[made[3].backup_id].reasons[0].endswith("which cannot be")
    assert kept(made, policy(keep_last=1), now=NIGHT + 3 * DAY) == made[2:]


def test_a_backup_whose_jobs_cannot_be_read_is_kept_and_protects_nothing() -> None:
    """What it has is not known. Where the store does not respond, nothing is decided."""

    def jobs_of(each: Backup) -> dict[int, bool]:
        if each == NIGHTS[1]:
            raise DliFailException("jobs.jsonl.gz is not what was written", advice="Do not rely on it.")
        return {1: False}

    decided = plan(NIGHTS[:2], jobs_of, policy(keep_last=1), NIGHT + 9 * DAY)
    assert [each.reasons for each in decided] == [
        ("newest verified backup of 1 job (1)",),
        ("keep_last", "its jobs cannot be read: jobs.jsonl.gz is not what was written"),
    ]

    def refused(each: Backup) -> dict[int, bool]:
        with translated():
            raise PermissionDeniedError("GetObject", 403, "AccessDenied", each.backup_id, None)

    with pytest.raises(DliFailException, match="AccessDenied"):
        plan(NIGHTS[:2], refused, policy(keep_last=1), NIGHT + 9 * DAY)


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(LEVELS), st.dictionaries(st.integers(1, 3), st.integers(0, 3), min_size=1)),
        min_size=1,
        max_size=8,
    ),
    keep=st.integers(1, 3),
)
def test_a_backup_replaces_none_that_is_surer_to_have_a_job(
    rows: list[tuple[Level, dict[int, int]]], keep: int
) -> None:
    """Whatever was read of each: for every backup of a job one as new, as well read and as well proven remains."""
    nights = [backup(NIGHT + number * DAY, level=level) for number, (level, _) in enumerate(rows)]
    of_each = {night.backup_id: jobs for night, (_, jobs) in zip(nights, rows, strict=True)}
    decided = plan(nights, lambda each: of_each[each.backup_id], policy(keep_last=keep), NIGHT + 400 * DAY)
    stays = [number for number, each in enumerate(decided) if each.reasons]
    for number, (level, jobs) in enumerate(rows):
        for job, sure in jobs.items():
            assert any(
                LEVELS.index(rows[other][0]) >= LEVELS.index(level) and rows[other][1].get(job, 0) >= sure
                for other in stays
                if other >= number and job in rows[other][1]
            )


def test_a_full_backup_in_which_a_job_was_not_found_replaces_none_of_a_lower_level_in_which_it_was() -> None:
    """To read every byte of an archive does not find in it what it lacks."""
    old, new = backup(NIGHT, level="directory"), backup(NIGHT + DAY)
    found = {old.backup_id: {1: True}, new.backup_id: {1: False}}
    decided = plan([old, new], lambda each: found[each.backup_id], policy(keep_last=1), NIGHT + 9 * DAY)
    assert [bool(each.reasons) for each in decided] == [True, True]


def test_how_sure_a_backup_is_to_have_a_job() -> None:
    """Found or restored before all; a drill that failed outweighs what was found."""
    job = Job(job_id=1, name="a", job_type="b", status="c", digest="d")
    kinds = [(None, True), (None, False), (True, True), (True, False)]
    jobs = [job.model_copy(update={"in_archive": found, "is_changed": changed}) for found, changed in kinds]
    assert [proof(each, {}) for each in jobs] == [0, 1, 2, 3]
    assert [proof(each, {1: True}) for each in jobs] == [2, 3, 2, 3]
    assert [proof(each, {1: False}) for each in jobs] == [0, 1, 0, 1]


def test_what_is_older_than_all_that_is_deleted_is_not_read() -> None:
    """Lists of jobs are only read as far as a decision depends on them."""
    read: list[Backup] = []

    def jobs_of(each: Backup) -> dict[int, bool]:
        read.append(each)
        return {1: False}

    plan(NIGHTS[:9], jobs_of, policy(keep_last=9), NIGHT + 10 * DAY)
    assert read == []
    made = [backup(NIGHT, records=["hold"]), *NIGHTS[1:4]]
    plan(made, jobs_of, policy(keep_last=2), NIGHT + 10 * DAY)
    assert read == [NIGHTS[3], NIGHTS[2], NIGHTS[1]]


# Any history, any policy.

_TIMES = st.integers(0, 60 * 24 * 3).map(lambda hours: NIGHT + timedelta(hours=hours))
_POLICIES = st.builds(
    lambda zone, rules: policy(**{**rules, "timezone": zone}),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]),
    st.fixed_dictionaries({**dict.fromkeys(NONE, st.integers(0, 4)), "keep_within": st.integers(0, 10**7)}).filter(
        lambda rules: any(rules.values())
    ),
)


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[Backup], dict[str, tuple[int, ...]]]:
    made, jobs = [], {}
    for number, at in enumerate(draw(st.lists(_TIMES, max_size=12))):
        kinds: list[Kind] = ["verified", "verified", "verified", "damaged", "incomplete", "unreadable", "expired"]
        records = draw(st.sets(st.sampled_from(["hold", "reading", "expiring"]), max_size=1))
        level = draw(st.sampled_from(["exists", "directory", "full"]))
        one = backup(at, draw(st.sampled_from(kinds)), records=records, number=number, level=level)
        made.append(one)
        jobs[one.backup_id] = tuple(draw(st.sets(st.integers(1, 6), max_size=4)))
    return made, jobs


def by_the_words(backups: Sequence[Backup], rules: Retention) -> set[str]:
    """Return the ids of what is kept by restic's documentation, without its "oldest".

    For the last n periods which have one or more snapshots, keep only the most recent one for each period.
    """
    times = {each.backup_id: each.manifest.exported_at for each in backups if each.manifest}
    formats = {"keep_daily": "%Y%m%d", "keep_weekly": "%G%V", "keep_monthly": "%Y%m", "keep_yearly": "%Y"}
    found = set(sorted(times, key=lambda each: (times[each], each))[-rules.keep_last :] if rules.keep_last else ())
    for name, written in formats.items():
        newest: dict[str, str] = {}
        for each in sorted(times, key=lambda each: (times[each], each)):
            newest[times[each].astimezone(ZoneInfo(str(rules.timezone))).strftime(written)] = each
        if count := getattr(rules, name):
            found |= {newest[period] for period in sorted(newest)[-count:]}
    if times and rules.keep_within:
        latest = max(times.values())
        found |= {each for each, at in times.items() if latest - at < timedelta(seconds=rules.keep_within)}
    return found


@given(times=st.lists(_TIMES, max_size=20), rules=_POLICIES)
def test_the_rules_are_those_of_restic(times: list[datetime], rules: Retention) -> None:
    """Of backups without jobs, which nothing else keeps; the oldest is kept only where periods are left over."""
    made = [backup(at, number=number) for number, at in enumerate(times)]
    found = {each.backup_id for each in kept(made, rules, jobs=())}
    expected = by_the_words(made, rules)
    oldest = min((each.backup_id for each in made), default="")
    assert found - expected <= {oldest}
    assert expected <= found
    counts = {name: getattr(rules, name) for name in NONE}
    if any(count > len(made) for count in counts.values()):
        assert oldest in found | {""}


@given(history=_histories(), rules=_POLICIES)
def test_no_job_loses_its_last_verified_backup(
    history: tuple[list[Backup], dict[str, tuple[int, ...]]], rules: Retention
) -> None:
    """For every history and policy: at any level; and nothing that is held, read or not a backup is deleted."""
    made, jobs = history
    now = NIGHT + timedelta(hours=60 * 24 * 3)
    decided = decide(made, rules, jobs, now)
    gone = {key for key, each in decided.items() if not each.reasons}
    for one in made:
        if one.backup_id in gone:
            assert one.manifest
            assert not one.is_held
            assert not one.is_read(now)
    for level in ("exists", "directory", "full"):
        usable = [each for each in made if each.is_usable(level)]
        before = {job for each in usable for job in jobs[each.backup_id]}
        after = {job for each in usable if each.backup_id not in gone for job in jobs[each.backup_id]}
        assert after == before


@given(history=_histories(), rules=_POLICIES, data=st.data())
def test_a_plan_that_was_applied_deletes_nothing_more(
    history: tuple[list[Backup], dict[str, tuple[int, ...]]], rules: Retention, data: st.DataObject
) -> None:
    """Applied in part, as a task that is killed does, the next plan deletes the rest and nothing else."""
    made, jobs = history
    now = NIGHT + timedelta(hours=60 * 24 * 3)
    gone = {key for key, each in decide(made, rules, jobs, now).items() if not each.reasons}
    assert len(kept([each for each in made if each.backup_id not in gone], rules, jobs=jobs, now=now)) == len(
        [each for each in made if each.backup_id not in gone and each.state != "expired"]
    )
    part = data.draw(st.sets(st.sampled_from(sorted(gone)))) if gone else set()
    left = [each for each in made if each.backup_id not in part]
    assert {key for key, each in decide(left, rules, jobs, now).items() if not each.reasons} == gone - part


@given(history=_histories(), rules=_POLICIES, name=st.sampled_from([*NONE, "keep_within"]), more=st.integers(1, 9))
def test_a_wider_rule_deletes_no_more(
    history: tuple[list[Backup], dict[str, tuple[int, ...]]], rules: Retention, name: str, more: int
) -> None:
    """What was kept is kept."""
    made, jobs = history
    now = NIGHT + timedelta(hours=60 * 24 * 3)
    given_rules = {**rules.model_dump(), "timezone": str(rules.timezone)}
    wider = Retention.read({**given_rules, name: given_rules[name] + more})
    before = {each.backup_id for each in kept(made, rules, jobs=jobs, now=now)}
    assert before <= {each.backup_id for each in kept(made, wider, jobs=jobs, now=now)}
