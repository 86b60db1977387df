"""Walk through a list that comes in pages and is not a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, Generic, TypeVar

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.errors import UnavailableError

Item = TypeVar("Item")

#: most items of one page (dli_02_0234)
MAX_PAGE = 100
#: most requests of one walk
MAX_REQUESTS = 10_000
# Each turn back needs a deletion meanwhile, in just the right place.
_MAX_TURNS = 10
# Going back, the walk passes known items: two pages for each turn.
_MAX_PAGES_WITHOUT_NEW = 2 * _MAX_TURNS + 5
_MAX_RESTARTS = 10
_OK = 200
_INCOMPLETE = (
    "A list that ends before its count is not complete. Try again later; if it stays so, report it to the service."
)
_UNCONNECTED = "It is not complete. Try again when fewer jobs change; if it stays so, report it to the service."


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list.

    :param total_count: items that match the filters, on all pages
    :param items: those on this page
    """

    total_count: int
    items: tuple[Item, ...]


class _Kind(Enum):
    """How a page relates to the pages before it."""

    #: it continues the chain
    LINKED = "linked"
    #: it has no item of the chain: others may have slipped past between them
    ASTRAY = "astray"
    #: it is empty, though the count is higher
    CUT = "cut"
    #: with it, the pages reach the count and have fewer items
    SHORT = "short"


class Pages(Generic[Item]):
    """Walk through all pages of a list, no item twice, independent of who sends the requests.

    Send the call of ``next_call`` and pass its page to ``accept``; the walk ends when ``next_call`` returns None.

    The list is not a snapshot: an item that is created or deleted meanwhile moves all that follow it. Ids are
    remembered, so that none comes twice; and each page begins with the last item of the one before. So the pages
    form a chain: of an item in it, all that precede it are known. A page without an item of the chain is not part
    of it: items were deleted, others may have slipped past, and the walk goes back until it meets the chain. So no
    item is missed that existed all the time, as long as the service keeps the order of those that stay. Items on a
    page beside the chain are returned, but prove nothing until the chain has reached them.

    Items come in the service's order, except those that moved meanwhile.

    ``total_count`` decides where a list ends only as far as the pages confirm it:

    - It may be too low, such as the count of the page: a full page, and one beyond the count, is followed by
      another, until one shows that nothing follows. If pages reach the count with fewer items, the walk restarts.
    - It may be too high, and stay so, as a count does that lags behind deletions: an empty page below it is the
      end if the page before had the last known item alone. Any other empty page below the count contradicts it.
      The walk goes back once, which finds items that have moved up.

    The list fails with an error at that page if it stays contradictory: if the walk comes to an empty page again
    before it has found a new item, turns back or restarts again and again, gets pages without new items again and
    again, as from a service that ignores the offset, or needs more than ``MAX_REQUESTS``.

    :param page_call: returns the call for a page, given limit and offset
    :param id_of: returns the id of an item
    """

    def __init__(self, page_call: Callable[[int, int], Call[Page[Item]]], id_of: Callable[[Item], int]) -> None:
        self._page_call = page_call
        self._id_of = id_of
        self._offset = 0
        self._done = False
        self._seen: set[int] = set()
        self._chain: set[int] = set()
        # Whether the chain's last page had one item: pages of a service that returns no more cannot overlap.
        self._is_single = False
        # Whether the last page with items has shown that nothing follows.
        self._is_end_confirmed = False
        # Whether the walk came to an empty page below the count, and to no new item since.
        self._was_cut = False
        self._is_going_back = False
        # Turns back since the last new item, pages in a row without one, restarts, and requests.
        self._turns = self._pages_without_new = self._restarts = self._requests = 0

    def next_call(self) -> Call[Page[Item]] | None:
        """Return the call for the next page, or None after the last one.

        In addition to the errors of any call, it raises ``UnavailableError`` if the list is contradictory. That
        error is transient: the page is requested again as long as the account retries, and the task is retried.
        """
        if self._done:
            return None
        call = self._page_call(MAX_PAGE, self._offset)
        return replace(call, parse=partial(self._read, call))

    def _read(self, call: Call[Page[Item]], body: Mapping[str, Any]) -> Page[Item]:
        page = call.parse(body)
        self._requests += 1
        kind, count, advice = self._kind_of(page), f"{page.total_count:,}", _INCOMPLETE
        is_repeating = self._pages_without_new >= _MAX_PAGES_WITHOUT_NEW and self._is_known(page)
        if self._requests > MAX_REQUESTS or is_repeating:
            problem = f"the pages of the list of {count} repeat each other at {self._offset:,}"
        elif kind is _Kind.CUT and self._was_cut:
            problem = f"the list of {count} ended at {len(self._seen):,}"
        elif kind is _Kind.SHORT and self._restarts >= _MAX_RESTARTS:
            problem = f"the list of {count} showed only {len(self._seen | self._ids(page)):,}"
        elif kind is _Kind.ASTRAY and self._turns > _MAX_TURNS:
            problem = f"the pages of the list of {count} are not connected at {self._offset:,}"
            advice = _UNCONNECTED
        else:
            return page
        raise UnavailableError(call.operation, _OK, None, problem, None, advice)

    def accept(self, page: Page[Item]) -> Iterator[Item]:
        """Advance the walk by a page, and return its items that no page before had."""
        kind = self._kind_of(page)
        ids = [self._id_of(item) for item in page.items]
        new = {number: item for number, item in zip(ids, page.items, strict=True) if number not in self._seen}
        self._was_cut = kind is _Kind.CUT or (self._was_cut and not new)
        if ids:
            self._is_end_confirmed = len(ids) == 1 and not new and kind is not _Kind.ASTRAY
        self._pages_without_new = self._pages_without_new + 1 if ids and not new and not self._restarts else 0
        if new:
            self._turns = 0
        if kind is _Kind.LINKED:
            self._go_on(ids, page.total_count)
        elif kind is _Kind.SHORT:
            self._restarts += 1
            self._offset = 0
        else:
            self._turns += not self._is_going_back
            self._is_going_back = True
            self._offset = max(0, self._offset - MAX_PAGE)
        self._seen.update(new)
        return iter(new.values())

    def _go_on(self, ids: list[int], total: int) -> None:
        self._is_going_back = False
        self._is_single = len(ids) == 1
        self._chain.update(ids)
        reached = self._offset + len(ids)
        is_last = reached == total and len(ids) < MAX_PAGE
        self._done = not ids or is_last or (self._is_end_confirmed and reached >= total)
        self._offset += max(1, len(ids) - 1)

    def _kind_of(self, page: Page[Item]) -> _Kind:
        if not page.items:
            if page.total_count > self._offset:
                return _Kind.LINKED if self._is_end_confirmed else _Kind.CUT
            return _Kind.ASTRAY if self._offset else _Kind.LINKED
        if self._offset and not self._is_single and self._chain.isdisjoint(self._ids(page)):
            return _Kind.ASTRAY
        is_last = len(page.items) < MAX_PAGE and self._offset + len(page.items) == page.total_count
        if is_last and len(self._seen | self._ids(page)) < page.total_count:
            return _Kind.SHORT
        return _Kind.LINKED

    def _is_known(self, page: Page[Item]) -> bool:
        return bool(page.items) and self._seen.issuperset(self._ids(page))

    def _ids(self, page: Page[Item]) -> set[int]:
        return {self._id_of(item) for item in page.items}
