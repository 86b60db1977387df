"""The walk through a list that is no snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.flink.pages import MAX_PAGE

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


def walked(service: Service, changes: Iterator[Change] | None = None) -> list[int]:
    """Walk; between two requests the list may change."""
    calls: list[tuple[int, int]] = []

    def page_call(limit: int, offset: int) -> object:
        calls.append((limit, offset))
        return calls[-1]

    pages: flink.Pages[int] = flink.Pages(page_call, lambda item: item)  # type: ignore[arg-type]  # not a Call, but as good
    found: list[int] = []
    while pages.next_call():
        assert len(calls) < 1000
        found += pages.accept(service.page(*calls[-1]))
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


def test_a_count_that_promises_too_much_does_not_keep_one_walking() -> None:
    """The walk ends at the page that has nothing more on it."""

    class Boasting(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            found = super().page(limit, offset)
            return flink.Page(1_000_000, found.items)

    service = Boasting(list(range(250)))
    assert walked(service) == list(range(250))
    assert len(service.requests) < 10


def test_a_service_that_passes_over_no_offset_ends() -> None:
    """It gives the same page again and again."""

    class Stuck(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            self.requests.append(offset)
            return flink.Page(1000, tuple(self.ids[:limit]))

    assert walked(Stuck(list(range(300)))) == list(range(100))


def test_a_service_without_an_order_ends() -> None:
    """Its pages never meet, so nothing can be promised but an end, and none twice."""

    class Shuffling(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            self.requests.append(offset)
            return flink.Page(500, tuple(Random(len(self.requests)).sample(self.ids, limit)))

    found = walked(Shuffling(list(range(500))))
    assert len(found) == len(set(found))


def test_a_deletion_before_the_page_hides_nothing() -> None:
    """What moved up past the page is met by going back."""
    service = Service(list(range(350)))

    def delete_the_first_two_hundred(ids: list[int]) -> None:
        del ids[:200]

    found = walked(service, iter([delete_the_first_two_hundred]))
    assert sorted(found) == [*range(100), *range(200, 350)]


def test_deletions_one_after_the_other_hide_nothing() -> None:
    """The last item moves out of the way of each look for it; the test below found this, once in many runs."""
    service = Service(list(range(200)))

    def nothing(ids: list[int]) -> None:
        del ids[:0]

    def delete_two(ids: list[int]) -> None:
        del ids[:2]

    found = walked(service, iter([nothing, lambda ids: ids.remove(2), nothing, delete_two]))
    assert found[-1] == 199
    assert found == list(range(200))


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[tuple[list[int], int]], bool]:
    """Draw how many there are at first, what is deleted and made after each request, and the order."""
    count = draw(st.integers(0, 600))
    steps = st.tuples(st.lists(st.integers(0, 700), max_size=120), st.integers(0, 40))
    return count, draw(st.lists(steps, max_size=12)), draw(st.booleans())


@settings(max_examples=400)
@given(histories())
def test_none_twice_and_none_missed_that_was_there_throughout(
    history: tuple[int, list[tuple[list[int], int]], bool],
) -> None:
    """Whatever is made and deleted between the requests, in either order."""
    count, steps, descending = history
    service = Service(list(range(count)), descending=descending)

    def changes() -> Iterator[Change]:
        for deleted, made in steps:

            def change(ids: list[int], deleted: list[int] = deleted, made: int = made) -> None:
                newest = max([*ids, 10_000])
                ids[:] = [each for each in ids if each not in deleted]
                ids += range(newest + 1, newest + 1 + made)

            yield change

    found = walked(service, changes())
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


def test_a_list_that_ends_where_the_next_page_would_begin() -> None:
    """What is left has moved up before it."""
    service = Service(list(range(300)))
    found = walked(service, iter([lambda ids: ids.__delitem__(slice(0, 201))]))
    assert found == [*range(100), *range(201, 300)]


def test_a_service_that_gives_one_item_a_page() -> None:
    """Takes more requests, and misses none."""

    class Sparing(Service):
        def page(self, limit: int, offset: int) -> flink.Page[int]:
            return flink.Page(len(self.ids), super().page(min(limit, 1), offset).items)

    assert walked(Sparing(list(range(7)))) == list(range(7))
