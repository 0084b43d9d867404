"""One CardDAV account as an app: cards as records, changes by token, conditional writes.

Knows fields, cards and the book; knows no XML and no HTTP but the answers to a PUT. Hard rule: a card is written only under
a condition (`If-Match`, `If-None-Match: *`), and only lines of the named fields change in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from syncd.connector import Opening
from syncd.errors import AccessError, ConfigError, OutcomeUnknown, SyncdError, TransientError
from syncd.model import Applied, FieldMap, Finding, Page, Record, Rejected, Result, Spec, Unknown, Write

from .answers import STOPS, refusal, strong_etag
from .book import NO_CARD, Book, Card, Changes
from .check import findings
from .dav import id_of
from .texts import Texts
from .vcard import DEFAULT_PATHS, BadCard, BadValue, change, fields, new, parse, target

PAGE: Final = 1000
ROUNDS_MAX: Final = 10_000
"""Cut answers in a row; each must bring a token that was not there before."""
UNKNOWNS_MAX: Final = 3


class AddressBook:
    """One address book."""

    spec: Spec
    fields: Mapping[str, FieldMap]
    known_versions: Callable[[Sequence[str]], Mapping[str, str | None]] | None = None

    def __init__(self, spec: Spec, opening: Opening) -> None:
        self.spec = self._full_spec = spec
        self.fields = _fields(opening)
        self._paths = {name: field.path for name, field in self.fields.items()}
        self._book = Book(opening)
        self._texts = Texts()
        self._syncs = True

    def check(self) -> list[Finding]:
        return findings(self._book)

    def fingerprint(self) -> str:
        return f"carddav:{self._book.origin}{self._book.path}"

    def read(self, cursor: str | None) -> Iterator[Page]:
        if cursor is None:
            yield from self._everything()
            return
        kind, _, mark = cursor.partition(":")
        if kind == "sync" and mark:
            yield from self._changed(mark)
        elif kind == "ctag" and self._book.ctag() == mark:
            yield Page(records=[], cursor=cursor)
        else:
            yield Page(records=[], expired=True)

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        inside = [id_ for id_ in dict.fromkeys(ids) if self._is_own(id_)]
        found: dict[str, Record] = {}
        for cards in self._book.cards(inside):
            for id_, card in cards.items():
                found[id_] = self._record(id_, card)
        return found

    def write(self, writes: Sequence[Write]) -> list[Result]:
        updates = [write for write in writes if write.kind in {"update", "consent"}]
        try:
            cards = self._current(updates)
        except SyncdError as error:
            return [Rejected(why="busy", message=str(error)) for _ in writes]
        results: list[Result] = []
        halted: Rejected | None = None
        unknowns = 0
        for write in writes:
            result, stop = (halted, True) if halted else self._write(write, cards)
            results.append(result)
            unknowns = unknowns + 1 if isinstance(result, Unknown) else 0
            if stop or unknowns == UNKNOWNS_MAX:
                message = result.message if isinstance(result, Rejected) else "several answers were lost"
                halted = Rejected(why="busy", message=f"not sent any more: {message}") if halted is None else halted
        return results

    def new_id(self, token: str) -> str:
        return f"{self._book.path}{token}.vcf"

    def find(self, field: str, value: Any) -> list[Record]:
        everyone = self.get([id_ for id_, _ in self._book.listing().members])
        return [one for one in everyone.values() if one.problem is None and one.fields.get(field) == value]

    def close(self) -> None:
        self._book.client.close()

    # Reading --------------------------------------------------------------------------------------------------------

    def _everything(self) -> Iterator[Page]:
        first = self._book.sync("") if self._syncs else None
        if first is None:
            yield from self._listed()
            return
        self.spec = self._full_spec
        # The first answer may name cards that went before we came; later ones of a cut answer name what went meanwhile.
        for answer in self._rounds(replace(first, gone=()), ""):
            cursor = None if answer.more else f"sync:{answer.token}"
            yield from self._pages(answer, cursor, listing=True)

    def _listed(self) -> Iterator[Page]:
        """Give everything from a server without sync-collection; with a ctag, a later read costs one request."""
        self._syncs = False
        self.spec = replace(self._full_spec, incremental=False, reports_gone=False)
        answer = self._book.listing()
        yield from self._pages(answer, f"ctag:{answer.token}" if answer.token else None, listing=True)

    def _changed(self, token: str) -> Iterator[Page]:
        first = self._book.sync(token)
        if first is None:
            yield Page(records=[], expired=True)
            return
        for answer in self._rounds(first, token):
            yield from self._pages(answer, f"sync:{answer.token}", listing=False)

    def _rounds(self, answer: Changes, token: str) -> Iterator[Changes]:
        """Follow an answer that the server cut (RFC 6578, 3.6) to its end."""
        seen = {token}
        for _ in range(ROUNDS_MAX):
            yield answer
            if not answer.more:
                return
            if answer.token is None or answer.token in seen:
                break
            seen.add(answer.token)
            following = self._book.sync(answer.token)
            if following is None:
                raise TransientError(f"{self._book.place}: the server forgot its token while it was read")
            answer = following
        raise TransientError(f"{self._book.place}: the server cuts its answers short and does not get on")

    def _pages(self, answer: Changes, cursor: str | None, *, listing: bool) -> Iterator[Page]:
        """Give an answer's cards; what may be stored when all of them are comes with the last page."""
        wanted, same = self._wanted(answer)
        page = Page(records=[], same=same if listing else ())
        for cards in self._book.cards(wanted):
            if page.records or page.same:
                yield page
            page = Page(records=[self._record(id_, card) for id_, card in cards.items() if card.problem != NO_CARD])
        yield replace(page, gone=answer.gone, cursor=cursor, complete=listing and not answer.more)

    def _wanted(self, answer: Changes) -> tuple[list[str], tuple[str, ...]]:
        """Tell the ids whose cards must be downloaded from those whose very version the hub holds."""
        known: dict[str, str | None] = {}
        if self.known_versions is not None:
            ids = [id_ for id_, _ in answer.members]
            for start in range(0, len(ids), PAGE):
                known.update(self.known_versions(ids[start : start + PAGE]))
        same = tuple([id_ for id_, etag in answer.members if etag is not None and known.get(id_) == etag])
        held = frozenset(same)
        return [id_ for id_, _ in answer.members if id_ not in held], same

    def _record(self, id_: str, card: Card) -> Record:
        if card.text is None:
            return Record(id=id_, fields={}, version=card.etag, problem=card.problem)
        try:
            values = fields(parse(card.text), self._paths)
        except BadCard as error:
            return Record(id=id_, fields={}, version=card.etag, problem=str(error))
        self._texts.put(id_, card.etag, card.text)
        return Record(id=id_, fields=values, version=card.etag)

    # Writing --------------------------------------------------------------------------------------------------------

    def _current(self, updates: Sequence[Write]) -> dict[str, Card]:
        """Get the cards that are to change: from memory, else all in one request."""
        cards: dict[str, Card] = {}
        missing: list[str] = []
        for write in updates:
            text = self._texts.get(write.id, write.version)
            if text is not None:
                cards[write.id] = Card(etag=write.version, text=text)
            elif self._is_own(write.id):
                missing.append(write.id)
        for found in self._book.cards(list(dict.fromkeys(missing))):
            cards.update(found)
        return cards

    def _write(self, write: Write, cards: dict[str, Card]) -> tuple[Result, bool]:
        """Do one write; say also whether no other should follow."""
        refused = self._refused(write)
        if refused is not None:
            return refused, False
        if write.kind == "create":
            return self._create(write)
        card = cards.get(write.id)
        if card is None:
            return Rejected(why="gone", message="there is no such card"), False
        result, stop = self._update(write, card)
        if not isinstance(result, Rejected):
            cards[write.id] = Card(etag=None, text=None, problem="it was written just now")
        return result, stop

    def _refused(self, write: Write) -> Rejected | None:
        if write.kind == "archive":
            return Rejected(why="readonly", message="a card cannot be archived")
        for name in write.fields:
            field = self.fields.get(name)
            if field is None:
                return Rejected(why="invalid", message="no path says where this field lies in a card", field=name)
            if field.direction == "in":
                return Rejected(why="readonly", message="the field is only read here", field=name)
        return None

    def _create(self, write: Write) -> tuple[Result, bool]:
        if not self._is_own(write.id):
            return Rejected(why="invalid", message="a new card needs an id of this address book"), False
        uid = write.id[len(self._book.path) :].removesuffix(".vcf")
        try:
            text = new(uid, write.fields, self._paths)
        except BadValue as error:
            return _unwritable(error), False
        return self._put(write, text, (b"If-None-Match", b"*"))

    def _update(self, write: Write, card: Card) -> tuple[Result, bool]:
        etag, text = card.etag, card.text
        if text is None:
            return Rejected(why="moved", message=f"the card cannot be read: {card.problem}"), False
        if etag is None or not (etag.isascii() and etag.isprintable()):
            message = "the server gives this card no ETag; without one it is never overwritten"
            return Rejected(why="readonly", message=message), False
        try:
            parsed = parse(text)
            held = fields(parsed, self._paths)
        except BadCard as error:
            return Rejected(why="moved", message=f"the card cannot be read: {error}"), False
        if write.version is not None and write.version != etag:
            return Rejected(why="moved", message="the card has changed"), False
        for name, value in write.expect.items():
            if (held.get(name) or None) != (value or None):
                return Rejected(why="moved", message="the card has changed", field=name), False
        if "\r" not in text:  # XML turns line ends into line feeds
            text = text.replace("\n", "\r\n")
            parsed = parse(text)
        try:
            changed = change(parsed, write.fields, self._paths)
        except BadValue as error:
            return _unwritable(error), False
        if changed == text:
            return Applied(record=Record(id=write.id, fields=held, version=etag)), False
        return self._put(write, changed, (b"If-Match", etag.encode()))

    def _put(self, write: Write, text: str, condition: tuple[bytes, bytes]) -> tuple[Result, bool]:
        try:
            reply = self._book.put(write.id, text.encode(), condition)
        except OutcomeUnknown as error:
            self._texts.drop(write.id)
            return Unknown(message=str(error)), False
        except (TransientError, AccessError, ConfigError) as error:
            return Rejected(why="busy", message=str(error)), True
        refused = refusal(reply, write.id, self._book.origin, create=write.kind == "create")
        if refused is not None:
            self._texts.drop(write.id)
            return refused, reply.status in STOPS
        etag = strong_etag(reply)
        if etag is None:
            self._texts.drop(write.id)
            return Applied(record=None), False
        return Applied(record=self._record(write.id, Card(etag=etag, text=text))), False

    def _is_own(self, id_: str) -> bool:
        path, _, name = id_.rpartition("/")
        return f"{path}/" == self._book.path and bool(name) and id_.isascii() and id_ == id_of(id_, "")


def _unwritable(error: BadValue) -> Rejected:
    name, _, why = str(error).partition(": ")
    return Rejected(why="invalid", message=why or name, field=name if why else None)


def _fields(opening: Opening) -> dict[str, FieldMap]:
    """Lay the operator's map over the usual places; raise ConfigError where a path is none."""
    found = {name: field for name, field in opening.fields.items() if field.direction != "none"}
    wrong = [f"{opening.app}: field {name}: {why}" for name, field in found.items() if (why := _wrong(field.path))]
    if wrong:
        raise ConfigError("\n".join(wrong))
    taken = {target(field.path) for field in found.values()}
    for name, path in DEFAULT_PATHS.items():
        if name not in opening.fields and target(path) not in taken and name in (opening.known or DEFAULT_PATHS):
            found[name] = FieldMap(path=path)
    return found


def _wrong(path: str) -> str:
    try:
        target(path)
    except ValueError as error:
        return f"the path is none of a vCard: {error}"
    return ""
