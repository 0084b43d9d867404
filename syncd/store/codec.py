"""Objects <-> compact JSON documents, and the seal of what must be forgettable.

A stored document that does not decode is an error, never an empty base (SYNC-MODEL 1.14). Sealed documents are
AES-256-GCM under a key made from the master key and the contact's secret: without the secret nobody can read them again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from syncd.core.state import Contact, Entry, Link, Seen, Sent, Stamp
from syncd.errors import ConfigError
from syncd.model import WriteKind

KINDS: tuple[WriteKind, ...] = ("consent", "update", "create", "archive")
KIND_NUMBER = {kind: number for number, kind in enumerate(KINDS)}


class Damaged(ConfigError):
    """What the store holds cannot be read: it was changed from outside, or the disk lost it. Exit 2."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the store is damaged at {what}; stop syncd and put the newest backup in its place")


CHECKSUM_BYTES: Final = 4
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)


def dump(doc: Any) -> bytes:
    """Encode; a copy, because what orjson returns holds on to several KiB."""
    return b"%b" % orjson.dumps(doc)


def _with_checksum(doc: Any) -> bytes:
    """Encode, with a checksum (CRC-32): a bit that flips on the disk is found, whatever it would have meant."""
    text = orjson.dumps(doc)
    return text + crc32(text).to_bytes(CHECKSUM_BYTES, "big")


def has_checksum(raw: bytes) -> bool:
    """Say whether a document is as it was written."""
    return crc32(raw[:-CHECKSUM_BYTES]).to_bytes(CHECKSUM_BYTES, "big") == raw[-CHECKSUM_BYTES:]


def _checked(raw: bytes) -> Any:
    """Decode. Raises ValueError when it is not what was written."""
    if not has_checksum(raw):
        raise ValueError
    return orjson.loads(raw[:-CHECKSUM_BYTES])


def link_doc(link: Link) -> bytes:
    doc: dict[str, Any] = {"b": link.base}
    if link.acks:
        doc["k"] = link.acks
    if link.flaws:
        doc["x"] = link.flaws
    if link.unread:
        doc["u"] = sorted(link.unread)
    if link.unheard:
        doc["c"] = sorted(link.unheard)
    if link.late:
        doc["l"] = [[sent.fields, sent.golden, sent.at_ms] for sent in link.late]
    if link.was:
        doc["w"] = link.was
    return _with_checksum(doc)


def seen_doc(seen: Seen) -> bytes:
    return _with_checksum([seen.fields, seen.version, seen.at_ms, seen.since_ms])


def read_seen(raw: bytes | None) -> Seen | None:
    if raw is None:
        return None
    fields, version, at_ms, since_ms = _checked(raw)
    return Seen(fields=_mapping(fields), version=version, at_ms=at_ms, since_ms=since_ms)


def read_link(
    app: int, id_: str, contact: int, version: str | None, at_ms: int, doc: bytes | None, seen: bytes | None
) -> Link:
    """Decode a record; without a document nothing was ever agreed on. Raises Damaged."""
    try:
        link = Link(app=app, id=id_, contact=contact, version=version, at_ms=at_ms, seen=read_seen(seen))
        if doc is not None:
            loaded = _checked(doc)
            link.base, link.acks, link.flaws = _mapping(loaded["b"]), loaded.get("k", {}), loaded.get("x", {})
            if "u" in loaded:
                link.unread = frozenset(loaded["u"])
            if "c" in loaded:
                link.unheard = frozenset(loaded["c"])
            if "l" in loaded:
                link.late = [_late(link, *each) for each in loaded["l"]]
            link.was = int(loaded.get("w", 0))
    except _UNREADABLE:
        raise Damaged(f"record {id_} of app {app}") from None  # the cause quotes the document
    return link


def _late(link: Link, fields: Any, golden: Any, at_ms: int) -> Sent:
    return Sent(
        app=link.app,
        contact=link.contact,
        kind="update",
        record=link.id,
        fields=_mapping(fields),
        golden=_mapping(golden),
        version=None,
        at_ms=at_ms,
    )


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def contact_doc(contact: Contact) -> bytes:
    """Encode a contact; fields that share a stamp name it once, the commonest stamp names none."""
    groups: dict[Stamp, list[str]] = {}
    for name, stamp in contact.stamps.items():
        if stamp in groups:
            groups[stamp].append(name)
        else:
            groups[stamp] = [name]
    common = None
    if contact.stamps.keys() == contact.golden.keys():
        common = (
            next(iter(groups)) if len(groups) == 1 else max(groups, key=lambda s: (len(groups[s]), s), default=None)
        )
    stamps = [(*stamp, None if stamp == common else names) for stamp, names in groups.items()]
    doc: dict[str, Any] = {"g": contact.golden, "s": stamps}
    if contact.held:
        doc["h"] = contact.held
    if contact.flips:
        doc["f"] = contact.flips
    if contact.tombs:
        doc["t"] = {str(app): at_ms for app, at_ms in contact.tombs.items()}
    if contact.going:
        doc["a"] = {str(app): cause for app, cause in contact.going.items()}
    if contact.waits:
        doc["w"] = sorted(contact.waits)
    if contact.apart:
        doc["p"] = sorted(contact.apart)
    if contact.shared:
        doc["k"] = sorted(contact.shared)
    if contact.refused:
        doc["r"] = {str(app): why for app, why in contact.refused.items()}
    return _with_checksum(doc)


