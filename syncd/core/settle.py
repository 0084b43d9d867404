"""Settle: recognise our own writes in what an app shows, before anything is compared (SYNC-MODEL 1.2 and 1.5).

Knows nothing of policies or of what is planned. Hard rule: what is not provably ours stays a change that somebody made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from typing import Final
from unicodedata import normalize

from syncd.core.atoms import MISSING, digest_key, same_raw, value_key
from syncd.core.rules import AppRule, Rules
from syncd.core.state import Entry, Link, Sent
from syncd.model import Raw

REFUSED: Final = "refused"
GIVEN_BACK: Final = "given back"
ASKS_FIRST: Final = ("opted_in", "pending")
"""An opt-in, and the answer of an app that asks the person first: nothing that anybody here could do about it."""
HORIZON_MS: Final = 30_000
"""How long a request that we gave up on may still arrive (D_max), beside the app's own lag."""


def settle(link: Link, sent: Sent, app: AppRule, rules: Rules, *, authored: bool) -> list[Entry]:
    """Recognise our own write in what the link shows now, before anything is compared (NO-ECHO).

    `authored`: the very reply to our request carried this state, so whatever is stored is the app's spelling of what we
    sent. Otherwise only the value proves it: the same value, or a degradation of it (cut, case, white space).
    """
    assert link.seen is not None
    entries: list[Entry] = []
    for name, want in sent.fields.items():
        raw = link.seen.fields.get(name, MISSING)
        lens = app.lenses.get(name)
        if raw is MISSING or lens is None:
            continue
        got, meant = value_key(rules, name, lens.parse(raw)), value_key(rules, name, lens.parse(want))
        same = same_raw(raw, want) or got == meant
        if not same and not authored:
            if raw == link.base.get(name, MISSING):
                continue  # not applied
            if name not in rules.fields or not degraded(want, raw):
                continue  # a human edit: it stays a change; of consent only the very word is ours
        if not same:
            entries.append(
                Entry(
                    kind="note",
                    app=link.app,
                    record=link.id,
                    field=name,
                    old=want,
                    new=raw,
                    reason="the app keeps its own spelling",
                )
            )
        link.base[name] = raw
        link.flaws.pop(name, None)
        link.unheard -= {name}
        if not same and name in rules.consents and (meant, got) != ASKS_FIRST:
            link.flaws[name] = "the app answered with another word"
        golden = sent.golden.get(name) or digest_key(meant)
        if digest_key(got) != golden:
            given_back = digest_key(meant) != golden and not lens.lossy
            link.acks[name] = [golden, raw, GIVEN_BACK] if given_back else [golden, raw]
        else:
            link.acks.pop(name, None)
    return entries


def horizon_ms(app: AppRule) -> int:
    """Say how long after it was sent a write without an answer may still become visible; 0 where nothing is on a wire."""
    lag_ms = int(app.spec.lag_seconds * 1000)
    return HORIZON_MS + lag_ms if lag_ms or app.spec.network else 0


def settle_all(link: Link, sents: Sequence[Sent], app: AppRule, rules: Rules, now_ms: int) -> list[Entry]:
    """Recognise, without an answer, what may be ours in what the link shows now: these writes, and earlier updates that had
    not happened when they were looked up and may have arrived since. One that is not there is kept in mind for so long.
    """
    assert link.seen is not None
    entries: list[Entry] = []
    waiting: list[Sent] = []
    for place, sent in enumerate((*sents, *link.late)):
        before = dict(link.base)
        news = {name: raw for name, raw in sent.fields.items() if link.seen.fields.get(name) != before.get(name)}
        entries += settle(link, sent if place < len(sents) else replace(sent, fields=news), app, rules, authored=False)
        may_arrive = sent.kind == "update" and now_ms < sent.at_ms + horizon_ms(app)  # an opt-out that is seen is one
        if may_arrive and link.base == before:
            waiting.append(sent)
    link.late = waiting
    return entries


def refuse(link: Link, sent: Sent, names: Sequence[str], why: str) -> None:
    """Note that the app refuses these values for good: not sent again until the contact's value or the app's changes.

    Of consent everything counts as refused: an opt-in is not sent in pieces, and an opt-out is sent again regardless.
    """
    for name in sent.fields if sent.kind == "consent" else names:
        link.flaws[name] = why
        if name in link.base and name in sent.golden:
            link.acks[name] = [sent.golden[name], link.base[name], REFUSED]


def degraded(want: Raw, raw: Raw) -> bool:
    """Say whether `raw` is a poorer spelling of the text `want`: cut, other case, other white space, escaped, digits, and
    accents apart from their letters.
    """
    if not (isinstance(want, str) and isinstance(raw, str)):
        return False
    a, b = (normalize("NFC", "".join(text.split()).casefold()) for text in (want, raw))
    if not b:
        return False
    if a.startswith(b) or a == unescape(b):
        return True
    digits = "".join(filter(str.isdigit, a))
    return len(digits) > 3 and digits == "".join(filter(str.isdigit, b)) and not any(map(str.isalpha, a + b))
