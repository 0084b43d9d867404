"""The consent latch: an opt-out anywhere wins everywhere, and nothing but evidence ever lifts it.

Kept apart from ordinary fields: it is never merged by "latest", never part of an ordinary patch, and it is keyed by
person *and* by e-mail address. Words: unknown, opted_in, opted_out, pending, bounced. Lattice: opted_out is above all
else; `bounced` and `pending` are facts about one app and stay there; `opted_in` without evidence stays where it was typed.
Hard rule: there is no way to raise consent without an `Evidence` (SYNC-MODEL 1.4, invariants 12-15).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from syncd.core.atoms import MISSING, answered, digest_key
from syncd.core.fields import Invalid
from syncd.core.rules import EVIDENCE, AppRule, Rules
from syncd.core.settle import REFUSED
from syncd.core.state import NOBODY, Change, Contact, Entry, Intent, Link, Stamp
from syncd.model import Raw, Value

OUT: Final = "opted_out"
IN: Final = "opted_in"
HARMLESS: Final = frozenset({"unknown", "bounced"})
SECOND_MS: Final = 1000
"""Apps write down to the second when somebody opted in."""


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
    app: int = NOBODY
    """Where the opt-out was seen."""

    @property
    def closed(self) -> bool:
        """Opted out, and no later evidence."""
        return self.out_ms > 0 and self.out_ms >= self.in_ms

    def joined(self, other: Latch) -> Latch:
        """Join two latches: a semilattice, so it does not matter in which order people and addresses meet."""
        first = max(self, other, key=lambda latch: (latch.out_ms, -latch.app))
        newest = max(self, other, key=_newness)
        return Latch(out_ms=first.out_ms, in_ms=newest.in_ms, evidence=newest.evidence, app=first.app)


def _newness(latch: Latch) -> tuple[int, str, str]:
    evidence = latch.evidence
    return (latch.in_ms, evidence.at, evidence.source) if evidence else (latch.in_ms, "", "")


@dataclass(slots=True, kw_only=True)
class Consented:
    """What the consent lane found out about one contact."""

    events: list[Event] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    latches: dict[str, Latch] = field(default_factory=dict)


def observe_consent(
    contact: Contact, links: Sequence[Link], latches: Mapping[str, Latch], rules: Rules, now_ms: int
) -> Consented:
    """Read the consent words of unconsumed observations and advance their bases. Call before `merge`.

    `latches`: channel -> what is known already of this contact and all its addresses, joined. An opt-in must be later
    than every opt-out seen in the same pass. Of a contact that waits for a decision only opt-outs count. A word that could
    not be read before, and can now, is said now.
    """
    found = Consented()
    if not (latches or _is_told(contact, links, rules)):
        return found
    fresh = [
        (link, app) for link in links if link.seen or link.unheard if (app := rules.apps.get(link.app)) is not None
    ]
    for channel in rules.consents:
        latch = latches.get(channel) or Latch()
        said = [(link, app, said) for link, app in fresh if (said := _said(channel, link, app)) is not None]
        for link, app, now in said:
            if now == OUT and _is_news(channel, link, app, rules, latch, now_ms):
                seen_ms = link.seen.at_ms if link.seen is not None else now_ms
                at_ms = max(seen_ms, latch.in_ms)  # never before an opt-in that is known: clocks are set back
                event = Event(channel=channel, state=OUT, at_ms=at_ms, app=link.app)
                latch = _noted(found, latch, event, link)
        for link, app, now in said:
            evidence = _evidence(channel, link, app, rules, now_ms) if now == IN and not contact.review else None
            if evidence is not None and evidence.at_ms > max(latch.out_ms, latch.in_ms, _known_ms(link)):
                event = Event(channel=channel, state=IN, at_ms=evidence.at_ms, app=link.app, evidence=evidence)
                latch = _noted(found, latch, event, link)
        if latch.closed:
            found.entries += [_overruled(channel, link) for link, _, now in said if now not in (OUT, "unknown")]
        found.latches[channel] = latch
    _settle_golden(contact, found)
    for link, app in fresh:
        if link.seen is not None:
            _advance(link, app, rules)
    return found


def _is_told(contact: Contact, links: Sequence[Link], rules: Rules) -> bool:
    """Say whether anything of consent is known of a contact, or may be told by one of its apps: of most apps nothing is."""
    if not rules.consents:
        return False
    apps = [app for link in links if (app := rules.apps.get(link.app)) is not None]
    for name in (*rules.consents, *EVIDENCE):
        if name in contact.golden:
            return True
        for app in apps:
            if name in app.lenses:
                return True
    return any(link.unheard for link in links)


def unheard(link: Link, rules: Rules) -> frozenset[str]:
    """List the consent fields of a record whose cell holds no word that is known."""
    app = rules.apps.get(link.app)
    if app is None:
        return link.unheard
    said = [channel for channel in rules.consents if channel in link.base]
    return frozenset(channel for channel in said if type(word(app, channel, link.base[channel])) is Invalid)


def word(app: AppRule, channel: str, raw: Raw) -> Value | Invalid:
    """Read an app's consent word; blank is `unknown`, an unreadable one is Invalid (never consent)."""
    lens = app.lenses.get(channel)
    value = None if lens is None else lens.parse(raw)
    return "unknown" if value is None else value


