"""Any step that a transaction can take: one use of each method of `Tx`, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from syncd.core.consent import Event, Evidence, Latch
from syncd.core.state import Contact, Entry, Intent, Link, Seen, Sent, Stamp
from syncd.store import codec
from syncd.store.tx import Tx

Ask: TypeAlias = Callable[[Tx], object]
KINDS: Final = ("consent", "update", "create", "archive")


class Chance:
    """A seeded source of whatever a step may be given; few names, so that steps meet."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._times = 0

    def one(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def some(self, make: Callable[[], Any], count_max: int = 4) -> list[Any]:
        return [make() for _ in range(self._random.randint(0, count_max))]

    def app(self) -> int:
        return self._random.randint(1, 3)

    def contact(self) -> int:
        return self._random.randint(1, 6)

    def run(self) -> int:
        return self._random.randint(1, 4)

    def id(self) -> str:
        return str(self.one("a", "b", "B", "é", "z\U0001f600"))

    def key(self) -> bytes:
        return bytes(self.one(b"k1", b"k2", b"\xff"))

    def moment(self) -> int:
        self._times += 1
        return self._times

    def count(self) -> int:
        return int(self.one(1, 2, 100))

    def values(self) -> dict[str, Any]:
        return {name: self.one(None, "x", "ä", ["t", "u"], 7) for name in self.some(lambda: self.one("email", "phone"))}

    def seen(self) -> Seen | None:
        return self.one(None, Seen(fields=self.values(), version=self.one(None, "v2"), at_ms=self.moment(), since_ms=1))  # type: ignore[no-any-return]

    def record(self) -> dict[str, Any]:
        seen = self.seen()
        return {
            "app": self.app(), "id": self.id(), "contact": self.one(None, self.contact()),
            "version": self.one(None, "v1"), "digest": self.one(None, b"", b"12345678"), "at_ms": self.moment(),
            "problem": self.one(None, None, "torn"), "doc": None, "seen": codec.seen_doc(seen) if seen else None,
        }  # fmt: skip

    def reference(self) -> dict[str, Any]:
        return {"k_app": self.app(), "k_id": self.id()}

    def link(self) -> Link:
        return Link(
            app=self.app(), id=self.id(), contact=self.one(0, self.contact(), self.contact()), at_ms=self.moment(),
            version=self.one(None, "v3"), base=self.values(), acks=self.one({}, {"email": ["k", "A@X"]}),
            flaws=self.one({}, {}, {"phone": "too long"}), seen=self.seen(),
            unheard=self.one(frozenset(), frozenset({"email_consent"})),
        )  # fmt: skip

    def person(self) -> Contact:
        golden = self.values()
        return Contact(
            id=self.contact(), secret=bytes(self.one(b"s1", b"s2")), review=self.one(False, True), golden=golden,
            stamps={name: Stamp(self.app(), 1, self.one(2, 3)) for name in golden}, tombs=self.one({}, {2: 9}),
            going=self.one({}, {2: 1}),
            held=self.one({}, {"phone": "ask"}), refused=self.one({}, {1: "no"}), flips=self.one({}, {"email": [1, "k"]}),
        )  # fmt: skip

    def known(self) -> Contact:
        return Contact(id=self.contact(), secret=b"s1")

    def intent(self) -> Intent:
        flags = {"clears": self.one(False, True), "opt_out": self.one(False, True)}
        kind = self.one(*KINDS[:3])
        return Intent(app=self.app(), kind=kind, contact=self.contact(), record="", fields={}, **flags)

    def sent(self) -> Sent:
        return Sent(
            app=self.app(), contact=self.contact(), kind=self.one(*KINDS), record=self.one("", "drawn"),
            fields=self.values(), golden=self.values(), version=None, at_ms=self.moment(), reasons={"email": "newest"},
        )  # fmt: skip

    def latch(self) -> Latch:
        proof = Evidence(at="2026-01-01", at_ms=self.moment(), source="form")
        return Latch(out_ms=self.moment(), in_ms=self.one(0, 9), evidence=self.one(None, proof), app=self.app())

    def event(self) -> tuple[bytes, Event]:
        state = self.one("opted_out", "opted_in")
        return self.key(), Event(channel="email", state=state, at_ms=self.moment(), app=self.app())

    def entries(self) -> tuple[Contact, list[Entry]]:
        line = Entry(kind="value", app=self.app(), record="a", field="email", old=None, new=self.moment(), reason="x")
        return self.known(), self.one([], [line], [line, line])

    def keys(self, prefix: str = "") -> dict[str, Any]:
        app = self.one(-1, self.app(), self.app())
        record = self.one("1", "5") if app < 0 else self.id()
        return {f"{prefix}key": self.key(), f"{prefix}app": app, f"{prefix}record": record}


def steps(c: Chance) -> dict[str, Ask]:
    """Draw one use of every method, changes and questions."""
    return {
        **_of_runs(c),
        **_of_records(c),
        **_of_listings(c),
        **_of_hints(c),
        **_of_contacts(c),
        **_of_intents(c),
        **_of_logs(c),
    }


def _of_runs(c: Chance) -> dict[str, Ask]:
    kind, run, now, app, name = c.one("sync", "undo"), c.run(), c.moment(), c.app(), c.one("crm", "news", "shop")
    values, outcome, meta = c.one({"cursor": None}, {"covered": 2, "listing": b"l"}), c.one("held", "in_sync"), c.id()
    return {
        "meta": lambda tx: tx.meta(meta),
        "set_meta": lambda tx: tx.set_meta(meta, str(now)),
        "login": lambda tx: tx.login(meta),
        "keep_login": lambda tx: tx.keep_login(meta, str(now).encode()),
        "begin_run": lambda tx: tx.begin_run(kind, now),
        "end_run": lambda tx: tx.end_run(run, now, outcome, {"at": now}),
        "forget_run": lambda tx: tx.forget_run(run),
        "left_traces": lambda tx: tx.left_traces(run),
        "run": lambda tx: tx.run(run),
        "last_number": lambda tx: tx.last_number(),
        "last_run": lambda tx: tx.last_run(outcome),
        "apps": lambda tx: tx.apps(),
        "add_app": lambda tx: tx.add_app(name),
        "save_app": lambda tx: tx.save_app(app, **values),
    }


def _of_records(c: Chance) -> dict[str, Ask]:
    app, id_, ids, contacts = c.app(), c.id(), c.some(c.id), c.some(c.contact)
    rows, link, links, count, problem = c.some(c.record), c.link(), c.some(c.link), c.count(), c.one(None, "odd")
    [one, two, three] = [{**c.reference(), "version": c.one(None, "v5"), "digest": c.one(b"", b"d"),
                          "problem": c.one(None, "p"), "seen": c.one(None, codec.seen_doc(_seen(c)))} for _ in range(3)]  # fmt: skip
    return {
        "insert_records": lambda tx: tx.insert_records(rows),
        "see": lambda tx: tx.see([one, two]),
        "touch_versions": lambda tx: tx.touch_versions([two, three, one]),
        "set_digests": lambda tx: tx.set_digests([three]),
        "forget_reading": lambda tx: tx.forget_reading(app, ids),
        "forget_record": lambda tx: tx.forget_record(app, id_),
        "set_problem": lambda tx: tx.set_problem(app, id_, problem),
        "save_links": lambda tx: tx.save_links({link.app: link for link in links}.values()),  # none trades with another
        "attach": lambda tx: tx.attach([link]) if link.contact else None,
        "versions": lambda tx: tx.versions(app, ids),
        "marks": lambda tx: tx.marks(app, ids),
        "record_count": lambda tx: tx.record_count(app),
        "linked_count": lambda tx: tx.linked_count(app),
        "parked": lambda tx: tx.parked(app, count),
        "parked_count": lambda tx: tx.parked_count(app),
        "unheard_count": lambda tx: tx.unheard_count(app),
        "unlinked": lambda tx: tx.unlinked(app, "", count),
        "waiting_counts": lambda tx: tx.waiting_counts(),
        "waiting": lambda tx: tx.waiting(app, 0, count),
        "links_of": lambda tx: tx.links_of(contacts),
        "links_in": lambda tx: tx.links_in(app, contacts),
        "link_apps": lambda tx: tx.link_apps(contacts),
        "in_sight": lambda tx: tx.in_sight(contacts),
        "link": lambda tx: tx.link(app, id_),
    }


def _seen(c: Chance) -> Seen:
    return Seen(fields=c.values(), version=None, at_ms=c.moment(), since_ms=0)


def _of_listings(c: Chance) -> dict[str, Ask]:
    app, ids, count, run, strikes, shown = c.app(), c.some(c.id), c.count(), c.run(), c.one(1, 2), c.one(True, False)
    since = c.moment() // 2
    return {
        "begin_listing": lambda tx: tx.begin_listing(app),
        "list_ids": lambda tx: tx.list_ids(app, ids),
        "confirmed": lambda tx: tx.confirmed(app, since, since + 5),
        "end_listing": lambda tx: tx.end_listing(app),
        "forget_strangers": lambda tx: tx.forget_strangers(app, shown=shown),
        "count_misses": lambda tx: tx.count_misses(app, run),
        "strike_missing": lambda tx: tx.strike_missing(app, strikes),
        "strike": lambda tx: tx.strike(app, ids, strikes),
        "clear_misses": lambda tx: tx.clear_misses(app, ids),
        "missing_count": lambda tx: tx.missing_count(app),
        "missing": lambda tx: tx.missing(app, count),
        "any_missed": lambda tx: tx.any_missed(app),
        "found_again": lambda tx: tx.found_again(app),
        "struck": lambda tx: tx.struck(app, strikes, count),
    }


def _of_hints(c: Chance) -> dict[str, Ask]:
    app, ids, now, count = c.app(), c.one([], c.some(c.id)), c.moment(), c.count()
    due, id_, hints = now + c.one(0, 5), c.one("", c.id()), c.one(1, 2, 9)
    return {
        "hear": lambda tx: tx.hear(app, ids, now, due),
        "hints": lambda tx: tx.hints(app, count),
        "forget_hints": lambda tx: tx.forget_hints(app, tx.hints(app, hints)),
        "put_off_hint": lambda tx: tx.put_off_hint(app, id_, due),
        "note_found": lambda tx: tx.note_found(app, ids, now),
        "count_missed": lambda tx: tx.count_missed(app, now),
        "hooks": lambda tx: tx.hooks(),
    }


def _of_contacts(c: Chance) -> dict[str, Ask]:
    contact, contacts, count, person, people = c.contact(), c.some(c.contact), c.count(), c.person(), c.some(c.person)
    apps, after, since, keys = c.some(c.app), c.one(0, c.contact()), c.moment() // 2, c.some(c.key)
    added, dropped = c.some(c.keys), c.some(lambda: c.keys("k_"))
    return {
        "insert_contacts": lambda tx: tx.insert_contacts([person]),
        "save_contacts": lambda tx: tx.save_contacts({p.id: p for p in people}.values()),
        "delete_contact": lambda tx: tx.delete_contact(contact),
        "hand_over_journal": lambda tx: tx.hand_over_journal(contact, contact),
        "mark_dirty": lambda tx: tx.mark_dirty(contacts),
        "mark_all_dirty": lambda tx: tx.mark_all_dirty(),
        "clear_dirty": lambda tx: tx.clear_dirty(contacts),
        "add_keys": lambda tx: tx.add_keys(added),
        "drop_keys": lambda tx: tx.drop_keys(dropped),
        "forget_keys": lambda tx: tx.forget_keys(apps[0] if apps else -1),
        "contacts": lambda tx: tx.contacts(contacts),
        "spread": lambda tx: tx.spread(),
        "seals": lambda tx: tx.seals(contacts),
        "next_contact": lambda tx: tx.next_contact(),
        "review_contacts": lambda tx: tx.review_contacts(after, count),
        "refused_count": lambda tx: tx.refused_count(),
        "contacts_since": lambda tx: tx.contacts_since(since),
        "dirty_of": lambda tx: sorted(tx.dirty_of(contacts)),
        "dirty_contacts": lambda tx: tx.dirty_contacts(apps, after, count),
        "aliases": lambda tx: list(tx.aliases(contacts).items()),
        "holders": lambda tx: list(tx.holders(keys).items()),  # in an order, too
    }


def _of_intents(c: Chance) -> dict[str, Ask]:
    app, kind, contact, contacts, count = c.app(), c.one(0, 1, 2, 3), c.contact(), c.some(c.contact), c.count()
    intents, sents = c.some(c.intent), c.some(c.sent)
    return {
        "replace_intents": lambda tx: tx.replace_intents(contacts, intents),
        "plan_archive": lambda tx: tx.plan_archive(app, contact),
        "drop_intents": lambda tx: tx.drop_intents(app, kind, contacts),
        "mark_sent": lambda tx: tx.mark_sent(sents),
        "unsend": lambda tx: tx.unsend(app, kind, contacts),
        "intent_counts": lambda tx: tx.intent_counts(),
        "new_intents": lambda tx: tx.new_intents(app, kind, 0, count),
        "sent": lambda tx: tx.sent(app),
        "sent_of": lambda tx: tx.sent_of(contacts),
    }


def _of_logs(c: Chance) -> dict[str, Ask]:
    run, now, contact, contacts, count, who = c.run(), c.moment(), c.contact(), c.some(c.contact), c.count(), c.known()
    subjects, entries, events = c.some(c.key), c.some(c.entries), c.some(c.event)
    latches = {(c.one("email", "sms"), c.key()): c.latch() for _ in range(c.one(0, 1, 3))}
    kind, app, field = c.one("match", "conflict"), c.one(-1, 1), c.one("", "email")
    chosen, since = c.one(None, contacts), c.one(None, now // 2)
    return {
        "save_latches": lambda tx: tx.save_latches(latches),
        "log_consent": lambda tx: tx.log_consent(run, now, events),
        "write_journal": lambda tx: tx.write_journal(run, now, entries),
        "open_case": lambda tx: tx.open_case(kind, who, run, now, {"at": now}, app=app, field=field),
        "close_cases": lambda tx: tx.close_cases(
            contact, now, kind=c_or(kind, run), field=c_or(field, now), app=c_or(app, run + now)
        ),
        "has_latches": lambda tx: tx.has_latches(),
        "any_gone": lambda tx: tx.any_gone(),
        "latches": lambda tx: tx.latches(subjects),
        "journal_contacts": lambda tx: tx.journal_contacts(c_or(run, now), chosen, since, 0, count),
        "journal_entries": lambda tx: tx.journal_entries(contacts, c_or(run, contact), since),
        "cases": lambda tx: tx.cases(count, run - 1),
        "open_cases": lambda tx: tx.open_cases(),
    }


def c_or(value: Any, number: int) -> Any:
    """Give the value, or every other time nothing."""
    return value if number % 2 else None
