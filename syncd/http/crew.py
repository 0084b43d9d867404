"""Several requests at once, where an app allows that: a handful of threads that take one thing after the other.

Knows nothing of requests. Hard rule: when it returns, or raises, nothing is under way any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Crew:
    """So many hands. Who is at work for a crew already does what is asked of it alone."""

    def __init__(self, hands: int) -> None:
        self._hands = hands
        self._at_work = threading.local()

    def each(self, action: Callable[[T], R], things: Sequence[T]) -> list[R]:
        """Do this with each thing; give the results in the order of the things.

        Where one raises, nothing new is begun; what is under way ends, and the first failure is raised.
        """
        hands = min(self._hands, len(things))
        if hands < 2 or getattr(self._at_work, "yes", False):
            return [action(thing) for thing in things]
        work = _Work(action, things)
        threads = [threading.Thread(target=self._take, args=(work,), daemon=True) for _ in range(hands - 1)]
        try:
            for thread in threads:
                thread.start()
            self._take(work)
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if work.failures:
            raise work.failures[0]
        return [work.results[number] for number in range(len(things))]

    def _take(self, work: _Work[T, R]) -> None:
        self._at_work.yes = True
        try:
            for number, thing in work:
                work.results[number] = work.action(thing)
        except BaseException as error:  # noqa: BLE001 - raised again by who asked for it, when the others have ended
            work.failures.append(error)
        finally:
            self._at_work.yes = False


class _Work(Generic[T, R]):
    """What is to be done, and what came of it."""

    def __init__(self, action: Callable[[T], R], things: Sequence[T]) -> None:
        self.action, self._left = action, enumerate(things)
        self._lock = threading.Lock()
        self.results: dict[int, R] = {}
        self.failures: list[BaseException] = []

    def __iter__(self) -> Iterator[tuple[int, T]]:
        while True:
            with self._lock:
                if self.failures:
                    return
                found = next(self._left, None)
            if found is None:
                return
            yield found