def read_contact(id_: int, review: int, secret: bytes, doc: bytes) -> Contact:
    """Decode a contact. Raises Damaged."""
    try:
        return _read_contact(id_, review, secret, _checked(doc))
    except _UNREADABLE:
        raise Damaged(f"contact {id_}") from None


def _read_contact(id_: int, review: int, secret: bytes, loaded: dict[str, Any]) -> Contact:
    golden = _mapping(loaded["g"])
    stamps: dict[str, Stamp] = {}
    others: dict[str, Stamp] = {}
    for app, lo_ms, hi_ms, names in loaded["s"]:
        if names is None:
            stamps = dict.fromkeys(golden, Stamp(app, lo_ms, hi_ms))
        else:
            others.update(dict.fromkeys(names, Stamp(app, lo_ms, hi_ms)))
    stamps.update(others)
    return Contact(
        id=id_,
        secret=bytes(secret),
        review=bool(review),
        golden=golden,
        stamps=stamps,
        tombs={int(app): at_ms for app, at_ms in loaded.get("t", {}).items()},
        going={int(app): cause for app, cause in loaded.get("a", {}).items()},
        held=loaded.get("h", {}),
        refused={int(app): why for app, why in loaded.get("r", {}).items()},
        waits=set(loaded.get("w", ())),
        apart=frozenset(loaded.get("p", ())),
        shared=frozenset(loaded.get("k", ())),
        flips=loaded.get("f", {}),
    )


def sent_doc(sent: Sent) -> bytes:
    return _with_checksum([sent.fields, sent.golden, sent.version, sent.reasons])


def read_sent(app: int, kind: int, contact: int, record: str, sent_ms: int, doc: bytes) -> Sent:
    """Decode a write that may have happened. Raises Damaged."""
    try:
        fields, golden, version, reasons = _checked(doc)
    except _UNREADABLE:
        raise Damaged(f"{KINDS[kind]} of contact {contact} in app {app}") from None
    return Sent(
        app=app,
        contact=contact,
        kind=KINDS[kind],
        record=record,
        fields=fields,
        golden=golden,
        version=version,
        at_ms=sent_ms,
        reasons=reasons,
    )


def entry_rows(entries: Iterable[Entry]) -> list[list[Any]]:
    return [[e.kind, e.app, e.record, e.field, e.old, e.new, e.reason] for e in entries]


def read_entries(rows: Iterable[list[Any]]) -> list[Entry]:
    return [
        Entry(kind=kind, app=app, record=record, field=field, old=old, new=new, reason=reason)
        for kind, app, record, field, old, new, reason in rows
    ]


KEY_FILE: Final = "syncd.key"
"""Where a key lies that nobody named: in the data folder."""


class Sealer:
    """Seal and open documents of one contact. The master key never leaves this object."""

    def __init__(self, master: bytes) -> None:
        assert len(master) == 32, "a key of 32 bytes"
        self._master = master

    @property
    def check(self) -> str:
        """Name this key without telling it: a store remembers this, and refuses another key."""
        return blake2b(b"syncd: which key?", key=self._master, digest_size=16).hexdigest()

    def seal(self, secret: bytes, doc: Any) -> bytes:
        """Encrypt; 28 bytes longer than the document. A nonce is drawn for each."""
        nonce = os.urandom(12)
        return nonce + AESGCM(self._key(secret)).encrypt(nonce, orjson.dumps(doc), None)

    def open(self, secret: bytes, sealed: bytes) -> Any:
        """Decrypt. Raises Damaged when the secret is another one or the document was changed."""
        try:
            return orjson.loads(AESGCM(self._key(secret)).decrypt(bytes(sealed[:12]), bytes(sealed[12:]), None))
        except (InvalidTag, ValueError):
            raise Damaged("a sealed document (journal or inbox)") from None

    def _key(self, secret: bytes) -> bytes:
        return blake2b(secret, key=self._master, digest_size=32).digest()  # a keyed hash: RFC 7693, 2.9


def digest(fields: dict[str, Any], problem: str | None = None) -> bytes:
    """Make the 8-byte digest of what an app shows of one record: equal digests cost a comparison and nothing else."""
    return blake2b(orjson.dumps([fields, problem], option=orjson.OPT_SORT_KEYS), digest_size=8).digest()
