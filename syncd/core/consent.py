"""The consent latch: an opt-out anywhere wins everywhere, and nothing but evidence ever lifts it.

Kept apart from ordinary fields: it is never merged by "latest", never part of an ordinary patch, and it is keyed by
person *and* by e-mail address. Words: unknown, opted_in, opted_out, pending, bounced. Lattice: opted_out is above all
else; `bounced` and `pending` are facts about one app and stay there; `opted_in` without evidence stays where it was typed.
Hard rule: there is no way to raise consent without an `Evidence` (SYNC-MODEL 1.4, invariants 12-15).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncd.core.fields import Invalid
from syncd.core.merge import MISSING
from syncd.core.rules import EVIDENCE, AppRule, Rules
from syncd.core.state import Change, Contact, Entry, Intent, Link, Stamp
from syncd.model import Raw, Value

OUT, IN = "opted_out", "opted_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Proof of an opt-in: when it was given (ISO 8601 UTC as typed in the app) and how."""

    at: str
    at_ms: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the append-only consent log."""

    channel: str
    state: str
    at_ms: int
    app: int
    evidence: Evidence | None = None


@dataclass(slots=True, kw_only=True)
class Latch:
    """What is known of one channel of one person or address: the newest opt-out and the newest proven opt-in."""

    out_ms: int = 0
    in_ms: int = 0
    evidence: Evidence | None = None
    app: int = -1

    @property
    def closed(self) -> bool:
        """Opted out, and no later evidence."""
        return self.out_ms > 0 and self.out_ms >= self.in_ms

    def joined(self, other: Latch) -> Latch:
        """Join two latches: a semilattice, so it does not matter in which order people and addresses meet."""
        first = self if (self.out_ms, -self.app) >= (other.out_ms, -other.app) else other
        newest = self if self.in_ms >= other.in_ms else other
        return Latch(out_ms=first.out_ms, in_ms=newest.in_ms, evidence=newest.evidence, app=first.app)


@dataclass(slots=True, kw_only=True)
class Consented:
    """What the consent lane found out about one contact."""

    events: list[Event] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    latches: dict[str, Latch] = field(default_factory=dict)
    unproven: int = 0
    """Records that say `opted_in` without evidence: counted and explained, nobody needs to act."""


def observe_consent(
    contact: Contact, links: Sequence[Link], latches: Mapping[str, Latch], rules: Rules, now_ms: int
) -> Consented:
    """Read the consent words of unconsumed observations and advance their bases. Call before `merge`.

    `latches`: channel -> what is known already of this contact and all its addresses, joined.
    """
    found = Consented()
    for channel in rules.consents:
        latch = latches.get(channel, Latch())
        for want in (OUT, IN):  # opt-outs first: an opt-in must be later than every opt-out seen in the same pass
            for link in links:
                app = rules.app(link.app)
                if link.seen is None or app is None or channel not in app.lenses or not app.lenses[channel].reads:
                    continue
                event = _event(channel, want, link, app, rules, latch, now_ms)
                if event is not None:
                    latch = latch.joined(_as_latch(event))
                    found.events.append(event)
                    found.entries.append(_event_entry(event, link))
        found.latches[channel] = latch
        _settle_golden(contact, channel, latch)
    for link in links:
        if link.seen is not None:
            _advance(link, rules)
    return found


def word(app: AppRule, channel: str, raw: Raw) -> Value | Invalid:
    """Read an app's consent word; blank is `unknown`, an unreadable one is Invalid (never consent)."""
    lens = app.lenses.get(channel)
    value = lens.parse(raw) if lens else None
    return "unknown" if value is None else value


def _event(channel: str, want: str, link: Link, app: AppRule, rules: Rules, latch: Latch, now_ms: int) -> Event | None:
    assert link.seen is not None
    names = (channel, *EVIDENCE)
    if all(link.seen.fields.get(name, MISSING) == link.base.get(name, MISSING) for name in names):
        return None
    raw = link.seen.fields.get(channel, MISSING)
    if raw is MISSING or word(app, channel, raw) != want:
        return None
    if want == OUT:
        if raw == link.base.get(channel, MISSING):
            return None
        return Event(channel=channel, state=OUT, at_ms=link.seen.at_ms, app=link.app)
    evidence = _evidence(link, app, now_ms)
    if evidence is None or evidence.at_ms <= max(latch.out_ms, latch.in_ms):
        return None
    return Event(channel=channel, state=IN, at_ms=evidence.at_ms, app=link.app, evidence=evidence)


def _evidence(link: Link, app: AppRule, now_ms: int) -> Evidence | None:
    """Find complete evidence beside an opt-in; a time in the future is none."""
    assert link.seen is not None
    values: dict[str, Value] = {}
    for name in EVIDENCE:
        lens = app.lenses.get(name)
        raw = link.seen.fields.get(name, link.base.get(name))
        value = lens.parse(raw) if lens and lens.reads else None
        values[name] = None if type(value) is Invalid else value
    at, source = values["consent_at"], values["consent_source"]
    if not at or not source:
        return None
    at_ms = to_ms(str(at))
    return Evidence(at=str(at), at_ms=at_ms, source=str(source)) if 0 < at_ms <= now_ms else None


