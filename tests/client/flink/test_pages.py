"""The walk through a list that is not a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.errors import UnavailableError
from airflow_provider_dli.client.flink.pages import MAX_PAGE
from tests.client.scripted_replies import answer
from tests.client.test_exchange import send
from tests.sampling import tried_of

Change = Callable[[list[int]], None]


class Service:
    """A list of ids that changes between two requests, newest last or first."""

    def __init__(self, ids: list[int], *, descending: bool = False) -> None:
        self.ids = list(ids)
        self.requests: list[int] = []
        self._descending = descending

    def page(self, limit: int, offset: int) -> flink.Page[int]:
        self.requests.append(offset)
        ordered = sorted(self.ids, reverse=self._descending)
        return flink.Page(len(ordered), tuple(ordered[offset : offset + limit]))


def changed(ids: list[int], gone: Container[int], made: int) -> None:
    """Delete some and make others, which are newer than all that ever were."""
    newest = max([*ids, 10_000])
    ids[:] = [each for each in ids if each not in gone]
    ids += range(newest + 1, newest + 1 + made)


def walked(service: Service, changes: Iterator[Change] | None = None) -> list[int]:
    """Walk; between two requests the list may change."""

    def page_call(limit: int, offset: int) -> Call[flink.Page[int]]:
        return Call("ListNumbers", "GET", "/numbers", lambda _: service.page(limit, offset))

    pages = flink.Pages(page_call, lambda item: item)
    found: list[int] = []
    while call := pages.next_call():
        assert len(service.requests) < 1000
        found += pages.accept(call.parse({}))
        if changes and (change := next(changes, None)):
            change(service.ids)
    return found


def test_five_thousand_take_fifty_one_requests() -> None:
    """Each page begins with the last of the one before."""
    service = Service(list(range(5000)))
    assert walked(service) == list(range(5000))
    assert len(service.requests) == 51
    assert service.requests[:3] == [0, 99, 198]


def test_nothing_is_walked_in_one_request() -> None:
    """An empty project."""
    service = Service([])
    assert walked(service) == []
    assert service.requests == [0]


class Boasting(Service):
    """Its count promises too much."""

    def page(self, limit: int, offset: int) -> flink.Page[int]:
        found = super().page(limit, offset)
        return flink.Page(1_000_000, found.items)


@pytest.mark.parametrize("count", [1, 2, 99, 100, 101, 250])
def test_a_count_that_promises_too_much_does_not_keep_one_walking(count: int) -> None:
    """The walk ends behind a page that has the last known item on it and nothing more."""
    service = Boasting(list(range(count)))
    assert walked(service) == list(range(count))
    assert len(service.requests) < 10


class Failing(Service):
    """Responds with empty pages, though the count stays: from an offset on, so many times."""

    def __init__(self, count: int, ends_at: int, times: int = 1000) -> None:
        super().__init__(list(range(count)))
        self._ends_at = ends_at
        self._left = times

    def page(self, limit: int, offset: int) -> flink.Page[int]:
        found = super().page(limit, offset)
        if offset < self._ends_at or not self._left:
            return found
        self._left -= 1
        return flink.Page(found.total_count, ())


@pytest.mark.parametrize(
    ("count", "ends_at", "expected"),
    [(250, 1, "the list of 250 ended at 100"), (26, 0, "the list of 26 ended at 0"),
     (5000, 150, "the list of 5,000 ended at 199")],
)  # fmt: skip
def test_a_list_that_ends_early_is_an_error(count: int, ends_at: int, expected: str) -> None:
    """Its page is requested once more; if it stays empty, a transient error names the place of the end."""
    service = Failing(count, ends_at)
    with pytest.raises(UnavailableError, match=f"^ListNumbers: HTTP 200: {expected}. ") as caught:
        walked(service)
    assert caught.value.transient
    assert len(service.requests) <= 5


def test_a_short_first_page_is_requested_once_more() -> None:
    """It had one item of many, and the next was empty."""

    class Waking(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            found = super().page(limit, offset)
            shown = found.items if len(self.requests) > 2 else found.items[: 0 if offset else 1]
            return flink.Page(found.total_count, shown)

    assert walked(Waking(list(range(26)))) == list(range(26))


@pytest.mark.parametrize("ends_at", [0, 1, 150, 240])
def test_an_empty_page_is_requested_once_more(ends_at: int) -> None:
    """Nothing is missing then."""
    assert walked(Failing(250, ends_at, times=1)) == list(range(250))


def test_slips_in_two_places_are_no_list_that_ended() -> None:
    """Between them the walk has come on."""

    class Slipping(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            found = super().page(limit, offset)
            return flink.Page(found.total_count, () if len(self.requests) in {2, 6} else found.items)

    assert walked(Slipping(list(range(350)))) == list(range(350))


def test_a_call_is_patient_with_a_list_that_ends_early() -> None:
    """It requests the page again, as after any failure of the service."""
    walk = flink.job_pages({})
    cut = answer(200, {"is_success": "true", "job_list": {"total_count": 1, "jobs": []}})
    job = {"job_id": 1, "name": "n", "job_type": "t", "status": "job_init"}
    whole = answer(200, {"is_success": "true", "job_list": {"total_count": 1, "jobs": [job]}})
    first = walk.next_call()
    assert first
    assert list(walk.accept(send(first, cut).result)) == []
    second = walk.next_call()
    assert second
    expected = send(second, cut, cut, whole)
    assert [found.job_id for found in walk.accept(expected.result)] == [1]
    assert len(expected.pauses) == 2
    assert walk.next_call() is None


def test_a_count_that_lags_behind_deletions_hides_nothing() -> None:
    """Items that moved up before the empty page are found, and the walk does not fail."""

    class Lagging(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            return flink.Page(150, super().page(limit, offset).items)

    found = walked(Lagging(list(range(150))), iter([lambda ids: ids.__delitem__(slice(0, 61))]))
    assert sorted(found) == list(range(150))


@pytest.mark.parametrize("count", [30, 130, 3000])
@pytest.mark.parametrize("times", [1, 10_000])
def test_a_list_that_holds_fewer_than_it_counts_is_not_taken_for_whole(count: int, times: int) -> None:
    """One is not on its page: walked again, and in the end an error with both numbers."""

    class Holed(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            found = super().page(limit, offset)
            is_holed = len(self.requests) <= times
            return flink.Page(found.total_count, tuple(each for each in found.items if each != 20 or not is_holed))

    service = Holed(list(range(count)))
    if times == 1:
        assert sorted(walked(service)) == list(range(count))
        return
    with pytest.raises(UnavailableError, match=f"the list of {count:,} showed only {count - 1:,}"):
        walked(service)


@pytest.mark.parametrize("total", [100, 300, 1000])
def test_a_service_that_takes_no_notice_of_the_offset_ends(total: int) -> None:
    """It returns the same page again and again: what follows is unknown, whatever the count is."""

    class Stuck(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            self.requests.append(offset)
            return flink.Page(total, tuple(self.ids[:limit]))

    service = Stuck(list(range(300)))
    with pytest.raises(UnavailableError, match="repeat each other"):
        walked(service)
    assert len(service.requests) < 50


@pytest.mark.parametrize("length", [0, 1, 60, 99, 100, 101, 199, 200, 250, 300])
@pytest.mark.parametrize("count", ["of the page", "too low", "none", "one less", "right"])
def test_a_count_that_is_too_low_hides_nothing(length: int, count: str) -> None:
    """Such as that of the page: a full page is followed by another, and so is one that goes beyond the count."""

    class Humble(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            found = super().page(limit, offset)
            shown = len(found.items)
            totals = {"of the page": shown, "too low": length // 2, "none": 0, "one less": max(0, length - 1)}
            return flink.Page(totals.get(count, length), found.items)

    service = Humble(list(range(length)))
    assert walked(service) == list(range(length))
    assert len(service.requests) <= length // 99 + 3


def test_a_service_without_an_order_ends() -> None:
    """Its pages never meet, so nothing can be promised but an end."""

    class Shuffling(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            self.requests.append(offset)
            return flink.Page(500, tuple(Random(len(self.requests)).sample(self.ids, limit)))

    with pytest.raises(UnavailableError, match=r"repeat each other|are not connected"):
        walked(Shuffling(list(range(500))))


def test_a_deletion_before_the_page_hides_nothing() -> None:
    """What moved up past the page is met by going back."""
    service = Service(list(range(350)))

    def delete_the_first_two_hundred(ids: list[int]) -> None:
        del ids[:200]

    found = walked(service, iter([delete_the_first_two_hundred]))
    assert sorted(found) == [*range(100), *range(200, 350)]


def test_deletions_one_after_the_other_hide_nothing() -> None:
    """The last item moves away from each request for it; the test below found this, once in many runs."""
    service = Service(list(range(200)))

    def nothing(ids: list[int]) -> None:
        del ids[:0]

    def delete_two(ids: list[int]) -> None:
        del ids[:2]

    found = walked(service, iter([nothing, lambda ids: ids.remove(2), nothing, delete_two]))
    assert found[-1] == 199
    assert found == list(range(200))


def test_an_item_met_beside_the_chain_does_not_end_the_walk() -> None:
    """The last item was seen past a gap, and met again past another: the test below found this in the matrix."""
    service = Service(list(range(220)), descending=True)

    steps: list[tuple[list[int], int]] = [([], 40), ([], 40), ([4, 5], 0), ([], 1), ([2, 3], 0)]
    found = walked(service, (partial(changed, gone=gone, made=made) for gone, made in steps))
    assert {0, 1} <= set(found)


def test_pages_that_never_meet_are_no_list() -> None:
    """As of a service that takes the offset for a page number: an error that may pass, and not without end."""

    class Numbering(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            self.requests.append(offset)
            return flink.Page(1000, tuple(range(offset * limit, offset * limit + limit)))

    service = Numbering([])
    with pytest.raises(UnavailableError, match=r"the list of 1,000 are not connected at 99\. It is") as caught:
        walked(service)
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (200, None, None)
    assert len(service.requests) < 50


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[tuple[list[int], int]], bool]:
    """Draw the initial count, the deletions and additions after each request, and the order."""
    count = draw(st.integers(0, 600))
    steps = st.tuples(st.lists(st.integers(0, 700), max_size=120), st.integers(0, 40))
    return count, draw(st.lists(steps, max_size=12)), draw(st.booleans())


@pytest.mark.slow
@settings(max_examples=tried_of(400))
@given(histories())
def test_none_twice_and_none_missed_that_was_there_throughout(
    history: tuple[int, list[tuple[list[int], int]], bool],
) -> None:
    """Whatever is made and deleted between the requests, in either order."""
    count, steps, descending = history
    service = Service(list(range(count)), descending=descending)

    found = walked(service, (partial(changed, gone=gone, made=made) for gone, made in steps))
    throughout = set(range(count)) & set(service.ids)
    assert len(found) == len(set(found))
    assert throughout <= set(found)
    assert MAX_PAGE == 100


def test_going_back_ends_at_what_was_known_before() -> None:
    """Not at items of the very page from which it goes back, which have moved up meanwhile."""
    service = Service(list(range(600)))

    def nothing(ids: list[int]) -> None:
        del ids[:0]

    def delete(below: int) -> Change:
        return lambda ids: ids.__setitem__(slice(None), [each for each in ids if each >= below])

    found = walked(service, iter([nothing, nothing, delete(250), delete(310), delete(370)]))
    assert set(range(370, 600)) <= set(found)


def test_going_back_far_is_one_turn() -> None:
    """All but the first item and the newest ones are deleted when the walk is far on."""
    service = Service(list(range(3000)))
    changes: list[Change] = [partial(changed, gone=(), made=0)] * 20
    changes.append(partial(changed, gone=range(1, 3000), made=50))
    found = walked(service, iter(changes))
    assert set(service.ids) <= set(found)
    assert len(service.requests) > 40


def test_a_list_that_ends_where_the_next_page_would_begin() -> None:
    """The remaining items have moved up before it."""
    service = Service(list(range(300)))
    found = walked(service, iter([lambda ids: ids.__delitem__(slice(0, 201))]))
    assert found == [*range(100), *range(201, 300)]


def test_a_service_that_gives_one_item_a_page() -> None:
    """Takes more requests, and misses none."""

    class Sparing(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            return flink.Page(len(self.ids), super().page(min(limit, 1), offset).items)

    assert walked(Sparing(list(range(7)))) == list(range(7))


@pytest.mark.slow
@pytest.mark.parametrize("size", [3, 4, 7])
def test_small_pages_of_a_restless_list(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pages are small, chance finds in a second what large ones hide: 46 of 60,000 once missed an item."""
    monkeypatch.setattr("airflow_provider_dli.client.flink.pages.MAX_PAGE", size)
    chance = Random(size)
    for _ in range(5000):
        count = chance.randint(0, 5 * size)
        service = Service(list(range(count)), descending=chance.random() < 0.5)

        def change(ids: list[int]) -> None:
            gone = chance.sample(ids, min(len(ids), chance.randint(0, 3)))
            changed(ids, gone, chance.choice((0, 0, 1, 2)))

        found = walked(service, iter([change] * chance.randint(0, 14)))
        assert len(found) == len(set(found))
        assert set(range(count)) & set(service.ids) <= set(found)
