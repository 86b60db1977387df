"""Work on several items at a time, in threads, with the results in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    work: Callable[[T], R],
    items: Sequence[T],
    max_concurrency: int,
    *,
    is_ready: Callable[[], bool] = lambda: True,
) -> Iterator[R]:
    """Yield the result of each item, in their order, while the work on later ones goes on.

    No work begins after an exception, which is raised in place of the result. Where Airflow ends the task, by its
    timeout or by a signal, what is in progress is not waited for: the process is about to end.

    :param work: what is done for one item; in the caller's thread if only one is worked on at a time
    :param max_concurrency: items that are worked on at a time, at most
    :param is_ready: until it returns True, they are worked on one after the other
    """
    done = 0
    while done < len(items) and (min(max_concurrency, len(items) - done) == 1 or not is_ready()):
        yield work(items[done])
        done += 1
    if done == len(items):
        return
    pool = ThreadPoolExecutor(min(max_concurrency, len(items) - done), "dli")
    waits = False
    try:
        # Log lines of a thread are those of the task, which Airflow keeps in the context.
        futures = deque(pool.submit(copy_context().run, work, item) for item in items[done:])
        while futures:
            yield futures.popleft().result()
    except Exception:
        waits = True
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)