def to_ms(text: str) -> int:
    """Turn a canonical datetime (ISO 8601 with Z) or date into milliseconds; 0 if it is neither."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _as_latch(event: Event) -> Latch:
    if event.state == OUT:
        return Latch(out_ms=event.at_ms, app=event.app)
    return Latch(in_ms=event.at_ms, evidence=event.evidence)


def _settle_golden(contact: Contact, channel: str, latch: Latch) -> None:
    """Write the outcome into golden, where `explain` and new records find it."""
    if latch.closed:
        if contact.golden.get(channel) != OUT:
            contact.golden[channel] = OUT
            contact.stamps[channel] = Stamp(latch.app, 0, latch.out_ms)
        for name in EVIDENCE:
            contact.golden.pop(name, None)
            contact.stamps.pop(name, None)
    elif latch.evidence is not None:
        contact.golden[channel] = IN
        contact.golden["consent_at"], contact.golden["consent_source"] = latch.evidence.at, latch.evidence.source
        for name in (channel, *EVIDENCE):
            contact.stamps[name] = Stamp(latch.app, 0, latch.in_ms)


def _advance(link: Link, rules: Rules) -> None:
    assert link.seen is not None
    names = (*rules.consents, *EVIDENCE)
    shown = {name: link.seen.fields[name] for name in names if name in link.seen.fields}
    if shown:
        link.base = {**link.base, **shown}


def _event_entry(event: Event, link: Link) -> Entry:
    reason = (
        "opted out"
        if event.state == OUT
        else f"opted in with evidence of {event.evidence.at}"
        if event.evidence
        else ""
    )
    return Entry(
        kind="consent",
        app=event.app,
        record=link.id,
        field=event.channel,
        old=link.base.get(event.channel),
        new=event.state,
        reason=reason,
    )


def consent_intents(contact: Contact, links: Mapping[int, Link], rules: Rules) -> list[Intent]:
    """List what existing records must be told about consent. Opt-outs go to every record, reviewed ones too."""
    intents: list[Intent] = []
    for index, link in links.items():
        app = rules.app(index)
        if app is None or not app.spec.update:
            continue
        fields: dict[str, Change] = {}
        for channel in rules.consents:
            fields |= _consent_changes(contact, channel, link, app)
        if fields:
            opt_out = any(contact.golden.get(c) == OUT for c in rules.consents if c in fields)
            intents.append(
                Intent(
                    app=index,
                    kind="consent",
                    contact=contact.id,
                    record=link.id,
                    fields=fields,
                    opt_out=opt_out,
                    version=link.version,
                )
            )
    return intents


def _consent_changes(contact: Contact, channel: str, link: Link, app: AppRule) -> dict[str, Change]:
    lens = app.lenses.get(channel)
    if lens is None or not lens.writes or channel not in link.base:
        return {}
    now, want = word(app, channel, link.base[channel]), contact.golden.get(channel)
    if want == OUT and now != OUT:
        return _unless_accepted(
            link, {channel: Change(old=link.base[channel], new=lens.render(OUT), reason="opted out")}, OUT
        )
    if want == IN and now in ("unknown", OUT) and not contact.review:
        reason = f"opted in with evidence of {contact.golden.get('consent_at')}"
        changes = {channel: Change(old=link.base[channel], new=lens.render(IN), reason=reason)}
        for name in EVIDENCE:
            proof = app.lenses.get(name)
            if proof is not None and proof.writes and name in link.base:
                new = proof.render(contact.golden.get(name))
                changes[name] = Change(old=link.base[name], new=new, reason=reason)
        return _unless_accepted(link, changes, IN)
    return {}


def _unless_accepted(link: Link, changes: dict[str, Change], want: str) -> dict[str, Change]:
    """Drop what the app already answered with a spelling of its own (a refused opt-in is not tried for ever)."""
    channel = next(iter(changes))
    return {} if link.acks.get(channel) == [repr(want), link.base[channel]] else changes


def create_fields(contact: Contact, app: AppRule, rules: Rules) -> dict[str, Raw]:
    """Render the consent that a new record carries in the same call; `unknown` is left to the app's blank."""
    fields: dict[str, Raw] = {}
    for channel in rules.consents:
        want, lens = contact.golden.get(channel), app.lenses.get(channel)
        if lens is None or not lens.writes or want not in (OUT, IN):
            continue
        fields[channel] = lens.render(want)
        if want == IN:
            for name in EVIDENCE:
                proof = app.lenses.get(name)
                if proof is not None and proof.writes:
                    fields[name] = proof.render(contact.golden.get(name))
    return fields