def _said(channel: str, link: Link, app: AppRule) -> Value | Invalid | None:
    """Read what an app says now, if anything about it changed. An opt-out counts in whatever direction a field travels."""
    lens = app.lenses.get(channel)
    shown, base = _shown(link), link.base
    same = all(shown[name] == base.get(name, MISSING) for name in (channel, *EVIDENCE) if name in shown)
    if lens is None or (same and channel not in link.unheard):
        return None
    raw = shown.get(channel, base.get(channel))
    now = word(app, channel, raw)
    if same and type(now) is Invalid:
        return None
    return now if now == OUT or lens.reads else None


def _shown(link: Link) -> Mapping[str, Raw]:
    return link.seen.fields if link.seen is not None else {}


def _before(channel: str, link: Link, app: AppRule) -> Value | Invalid | None:
    return word(app, channel, link.base[channel]) if channel in link.base else None


def _is_news(channel: str, link: Link, app: AppRule, rules: Rules, latch: Latch, now_ms: int) -> bool:
    """Say whether an opt-out that a record shows is one more. One that was there before is, where new evidence of a later opt-in
    lies beside it: somebody took that back between two looks. The evidence that we told it ourselves proves nothing.
    """
    shown, base = _shown(link), link.base
    if channel in link.unheard or shown.get(channel, base.get(channel)) != base.get(channel, MISSING):
        return not (latch.closed and _before(channel, link, app) == OUT)
    evidence = _evidence(channel, link, app, rules, now_ms)
    known_ms = latch.out_ms - latch.out_ms % SECOND_MS
    return evidence is not None and evidence.at_ms >= known_ms and evidence != latch.evidence


def _noted(found: Consented, latch: Latch, event: Event, link: Link) -> Latch:
    found.events.append(event)
    found.entries.append(_event_entry(event, link))
    if event.state == OUT:
        return latch.joined(Latch(out_ms=event.at_ms, app=event.app))
    return latch.joined(Latch(in_ms=event.at_ms, evidence=event.evidence))


def _known_ms(link: Link) -> int:
    """Say until when an opt-in is old news: where its app went back in time, until the record was confirmed last."""
    return link.at_ms if link.seen is not None and link.seen.former is not None else 0


def _evidence(channel: str, link: Link, app: AppRule, rules: Rules, now_ms: int) -> Evidence | None:
    """Find complete evidence beside an opt-in; a time in the future is none.

    An app with several channels has one place for evidence: there it proves only an opt-in that was typed with it.
    """
    shown, base = _shown(link), link.base
    values: dict[str, Value] = {}
    for name in EVIDENCE:
        lens = app.lenses.get(name)
        raw = shown.get(name, base.get(name))
        value = lens.parse(raw) if lens and lens.reads else None
        values[name] = None if type(value) is Invalid else value
    at, source = values["consent_at"], values["consent_source"]
    if not at or not source:
        return None
    if sum(name in app.lenses for name in rules.consents) > 1:
        same = [shown.get(name, MISSING) == base.get(name, MISSING) for name in (channel, "consent_at")]
        if any(same) or link.seen is None:
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


def _settle_golden(contact: Contact, found: Consented) -> None:
    """Write the outcome into golden, where `explain` and new records find it. One evidence, the newest, stands there."""
    authors = {(event.channel, event.state): event.app for event in found.events}
    proofs: list[tuple[int, Evidence, int]] = []
    for channel, latch in found.latches.items():
        if latch.closed:
            _set(contact, channel, OUT, Stamp(latch.app, 0, latch.out_ms))
        elif latch.evidence is not None:
            author = authors.get((channel, IN), NOBODY)
            _set(contact, channel, IN, Stamp(author, 0, latch.in_ms))
            proofs.append((latch.in_ms, latch.evidence, author))
    if proofs:
        in_ms, evidence, author = max(proofs, key=lambda proof: (proof[0], proof[1].source))
        for name, value in zip(EVIDENCE, (evidence.at, evidence.source), strict=True):
            _set(contact, name, value, Stamp(author, 0, in_ms))
    else:
        for name in EVIDENCE:
            contact.golden.pop(name, None)
            contact.stamps.pop(name, None)


