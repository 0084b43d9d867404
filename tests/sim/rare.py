"""Branches that a long run must have reached often, or it has proven less than it seems to (SYNC-MODEL 3.1)."""

from __future__ import annotations

from collections import Counter
from typing import Final

from syncd.engine.meetings import SHARED

SEEDS_ASKED: Final = 20_000
"""From so many seeds on it is asked for."""
TIMES: Final = 100
RARE: Final = (
    "a deletion was believed",
    "a record out of sight is gone, as far as anybody can know",
    "a page token was forgotten",
    "a request arrived late",
    "a value was gone before anybody could see it",
    "a webhook came at once",
    "a webhook came late",
    "a webhook came twice",
    "a webhook was lost",
    "a write met another state",
    "an app was restored",
    "an archive was sent",
    "an opt-in with evidence was told",
    "an opt-out was told",
    "call failed: find access",
    "call failed: find lost",
    "call failed: find transient",
    "call failed: fingerprint lost",
    "call failed: get access",
    "call failed: get lost",
    "call failed: get transient",
    "call failed: open access",
    "call failed: read access",
    "call failed: read lost",
    "call failed: read transient",
    "call failed: write lost",
    "call failed: write transient",
    "case: deletion, removed",
    "case: match, a record with this id was removed, and its person has another record",
    "case: match, a record with this id was removed, and now it shows another address: it may be the same person",
    "case: match, another contact has, or had, a record with the same key here; nothing is created",
    "case: match, another record of this app has the same key",
    "case: match, another record with this key may be that contact's as well",
    "case: match, several contacts have this key",
    "case: match, several records of another app have this key",
    "case: match, several records of this app have the same key",
    f"case: match, {SHARED}",
    "held: account",
    "held: archives",
    "held: clears",
    "held: creates",
    "held: first_look",
    "held: first_run",
    "held: opt_outs",
    "held: restored",
    "held: unlinks",
    "held: updates",
    "lease lost",
    "over quota: read",
    "over quota: write",
    "refused: exists",
    "refused: gone",
    "refused: invalid",
    "refused: moved",
    "refused: readonly",
    "transaction: app failed",
    "transaction: hidden",
    "transaction: moved",
    "transaction: not gone",
    "transaction: recovered",
    "transaction: unlink",
    "transaction: unseen",
    "write busy",
    "write invalid",
    "write late",
    "write lost",
    "write never",
    "write short",
)


def too_rare(histories: int, seen: Counter[str]) -> dict[str, int]:
    """Name what a long run has reached less often than it must, and how often; a short one is asked for nothing."""
    return {name: seen[name] for name in RARE if seen[name] < TIMES} if histories >= SEEDS_ASKED else {}
