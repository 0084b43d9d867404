"""How fast an app is asked: buckets that the vendor states, and what its answers say is left.

Knows operations by name and times as numbers; sleeping is a function that it is given. Hard rule: it never asks sooner than
a limit allows, and never waits longer than a minute: then the app has its next pass.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from threading import Condition
from typing import Final

from syncd.errors import TransientError
from syncd.http.replies import Reply
from syncd.http.terms import Bucket, Limits, Quota

WAIT_MAX_SECONDS: Final = 60.0
RESET_MAX_SECONDS: Final = 86_400.0
FLIGHT_SECONDS: Final = 1.0
"""So long, of real time, an answer is waited for that may tell of more room; then the clock is looked at again."""
NAP_SECONDS: Final = 0.001
"""A clock may be coarser than what is left to wait."""
MARGIN_SECONDS: Final = 0.005
"""Vendors cut and round what they tell."""
NUMBER: Final = re.compile(r"\d{1,15}")
USED_OF: Final = re.compile(r"(\d{1,15})\s*/\s*(\d{1,15})")


class Pace:
    """The limits of one app; several threads may ask."""

    def __init__(self, app: str, limits: Limits, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._app, self._limits, self._clock, self._sleep = app, limits, clock, sleep
        self._buckets = [_Filled(bucket) for bucket in limits.buckets]
        self._quotas = [_Left(quota) for quota in limits.quota]
        self._changed = Condition()
        self._flying: Counter[str] = Counter()
        """Operation -> requests of it that are not answered yet."""
        self._held_until = 0.0

    def wait(self, call: str) -> None:
        """Wait until this operation may be asked; TransientError where that takes too long. `landed` ends it."""
        cost = self._limits.cost.get(call, 1)
        while (seconds := self._begin(call, cost)) > 0:
            self._sleep(seconds)

    def _begin(self, call: str, cost: int) -> float:
        """Begin a request, and give 0; or the seconds after which it may be tried again."""
        with self._changed:
            while True:
                now = self._clock()
                counting = [each for each in self._buckets if each.counts(call)]
                told = max((each.free_at(cost) for each in self._quotas), default=0.0)
                at = max([now, self._held_until, told, *(each.free_at(now, cost) for each in counting)])
                if at <= now:
                    break
                if told == at and self._flying.total() and self._changed.wait(FLIGHT_SECONDS):
                    continue  # what was under way may have told of more room
                if at - now > WAIT_MAX_SECONDS:
                    text = f"its limit of requests is used up for {round(at - now)} seconds"
                    raise TransientError(f"{self._app}: {text}", retry_after_seconds=at - now)
                return max(at - now, NAP_SECONDS)
            spending: list[_Filled | _Left] = [*counting, *self._quotas]
            for each in spending:
                each.spend(now, cost)
            self._flying[call] += 1
        return 0.0

    def landed(self, call: str, reply: Reply | None, now: float) -> None:
        """Note that a request is over, and what its answer says is left; None where the answer was lost."""
        with self._changed:
            self._flying[call] -= 1
            for each in self._quotas if reply is not None else ():
                assert reply is not None
                tokens = sum(count * self._limits.cost.get(name, 1) for name, count in self._flying.items())
                each.learn(reply, now, self._clock(), tokens if each.tokens else self._flying.total())
            self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Ask nothing for so long: the app has said so to one of us."""
        with self._changed:
            self._held_until = max(self._held_until, self._clock() + seconds)


class _Filled:
    """A bucket: what was spent in a window that slides."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._spent: deque[tuple[float, int]] = deque()
        self._sum = 0

    def counts(self, call: str) -> bool:
        return not self._bucket.calls or call in self._bucket.calls

    def free_at(self, now: float, cost: int) -> float:
        """Say when there is room for a request: as soon as enough of what was spent has left the window."""
        while self._spent and self._spent[0][0] + self._bucket.per_seconds <= now:
            self._sum -= self._spent.popleft()[1]
        room, free = self._bucket.most - self._sum, now
        wanted = self._amount(cost)
        for at, amount in self._spent:
            if room >= wanted:
                break
            room, free = room + amount, at + self._bucket.per_seconds
        return free

    def spend(self, at: float, cost: int) -> None:
        amount = self._amount(cost)
        self._spent.append((at, amount))
        self._sum += amount

    def _amount(self, cost: int) -> int:
        """What costs more than there ever is takes all of it."""
        return min(cost, self._bucket.most) if self._bucket.tokens else 1


class _Left:
    """A quota: what answers said is left, less what was asked since."""

    def __init__(self, quota: Quota) -> None:
        self._quota, self.tokens = quota, quota.tokens
        self._left: float = float("inf")
        self._until = self._window = 0.0
        self._sent: deque[float] = deque()
        """When what lies in a rolling window was asked."""

    def free_at(self, cost: int) -> float:
        return 0.0 if self._left >= self._amount(cost) else self._until

    def spend(self, at: float, cost: int) -> None:
        if self._left < self._amount(cost):  # the window has ended; a rolling one has let go of one request
            self._left = self._amount(cost) if self._quota.rolling else float("inf")
            self._roll(at)
        self._left -= self._amount(cost)
        if self._quota.rolling:
            self._sent.append(at)

    def learn(self, reply: Reply, now: float, clock: float, flying: int) -> None:
        """Take an answer's word. What is still flying may be counted in it or not: what we counted ourselves lies between."""
        told = self._told(reply)
        if told is None:
            return
        left, limit = told
        left -= limit * self._quota.reserve_percent // 100
        counted = self._left if self._left < float("inf") else left - flying
        self._left = min(max(counted, left - flying), left)
        self._window = min(_ends_in(self._quota, reply, now), RESET_MAX_SECONDS) + MARGIN_SECONDS
        self._until = clock + self._window
        self._roll(clock)

    def _roll(self, clock: float) -> None:
        """Say when the next request leaves a rolling window."""
        if self._quota.rolling:
            while self._sent and self._sent[0] + self._window <= clock:
                self._sent.popleft()
            if self._sent:
                self._until = self._sent[0] + self._window

    def _told(self, reply: Reply) -> tuple[int, int] | None:
        """Read (left, limit); None where an answer does not say what is left."""
        if self._quota.used_of:
            both = USED_OF.search(reply.header(self._quota.used_of))
            return None if both is None else (max(int(both[2]) - int(both[1]), 0), int(both[2]))
        left = NUMBER.match(reply.header(self._quota.remaining))
        limit = NUMBER.match(reply.header(self._quota.limit)) if self._quota.limit else None
        return None if left is None else (int(left[0]), int(limit[0]) if limit else self._quota.most)

    def _amount(self, cost: int) -> int:
        return cost if self._quota.tokens else 1


def _ends_in(quota: Quota, reply: Reply, now: float) -> float:
    text = reply.header(quota.reset) if quota.reset else ""
    try:
        if quota.reset_in == "date":
            return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
        value = float(text)
    except (ValueError, TypeError):
        return quota.window_seconds
    if value != value or value < 0:  # noqa: PLR0124 - a number that is none
        return quota.window_seconds
    if quota.reset_in == "unix":
        return max(value - now, 0.0)
    return value / 1000 if quota.reset_in == "ms" else value