def _set(contact: Contact, name: str, value: Value, stamp: Stamp) -> None:
    """Set a value, and its source with it; a value that stands keeps its source."""
    if contact.golden.get(name) != value:
        contact.golden[name], contact.stamps[name] = value, stamp


def _advance(link: Link, app: AppRule, rules: Rules) -> None:
    """Consume what was read. A field without a lens (now) was not read."""
    assert link.seen is not None
    fields = link.seen.fields
    shown = {name: fields[name] for name in (*rules.consents, *EVIDENCE) if name in fields and name in app.lenses}
    if link.flaws:
        for name, raw in shown.items():
            if raw != link.base.get(name, MISSING):
                link.flaws.pop(name, None)
    if shown:
        link.base = {**link.base, **shown}


def _event_entry(event: Event, link: Link) -> Entry:
    reason = f"opted in with evidence of {event.evidence.at}" if event.evidence else "opted out"
    return Entry(
        kind="consent",
        app=event.app,
        record=link.id,
        field=event.channel,
        old=link.base.get(event.channel),
        new=event.state,
        reason=reason,
    )


def _overruled(channel: str, link: Link) -> Entry:
    return Entry(
        kind="lost",
        app=link.app,
        record=link.id,
        field=channel,
        old=_shown(link).get(channel, link.base.get(channel)),
        new=OUT,
        reason="an opt-out stands, and there is no later evidence of an opt-in",
    )


def consent_intents(contact: Contact, links: Mapping[int, Link], rules: Rules) -> list[Intent]:
    """List what existing records must be told about consent. Opt-outs go to every record, reviewed ones too."""
    intents: list[Intent] = []
    wanted = [channel for channel in rules.consents if contact.golden.get(channel) in (OUT, IN)]
    if not wanted:
        return intents
    for index, link in links.items():
        app = rules.apps.get(index)
        if app is None or not (app.update and app.spec.update):
            continue
        fields: dict[str, Change] = {}
        for channel in wanted:
            fields |= _consent_changes(contact, channel, link, app)
        if fields:
            opt_out = any(contact.golden.get(c) == OUT for c in wanted if c in fields)
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
    if now == want:
        return {}
    answer = answered(link, channel, digest_key(want), link.base[channel])
    if want == OUT:
        if answer and now in HARMLESS and REFUSED not in link.acks[channel]:
            return {}  # no word for it there, but nobody is written to either; anything else is told again
        return {channel: Change(old=link.base[channel], new=lens.render(OUT), reason="opted out")}
    if not lens.opts_in:
        for name in (channel, *EVIDENCE):
            link.flaws.pop(name, None)  # it is the app's nature, and nothing that a person could mend
        return {}
    proof = [contact.golden.get(name) for name in EVIDENCE]
    if answer or now not in ("unknown", OUT) or contact.review or not all(proof):
        return {}
    reason = f"opted in with evidence of {proof[0]}"
    changes = {channel: Change(old=link.base[channel], new=lens.render(IN), reason=reason)}
    for name, value in zip(EVIDENCE, proof, strict=True):
        other = app.lenses.get(name)
        if other is not None and other.writes and name in link.base:
            changes[name] = Change(old=link.base[name], new=other.render(value), reason=reason)
    return changes


def create_fields(contact: Contact, app: AppRule, rules: Rules) -> dict[str, Raw]:
    """Render the consent that a new record carries in the same call; `unknown` is left to the app's blank."""
    fields: dict[str, Raw] = {}
    proof = {name: contact.golden.get(name) for name in EVIDENCE}
    for channel in rules.consents:
        want, lens = contact.golden.get(channel), app.lenses.get(channel)
        if lens is None or not lens.writes or want not in (OUT, IN):
            continue
        if want == IN and not (lens.opts_in and all(proof.values())):
            continue
        fields[channel] = lens.render(want)
        if want == IN:
            for name, value in proof.items():
                other = app.lenses.get(name)
                if other is not None and other.writes:
                    fields[name] = other.render(value)
    return fields
