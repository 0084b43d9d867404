"""The kit against a real account: only what does no harm there, and what it could not prove is said.

It reads; it writes only where that is asked for, and then only records of its own, marked by an address at example.com (which
takes no mail), and archives them again. Hard rules: no record of anybody else is ever written; no contact value is shown.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from syncd.connector import App
from syncd.errors import SyncdError
from syncd.kit.asking import Outcome
from syncd.kit.consents import consents_of, meaning
from syncd.kit.reasons import Reason
from syncd.kit.suite import besides
from syncd.model import Applied, Record, Rejected, Result, Unknown, Write

PAGES_MAX: Final = 20
LOOKED_UP: Final = 5
PATIENCE_SECONDS: Final = 60.0
WAIT_SECONDS: Final = 2.0
NAME: Final = "syncd kit"
TEXTS: Final = frozenset({"first_name", "last_name", "notes", "company", "job_title"})


class Failed(Exception):
    """A promise does not hold. The text holds no contact value."""


class Unproven(Exception):
    """It could not be found out here, and why."""


@dataclass(slots=True, kw_only=True)
class Live:
    """One account, and what the kit has found out and made in it so far."""

    open: Callable[[], App]
    sleep: Callable[[float], None]
    mark: str = field(default_factory=lambda: secrets.token_hex(6))
    app: App = field(init=False)
    listed: dict[str, Record] = field(default_factory=dict)
    cursor: str | None = None
    made: list[str] = field(default_factory=list)
    doubtful: bool = False
    """A create was sent whose outcome nobody knows."""
    lag_seconds: float | None = None
    """How long it took until reads showed what was made."""

    def __post_init__(self) -> None:
        self.app = self.open()

    @property
    def address(self) -> str:
        return f"syncd-kit-{self.mark}@example.com"

    @property
    def texts(self) -> list[str]:
        """Name two fields that the kit may write in its own record; one or none where the app has no more."""
        writable = (name for name, where in self.app.fields.items() if where.direction != "in")
        return [name for name in writable if name in TEXTS][:2]


Step: TypeAlias = Callable[[Live], None]


def ask_live(live: Live, *, write: bool) -> Iterator[Outcome]:
    """Take every step; what was made is put away at the end, however it ends."""
    try:
        for step in READING:
            yield _outcome(live, step)
        if write and not live.app.spec.archive:
            yield _not_asked("writing", "it cannot archive, so that what the kit makes could not be put away again")
        elif write and not (live.app.spec.create and live.app.spec.update):
            yield _not_asked("writing", "it does not create and update")
        elif write:
            for step in WRITING:
                yield _outcome(live, step)
        else:
            yield _not_asked("writing", "only with --write")
    finally:
        left = put_away(live)
    if write:
        why = None if not left else Reason(message=f"left behind, please remove: {', '.join(left)}")
        yield Outcome(check="everything_is_put_away", world="live", verdict="failed" if left else "green", why=why)


def _outcome(live: Live, step: Step) -> Outcome:
    name = step.__name__
    try:
        step(live)
    except Unproven as why:
        return _not_asked(name, str(why))
    except (Failed, SyncdError) as error:
        return Outcome(check=name, world="live", verdict="failed", why=Reason(message=str(error)))
    except Exception as error:  # noqa: BLE001 - a connector's own fault; its text may hold values
        return Outcome(check=name, world="live", verdict="failed", why=Reason(message=type(error).__name__))
    return Outcome(check=name, world="live", verdict="green")


def _not_asked(name: str, why: str) -> Outcome:
    return Outcome(check=name, world="live", verdict="not asked", why=Reason(message=why))


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


# Reading ----------------------------------------------------------------------------------------------------------------


def the_account_answers(live: Live) -> None:
    wrong = [each.message for each in live.app.check() if each.level == "error"]
    expect(not wrong, "; ".join(wrong))


def the_account_has_one_name(live: Live) -> None:
    other = live.open()
    try:
        expect(live.app.fingerprint() == other.fingerprint(), "opened twice, it calls itself something else")
    finally:
        other.close()


def a_listing_is_whole(live: Live) -> None:
    for number, page in enumerate(live.app.read(None), 1):
        for record in page.records:
            expect(record.id not in live.listed, "an id is listed twice")
            live.listed[record.id] = record
        live.cursor = page.cursor or live.cursor
        if page.complete:
            return
        if number == PAGES_MAX:
            live.cursor = None
            raise Unproven(f"that a listing ends: the account has more than {PAGES_MAX} pages, and no more were read")
    raise Failed("the listing ended without saying that it is complete")


def what_is_listed_is_there(live: Live) -> None:
    ids = list(live.listed)[:LOOKED_UP]
    if not ids:
        raise Unproven("the account is empty")
    found = live.app.get([*ids, "no-such-record"])
    expect("no-such-record" not in found, "a record is found that is not there")
    expect(found.keys() == set(ids), "records that were listed are not found")
    other = [id_ for id_ in ids if found[id_].fields != live.listed[id_].fields]
    expect(len(other) < len(ids) or len(ids) == 1, "records are read otherwise than they are listed")


def somebody_is_found_by_address(live: Live) -> None:
    if live.app.spec.rung not in {"C", "D", "E"}:
        raise Unproven("nothing is looked up on this rung")
    known = next((each for each in live.listed.values() if each.fields.get("email")), None)
    if known is None:
        raise Unproven("nobody in the account has an address")
    found = [each.id for each in live.app.find("email", known.fields["email"])]
    expect(known.id in found, "somebody who is listed is not found by the address")


def a_cursor_is_good(live: Live) -> None:
    if not live.app.spec.incremental:
        raise Unproven("it does not tell what changed")
    if live.cursor is None:
        raise Unproven("a listing that was not read to its end gives no cursor")
    pages = list(live.app.read(live.cursor))
    expect(not any(page.complete or page.expired for page in pages), "a cursor that was just given is no longer good")
    wrong = list(live.app.read("nonsense"))
    expect(len(wrong) == 1 and wrong[0].expired, "a cursor that is none is taken for one")


# Writing ----------------------------------------------------------------------------------------------------------------


def a_record_is_made_as_asked(live: Live) -> None:
    asked = {"email": live.address, **dict(zip(live.texts, (NAME, live.mark), strict=False))}
    live.doubtful = True
    result = _one(live, Write(kind="create", id=live.app.new_id(live.mark.ljust(16, "0")), fields=asked))
    live.doubtful = isinstance(result, Unknown)
    expect(isinstance(result, Applied), f"a create was not done: {_told(result)}")
    assert isinstance(result, Applied)
    expect(result.record is not None, "a create does not tell what was made")
    assert result.record is not None
    live.made.append(result.record.id)
    held = _there(live, result.record.id)
    expect(held.fields == result.record.fields, "what a create tells is not what is there")
    expect(str(held.fields.get("email")).lower() == live.address, "the address is not what was written")


def nobody_was_opted_in(live: Live) -> None:
    held = _there(live, _mine(live))
    names = list(consents_of(live.app))
    if not names:
        raise Unproven("no field of consent is written here")
    raised = [name for name in names if meaning(live.app, name, held.fields.get(name)) == "opted_in"]
    expect(not raised, f"a new record is opted in: {', '.join(raised)}")


def reads_show_it(live: Live) -> None:
    id_, waited = _mine(live), 0.0
    if live.cursor is None:
        raise Unproven("there is no cursor to read from")
    while True:
        pages = list(live.app.read(live.cursor))
        if any(record.id == id_ for page in pages for record in page.records):
            live.lag_seconds = waited
            break
        expect(waited < PATIENCE_SECONDS, f"what was made does not show within {PATIENCE_SECONDS:g} s")
        live.sleep(WAIT_SECONDS)
        waited += WAIT_SECONDS
    expect(
        live.lag_seconds <= live.app.spec.lag_seconds + WAIT_SECONDS,
        f"it showed after {live.lag_seconds:g} s; {live.app.spec.lag_seconds:g} s are claimed",
    )


def an_update_changes_what_it_names(live: Live) -> None:
    before = _there(live, _mine(live))
    name = _text(live, 0)
    result = _update(live, before, {name: f"{NAME} 2"})
    expect(isinstance(result, Applied), f"an update was not done: {_told(result)}")
    after = _there(live, before.id)
    expect(after.fields.get(name) != before.fields.get(name), f"an update of {name} changed nothing")
    changed = besides(live.app, before, after, name)
    expect(not changed, f"an update of {name} changed: {', '.join(changed)}")


def none_clears(live: Live) -> None:
    before = _there(live, _mine(live))
    name = _text(live, 1)
    result = _update(live, before, {name: None})
    if isinstance(result, Rejected) and result.why == "invalid":
        raise Unproven(f"the app wants a {name}")
    expect(isinstance(result, Applied), f"a field was not cleared: {_told(result)}")
    expect(_there(live, before.id).fields[name] is None, "a field that was cleared holds something")


def a_stale_version_is_refused(live: Live) -> None:
    if live.app.spec.lost_update != "cas":
        raise Unproven("not claimed: the app does not compare")
    before = _there(live, _mine(live))
    name = _text(live, 0)
    expect(isinstance(_update(live, before, {name: f"{NAME} 3"}), Applied), "an update was not done")
    result = _update(live, before, {name: f"{NAME} 4"})
    expect(isinstance(result, Rejected) and result.why == "moved", "an update with a stale version was not refused")


def an_archived_record_is_gone(live: Live) -> None:
    seen = _there(live, _mine(live))
    result = _one(live, _archive(seen))
    expect(isinstance(result, Applied), f"it was not archived: {_told(result)}")
    expect(live.app.get([seen.id]) == {}, "what was archived is still there")
    live.made.remove(seen.id)


READING: Final[tuple[Step, ...]] = (
    the_account_answers,
    the_account_has_one_name,
    a_listing_is_whole,
    what_is_listed_is_there,
    somebody_is_found_by_address,
    a_cursor_is_good,
)
WRITING: Final[tuple[Step, ...]] = (
    a_record_is_made_as_asked,
    nobody_was_opted_in,
    reads_show_it,
    an_update_changes_what_it_names,
    none_clears,
    a_stale_version_is_refused,
    an_archived_record_is_gone,
)


def put_away(live: Live) -> list[str]:
    """Archive what was made and is still there; give the ids of what could not be. Only our own mark is ever touched."""
    left = []
    try:
        if live.doubtful and live.app.spec.rung in {"C", "D", "E"}:
            live.made += [each.id for each in live.app.find("email", live.address)]
        for record in live.app.get(live.made).values():
            ours = str(record.fields.get("email")).lower() == live.address
            if not ours or not isinstance(_one(live, _archive(record)), Applied):
                left.append(record.id)
    except SyncdError:
        left = list(live.made)
    if live.doubtful and not live.made:
        left.append(f"perhaps one with the address {live.address}")
    live.app.close()
    return left


def _mine(live: Live) -> str:
    if not live.made:
        raise Unproven("no record could be made")
    return live.made[-1]


def _text(live: Live, number: int) -> str:
    if number >= len(live.texts):
        raise Unproven("it has too few texts that are written")
    return live.texts[number]


def _there(live: Live, id_: str) -> Record:
    found = live.app.get([id_])
    expect(id_ in found, "what was just made is not found")
    return found[id_]


def _update(live: Live, seen: Record, fields: dict[str, str | None]) -> Result:
    expect_ = {name: seen.fields.get(name) for name in fields}
    return _one(live, Write(kind="update", id=seen.id, fields=fields, expect=expect_, version=seen.version))


def _archive(seen: Record) -> Write:
    return Write(kind="archive", id=seen.id, fields={}, version=seen.version)


def _one(live: Live, write: Write) -> Result:
    [result] = live.app.write([write])
    return result


def _told(result: Result) -> str:
    return getattr(result, "message", "") or getattr(result, "why", "") or type(result).__name__
