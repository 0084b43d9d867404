"""Rules, contacts and apps in one line each, and a world in which they sync without a store: poll, merge, plan, write.

An app of this world is a dict of raw values and a way to spell what is stored there (`norm`). People edit through
`World.edit`; the hub writes only through intents. What was typed, journalled and written is kept for the monitors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from syncd.core.atoms import MISSING, digest_key, holds, value_key
from syncd.core.consent import Event, Latch, observe_consent
from syncd.core.fields import STANDARD, field_type
from syncd.core.merge import Conflict, merge
from syncd.core.plan import by_app, create_intent, intents_for
from syncd.core.rules import EVIDENCE, AppRule, Atom, BlankRule, FieldRule, PolicyKind, Rules
from syncd.core.settle import settle
from syncd.core.state import Contact, Entry, Intent, Link, Seen, Sent, Stamp
from syncd.core.transforms import make_lens
from syncd.model import FieldMap, Raw, Spec

ADDRESS = ("street", "city", "region")
CONSENT = "email_consent"
Norm = Callable[[Raw], Raw]


def same(raw: Raw) -> Raw:
    return raw


def lower(raw: Raw) -> Raw:
    return raw.lower() if isinstance(raw, str) else raw


def cut(length: int) -> Norm:
    """Keep so much of a text; e-mail addresses stay whole."""
    return lambda raw: raw[:length] if isinstance(raw, str) and "@" not in raw else raw


def rule(
    name: str, policy: PolicyKind = "latest", *, blank: BlankRule = "ignore", apps: Iterable[int] = (), kind: str = ""
) -> FieldRule:
    kind = kind or STANDARD.get(name, "text")
    if policy == "latest" and kind in ("set", "emails"):
        policy = "set"
    return FieldRule(name=name, type=field_type(kind), policy=policy, apps=tuple(apps), blank=blank)


def app_rule(
    index: int,
    fields: Iterable[str],
    *,
    name: str = "",
    maps: Mapping[str, Mapping[str, Any]] | None = None,
    kinds: Mapping[str, str] | None = None,
    flat: bool = False,
    trusted: bool = True,
    create: bool = True,
    update: bool = True,
) -> AppRule:
    """Make an app; its rank is its number. `maps`: field -> what its FieldMap says beside the path; `kinds`: -> type."""
    maps, kinds = maps or {}, {**STANDARD, **(kinds or {})}
    lenses = {
        n: make_lens(n, FieldMap(path=n, **maps.get(n, {})), field_type(kinds.get(n, "text")), flat=flat)
        for n in fields
    }
    spec = Spec(name="sim", summary="", create=True, update=True)
    return AppRule(
        index=index,
        name=name or f"app{index}",
        rank=index,
        spec=spec,
        lenses=lenses,
        trusted=trusted,
        create=create,
        update=update,
    )


def rules_of(
    apps: Iterable[AppRule],
    fields: Iterable[FieldRule],
    *,
    group: tuple[str, ...] = (),
    consents: tuple[str, ...] = (),
    match: tuple[tuple[str, ...], ...] = (("email",),),
) -> Rules:
    """Make rules. `group`: the fields that are one address; their rule is the first one's."""
    by_name = {r.name: r for r in fields}
    atoms = {n: Atom(name=n, fields=(n,), rule=r) for n, r in by_name.items()}
    if group:
        address = Atom(name="address", fields=group, rule=by_name[group[0]])
        atoms |= dict.fromkeys((*group, "address"), address)
    return Rules(
        apps={a.index: a for a in apps},
        fields=by_name,
        atoms=atoms,
        consents={c: field_type("consent") for c in consents},
        match=match,
        identity=frozenset(n for names in match for n in names),
    )


def simple(
    *names: str,
    apps: int = 2,
    policy: PolicyKind = "latest",
    blank: BlankRule = "ignore",
    owners: Iterable[int] = (),
    maps: Mapping[int, Mapping[str, Mapping[str, Any]]] | None = None,
) -> Rules:
    """Make rules of like apps 1..n that share these fields (and e-mail)."""
    fields = dict.fromkeys(("email", *names))
    given = maps or {}
    return rules_of(
        [app_rule(i, fields, maps=given.get(i)) for i in range(1, apps + 1)],
        [rule(n, policy, blank=blank, apps=owners) if n in names else rule(n) for n in fields],
    )


