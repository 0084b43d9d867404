"""How fast an app is asked: buckets that the vendor states, and what its answers say is left.

Knows operations by name and times as numbers; sleeping is a function that it is given. Hard rule: it never asks sooner than
a limit allows, and never waits longer than a minute: then the app has its next pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

from syncd.errors import TransientError
from syncd.http.replies import Reply
from syncd.http.terms import Bucket, Limits, Quota

WAIT_MAX_SECONDS: Final = 60.0
MARGIN_SECONDS: Final = 0.005
"""Vendors cut and round what they tell."""


class Pace:
    """The limits of one app. Used by one thread at a time."""

    def __init__(self, app: str, limits: Limits, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._app, self._limits, self._clock, self._sleep = app, limits, clock, sleep
        self._sent: list[deque[float]] = [deque() for _ in limits.buckets]
        self._free_at = 0.0

    def wait(self, call: str) -> None:
        """Wait until this operation may be asked; TransientError where that takes too long."""
        now = self._clock()
        at = max([now, self._free_at, *(self._next(n, bucket) for n, bucket in self._counting(call))])
        if at - now > WAIT_MAX_SECONDS:
            raise TransientError(
                f"{self._app}: its limit of requests is used up for {round(at - now)} seconds",
                retry_after_seconds=at - now,
            )
        if at > now:
            self._sleep(at - now)
        for number, _ in self._counting(call):
            self._sent[number].append(max(at, self._clock()))

    def learn(self, reply: Reply, now: float) -> None:
        """Note what an answer says is left; nothing left: wait until the window ends."""
        for quota in self._limits.quota:
            left = reply.header(quota.remaining)
            if left.strip("0") == "" and left:
                self._free_at = max(
                    self._free_at, self._clock() + min(_ends_in(quota, reply, now), 86_400.0) + MARGIN_SECONDS
                )

    def _counting(self, call: str) -> Sequence[tuple[int, Bucket]]:
        return [(n, each) for n, each in enumerate(self._limits.buckets) if not each.calls or call in each.calls]

    def _next(self, number: int, bucket: Bucket) -> float:
        """Say when the bucket has room: a window that slides over the times of the last requests."""
        sent = self._sent[number]
        while len(sent) > bucket.requests:
            sent.popleft()
        return sent[0] + bucket.per_seconds if len(sent) == bucket.requests else 0.0


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
