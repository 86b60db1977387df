"""Walk through a list that comes in pages and is no snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.errors import UnavailableError

Item = TypeVar("Item")

#: most items that one page holds (dli_02_0234)
MAX_PAGE = 100
_OK = 200
_CUT = (
    "A list that ends before its count is not taken for whole. Ask again later; if it stays so, tell the service."
)

_ASTRAY = (
    "It is not taken for whole. Ask again when fewer jobs are made and deleted; if it stays so, tell the service."
)
# Each turn needs a deletion meanwhile, in just the right place.
_MOST_TURNS = 10
# Going back, the walk comes by what it knows: two pages for each turn.
_MOST_REPEATS = 2 * _MOST_TURNS + 5
# A list whose pages hold fewer items than they count is walked again so often.
_MOST_HOLES = 10
#: requests that one walk takes at most
MOST_REQUESTS = 10_000


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list.

    :param total_count: items that fit the filters, on all pages
    :param items: those on this page
    """

    total_count: int
    items: tuple[Item, ...]


class Pages(Generic[Item]):
    """Walk through all pages of a list, no item twice, whoever does the asking.

    Ask ``next_call`` for the next page's call and hand the page to ``accept``; the walk ends when ``next_call`` is
    None.

    The list is no snapshot: an item that is made or deleted meanwhile moves all that come after it. Ids are
    remembered, so that none comes twice; and each page begins with the last item of the one before. So pages form
    a chain from the first one on: of an item in it, all that come before are known. A page that has nothing of the
    chain on it is no part of it: items were deleted, others may have slipped past, and the walk goes back until it
    meets the chain. So nothing is missed that was there all the time, as long as the service keeps the order of
    what stays. What came on a page beside the chain is given, but proves nothing until the chain has come to it.

    Items come in the service's order, but for those that moved meanwhile.

    It ends once the list holds still. Where it turns back again and again and nothing new comes of it, the list
    has no order, or changes faster than it can be read: that page's call is an error.

    ``total_count`` decides where a list ends only as far as pages bear it out. It may be too low, such as the
    count of the page: after a full page, and after one that goes beyond the count, comes another, until one shows
    that nothing follows. Where pages reach the count with fewer items, the walk begins again, and in the end is an
    error that names both numbers. Pages that bring nothing new again and again, as of a service that takes no
    notice of the offset, are an error, and so are more than ``MOST_REQUESTS`` of them.
    It may be too high, and stay so, as a count does that lags behind deletions: an empty page below it is the end
    where the page before had the last
    known item alone, and so has shown that nothing follows. Any other empty page below the count stands where an
    item was seen, or is the first: the service contradicts itself. Then the walk goes back once, which finds what
    has moved up meanwhile; if it comes to an empty page again before it has found something new, part of the list
    is hidden, and that page's call is an error.

    :param page_call: makes the call for a page, of a limit and an offset
    :param id_of: gives the id of an item
    """

    def __init__(self, page_call: Callable[[int, int], Call[Page[Item]]], id_of: Callable[[Item], int]) -> None:
        self._page_call = page_call
        self._id_of = id_of
        self._offset = 0
        self._seen: set[int] = set()
        self._done = False
        self._chain: set[int] = set()
        # Whether the chain's last page had one item: of a service that gives no more, pages cannot overlap.
        self._is_lone = False
        # How often it has turned back since something new came, and whether it goes back now.
        self._turns = 0
        self._goes_back = False
        # Whether the last page with items has shown that nothing follows; whether it went back from an empty one.
        self._at_end = False
        self._doubted = False
        self._requests = 0
        # How often it came to the end of the count with fewer items, and began again.
        self._holes = 0
        # How many pages in a row had items, and none that was new.
        self._repeats = 0

    def next_call(self) -> Call[Page[Item]] | None:
        """Return the call for the next page, or None after the last one.

        Running it raises, beside what any call does, an ``UnavailableError`` if the list ends before its count, or
        if its pages do not hang together.
        """
        if self._done:
            return None
        call = self._page_call(MAX_PAGE, self._offset)
        return replace(call, parse=partial(self._read, call))

    def _read(self, call: Call[Page[Item]], body: Mapping[str, Any]) -> Page[Item]:
        page = call.parse(body)
        self._requests += 1
        if self._requests > MOST_REQUESTS or (self._repeats >= _MOST_REPEATS and self._is_known(page)):
            told = f"the pages of the list of {page.total_count:,} repeat each other at {self._offset:,}"
            raise UnavailableError(call.operation, _OK, None, told, None, _CUT)
        if self._doubted and self._is_cut(page):
            told = f"the list of {page.total_count:,} ended at {len(self._seen):,}"
            # An error that passes: the page is asked for as long as the account is patient, the task retried.
            raise UnavailableError(call.operation, _OK, None, told, None, _CUT)
        if self._holes >= _MOST_HOLES and self._has_hole(page):
            told = f"the list of {page.total_count:,} showed only {len(self._seen | self._ids(page)):,}"
            raise UnavailableError(call.operation, _OK, None, told, None, _CUT)
        if self._turns > _MOST_TURNS and self._is_astray(page):
            told = f"the pages of the list of {page.total_count:,} do not hang together at {self._offset:,}"
            raise UnavailableError(call.operation, _OK, None, told, None, _ASTRAY)
        return page

    def _is_cut(self, page: Page[Item]) -> bool:
        return not page.items and page.total_count > self._offset and not self._at_end

    def _has_hole(self, page: Page[Item]) -> bool:
        """Tell whether pages reach the count and have fewer items than that; what was deleted is among them."""
        is_last = len(page.items) < MAX_PAGE and self._offset + len(page.items) == page.total_count
        is_short = is_last and len(self._seen | self._ids(page)) < page.total_count
        return is_short and not self._is_astray(page)

    def _ids(self, page: Page[Item]) -> set[int]:
        return {self._id_of(item) for item in page.items}

    def accept(self, page: Page[Item]) -> Iterator[Item]:
        """Take a page, and give the items on it that no page before had."""
        ids = [self._id_of(item) for item in page.items]
        fresh = {number: item for number, item in zip(ids, page.items, strict=True) if number not in self._seen}
        is_cut = self._is_cut(page)
        is_astray = self._is_astray(page)
        has_hole = self._has_hole(page)
        self._doubted = is_cut or (self._doubted and not fresh)
        if ids:
            self._at_end = len(ids) == 1 and not fresh and not is_astray
        self._repeats = self._repeats + 1 if ids and not fresh and not self._holes else 0
        if fresh:
            self._turns = 0
        if is_cut or is_astray:
            self._go_back()
        elif has_hole:
            self._holes += 1
            self._offset = 0
        else:
            self._go_on(ids, page.total_count)
        self._seen.update(fresh)
        return iter(fresh.values())

    def _is_astray(self, page: Page[Item]) -> bool:
        """Tell whether items may have slipped past between the chain and this page."""
        if not self._offset:
            return False
        if not page.items:
            return page.total_count <= self._offset
        if self._is_lone:
            return False
        return self._chain.isdisjoint(self._id_of(item) for item in page.items)

    def _is_known(self, page: Page[Item]) -> bool:
        return bool(page.items) and self._seen.issuperset(self._id_of(item) for item in page.items)

    def _go_back(self) -> None:
        self._turns += not self._goes_back
        self._goes_back = True
        self._offset = max(0, self._offset - MAX_PAGE)

    def _go_on(self, ids: list[int], total: int) -> None:
        self._goes_back = False
        self._is_lone = len(ids) == 1
        self._chain.update(ids)
        reached = self._offset + len(ids)
        is_last = reached == total and len(ids) < MAX_PAGE
        self._done = not ids or is_last or (self._at_end and reached >= total)
        self._offset += max(1, len(ids) - 1)