def contact(**golden: Any) -> Contact:
    return Contact(id=1, secret=b"", golden=golden, stamps={n: Stamp(1, 0, 10) for n in golden})


def linked(app: int, *, seen: Mapping[str, Raw] | None = None, at: int = 100, since: int = 50, **base: Raw) -> Link:
    """Make a link with this base and this observation."""
    observed = None if seen is None else Seen(fields=dict(seen), version=None, at_ms=at, since_ms=since)
    return Link(app=app, id=f"r{app}", contact=1, base=dict(base), at_ms=since, seen=observed)


Answer = Literal["ok", "lost", "never"]


@dataclass(slots=True, kw_only=True)
class World:
    """Apps, people, and one contact that the hub keeps consistent between them."""

    rules: Rules
    norms: dict[int, Norm] = field(default_factory=dict)
    stored: dict[int, dict[str, Raw]] = field(default_factory=dict)
    contact: Contact = field(default_factory=lambda: Contact(id=1, secret=b""))
    links: dict[int, Link] = field(default_factory=dict)
    read: dict[int, dict[str, Raw]] = field(default_factory=dict)
    read_ms: dict[int, int] = field(default_factory=dict)
    sents: list[Sent] = field(default_factory=list)
    latches: dict[str, Latch] = field(default_factory=dict)
    now_ms: int = 1_000
    typed: list[tuple[int, str, Raw]] = field(default_factory=list)
    """Everything that a poll saw of what people typed."""
    journal: list[Entry] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    written: list[Intent] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """How the next writes go; "ok" after that. lost: it happened and nobody knows. never: it did not."""

    def copy(self) -> World:
        """Fork the world. What is never changed in place is shared."""
        other = replace(self, stored={a: dict(f) for a, f in self.stored.items()}, read=dict(self.read))
        other.contact = replace(
            self.contact,
            golden=dict(self.contact.golden),
            stamps=dict(self.contact.stamps),
            held=dict(self.contact.held),
            refused=dict(self.contact.refused),
            flips=dict(self.contact.flips),
        )
        other.links = {
            a: replace(x, base=dict(x.base), acks=dict(x.acks), flaws=dict(x.flaws)) for a, x in self.links.items()
        }
        other.read_ms, other.latches = dict(self.read_ms), dict(self.latches)
        for name in ("sents", "typed", "journal", "events", "conflicts", "written", "answers"):
            setattr(other, name, list(getattr(self, name)))
        return other

    # -- people

    def edit(self, app: int, **fields: Raw) -> World:
        """Let somebody type into an app; a first edit makes the record."""
        self.now_ms += 10
        norm = self.norms.get(app, same)
        record = self.stored.setdefault(app, dict.fromkeys(self.rules.apps[app].lenses))
        record |= {name: norm(raw) for name, raw in fields.items()}
        return self

    def hide(self, app: int, *names: str) -> World:
        """Let an app not show these fields any more."""
        for name in names:
            self.stored[app].pop(name, None)
        return self

    # -- the hub

    def poll(self, *apps: int) -> World:
        """Read these apps (all, if none is named), in this order."""
        for app in apps or tuple(self.stored):
            self.now_ms += 10
            began, record = self.now_ms, self.stored.get(app)
            if record is not None and record != self.read.get(app):
                before = self.read.get(app, {})
                self.typed += [(app, n, raw) for n, raw in record.items() if raw != before.get(n)]
                self.read[app] = dict(record)
                link = self.links.setdefault(app, Link(app=app, id=f"r{app}", contact=1))
                since = max(link.at_ms, self.read_ms.get(app, 0)) if link.base else 0
                link.seen = Seen(fields=dict(record), version=None, at_ms=began + 5, since_ms=since)
            self.read_ms[app] = began
        return self

    def decide(self) -> list[Intent]:
        """Settle, merge and plan what was read."""
        self.now_ms += 10
        links = [self.links[app] for app in sorted(self.links)]
        for sent in self.sents:
            link = self.links[sent.app]
            if link.seen is not None:
                self.journal += settle(link, sent, self.rules.apps[sent.app], self.rules, authored=False)
        self.sents = [s for s in self.sents if self.links[s.app].seen is None]
        found = observe_consent(self.contact, links, self.latches, self.rules, self.now_ms)
        merged = merge(self.contact, links, self.rules, self.now_ms)
        self.latches |= found.latches
        self.events += found.events
        self.journal += found.entries + merged.entries
        self.conflicts += merged.conflicts
        return self.plan()

    def plan(self) -> list[Intent]:
        intents = intents_for(self.contact, by_app(self.links.values()), self.rules)
        found = []
        for intent in intents:
            whole = create_intent(self.contact, self.rules.apps[intent.app], self.rules)
            if intent.kind != "create":
                found.append(intent)
            elif whole is not None:
                found.append(whole)
        return found

    def write(self, intent: Intent) -> None:
        """Send one intent; what the app answers is settled as ours."""
        self.now_ms += 10
        app, answer = self.rules.apps[intent.app], self.answers.pop(0) if self.answers else "ok"
        link = self.links.get(intent.app)
        self.written.append(intent)
        sent = self._sent(intent)
        norm = self.norms.get(intent.app, same)
        if link is not None:
            self.journal += [
                Entry(kind="write", app=app.index, record=link.id, field=n, old=c.old, new=c.new, reason=c.reason)
                for n, c in intent.fields.items()
            ]
        assert link is not None or intent.app not in self.stored, "a create where a record is: poll every app first"
        if answer != "never":
            record = self.stored.setdefault(intent.app, dict.fromkeys(app.lenses))
            record |= {name: norm(change.new) for name, change in intent.fields.items()}
        if answer != "ok":
            self.sents.append(sent)
            self.read.pop(intent.app, None)  # an in-doubt write is looked up
            return
        if link is None:
            link = self.links[intent.app] = Link(app=intent.app, id=f"r{intent.app}", contact=1)
            link.base = {n: raw for n, raw in self.stored[intent.app].items() if n not in intent.fields}
        shown = dict(self.stored[intent.app])
        link.seen = Seen(fields=shown, version=None, at_ms=self.now_ms, since_ms=link.at_ms)
        self.journal += settle(link, sent, app, self.rules, authored=True)
        self.read[intent.app] = shown
        if all(link.base.get(n, MISSING) == raw for n, raw in shown.items()):
            link.at_ms, link.seen = self.now_ms, None

    def _sent(self, intent: Intent) -> Sent:
        golden = {}
        for name in intent.fields:
            value = self.contact.golden.get(name)
            kind = self.rules.consents.get(name)
            key = kind.key(value) if kind and value is not None else value_key(self.rules, name, value)
            golden[name] = digest_key(key)
        return Sent(
            app=intent.app,
            contact=1,
            kind=intent.kind,
            record=intent.record,
            fields={name: change.new for name, change in intent.fields.items()},
            golden=golden,
            version=None,
            at_ms=self.now_ms,
        )

    def sync(self, *apps: int, passes_max: int = 3) -> int:
        """Run passes until nothing is left to do; says how many writes left. Fails when that takes too long."""
        count = 0
        for _ in range(passes_max):
            intents = self.poll(*apps).decide()
            for intent in intents:
                self.write(intent)
            count += len(intents)
            if not intents and not self.sents and all(link.seen is None for link in self.links.values()):
                return count
        raise AssertionError(f"not at rest after {passes_max} passes")

    # -- what one looks at

    def shows(self, name: str) -> dict[int, Raw]:
        return {app: record.get(name) for app, record in sorted(self.stored.items())}

    def value(self, name: str) -> Any:
        return self.contact.golden.get(name)

    def lost(self, name: str) -> list[Any]:
        """List what lost in a field."""
        return [entry.old for entry in self.journal if entry.kind == "lost" and entry.field == name]

    def in_step(self, app: int, name: str) -> bool:
        """Say whether an app shows the contact's value, or its own accepted spelling of it."""
        link = self.links[app]
        shown = link.base.get(name, MISSING)
        return shown is MISSING or holds(self.contact, link, name, shown, self.rules.apps[app], self.rules)


def agreed(world: World, **fields: Raw) -> World:
    """Let every app of a world hold these values, and the hub know it."""
    for app in world.rules.apps:
        world.edit(app, **{n: raw for n, raw in fields.items() if n in world.rules.apps[app].lenses})
    world.sync()
    world.written.clear()
    return world


__all__ = [
    "ADDRESS",
    "CONSENT",
    "EVIDENCE",
    "World",
    "agreed",
    "app_rule",
    "contact",
    "cut",
    "linked",
    "lower",
    "rule",
    "rules_of",
    "same",
    "simple",
]
