"""How fast an app is asked: buckets that the vendor states, and what its answers say is left.

Knows operations by name and times as numbers; sleeping is a function that it is given. Hard rule: it never asks sooner than
a limit allows, and never waits longer than a minute: then the app has its next pass.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

from syncd.errors import TransientError
from syncd.http.replies import Reply
from syncd.http.terms import Bucket, Limits, Quota

WAIT_MAX_SECONDS: Final = 60.0
RESET_MAX_SECONDS: Final = 86_400.0
MARGIN_SECONDS: Final = 0.005
"""Vendors cut and round what they tell."""
NUMBER: Final = re.compile(r"\d{1,15}")
USED_OF: Final = re.compile(r"(\d{1,15})\s*/\s*(\d{1,15})")


class Pace:
    """The limits of one app. Used by one thread at a time."""

    def __init__(self, app: str, limits: Limits, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._app, self._limits, self._clock, self._sleep = app, limits, clock, sleep
        self._buckets = [_Filled(bucket) for bucket in limits.buckets]
        self._quotas = [_Left(quota) for quota in limits.quota]

    def wait(self, call: str) -> None:
        """Wait until this operation may be asked; TransientError where that takes too long."""
        now, cost = self._clock(), self._limits.cost.get(call, 1)
        counting = [each for each in self._buckets if each.counts(call)]
        at = max([now, *(each.free_at(now, cost) for each in counting), *(each.free_at(cost) for each in self._quotas)])
        if at - now > WAIT_MAX_SECONDS:
            raise TransientError(
                f"{self._app}: its limit of requests is used up for {round(at - now)} seconds",
                retry_after_seconds=at - now,
            )
        if at > now:
            self._sleep(at - now)
        sent = max(at, self._clock())
        spending: list[_Filled | _Left] = [*counting, *self._quotas]
        for each in spending:
            each.spend(sent, cost)

    def learn(self, reply: Reply, now: float) -> None:
        """Note what an answer says is left."""
        for each in self._quotas:
            each.learn(reply, now, self._clock())


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
        self._quota = quota
        self._left: float = float("inf")
        self._until = 0.0
        self._sent: deque[float] = deque()
        """When what lies in a rolling window was asked."""

    def free_at(self, cost: int) -> float:
        return 0.0 if self._left >= self._amount(cost) else self._until

    def spend(self, at: float, cost: int) -> None:
        if self._left < self._amount(cost):  # the window has ended; a rolling one has let go of one request
            self._left = self._amount(cost) if self._quota.rolling else float("inf")
        self._left -= self._amount(cost)
        if self._quota.rolling:
            self._sent.append(at)

    def learn(self, reply: Reply, now: float, clock: float) -> None:
        told = self._told(reply)
        if told is None:
            return
        left, limit = told
        self._left = left - limit * self._quota.reserve_percent // 100
        ends_in = min(_ends_in(self._quota, reply, now), RESET_MAX_SECONDS)
        self._until = clock + ends_in + MARGIN_SECONDS
        if self._quota.rolling:
            while self._sent and self._sent[0] + ends_in <= clock:
                self._sent.popleft()
            if self._sent:
                self._until = self._sent[0] + ends_in + MARGIN_SECONDS

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
