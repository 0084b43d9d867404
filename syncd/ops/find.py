"""KEY -> contact: an e-mail address (any app's, also a former one), a contact's number, or APP:RECORD.

Hard rule: a message never repeats an address.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import sqlalchemy as sa

from syncd.config import Config
from syncd.config.near import did_you_mean, shown
from syncd.core.fields import FieldType, field_type
from syncd.core.match import ALIAS, address_hash
from syncd.errors import ConfigError
from syncd.ops.status import every_contact
from syncd.store import schema as s
from syncd.store.tx import Tx

_NUMBER: Final = re.compile(r"c?([0-9]{1,18})", re.ASCII)
WHAT: Final = "KEY is an e-mail address, a contact (c42), or APP:RECORD"


class Found(NamedTuple):
    """A contact, or a record that has none because it cannot be read."""

    contact: int | None
    app: int | None = None
    record: str | None = None


def contact_of(tx: Tx, config: Config, key: str) -> int:
    """Find the contact; raises ConfigError where there is none, or more than one."""
    found = find(tx, config, key)
    if found.contact is None:
        raise ConfigError("this record belongs to no contact: it cannot be read; `syncd explain` says why")
    return found.contact


def find(tx: Tx, config: Config, key: str) -> Found:
    """Find what KEY names; raises ConfigError."""
    number = _NUMBER.fullmatch(key)
    if number:
        contact = int(number[1])
        if contact not in tx.contacts([contact]):
            raise ConfigError(f"there is no contact c{contact}")
        return Found(contact)
    app, colon, record = key.partition(":")
    names = [each.name for each in config.apps]
    if colon and app in names:
        return _by_record(tx, app, record)
    if "@" in key:
        return Found(_by_address(tx, config, key))
    if colon:
        raise ConfigError(f'no app "{shown(app)}"{did_you_mean(app, names)}; {WHAT}')
    raise ConfigError(WHAT)


def _by_record(tx: Tx, app: str, record: str) -> Found:
    state = tx.apps().get(app)
    mark = tx.marks(state.id, [record]).get(record) if state is not None else None
    if mark is None or state is None:
        raise ConfigError(f"{app} has no such record, or it was not read yet")
    return Found(mark.contact, state.id, record)


def _by_address(tx: Tx, config: Config, key: str) -> int:
    """Find the contact of an address; one that shows it now goes before one that had it once."""
    rule = config.fields["email"]
    kind = field_type(rule.type, **rule.options)
    value = kind.parse(key)
    if not isinstance(value, str):
        raise ConfigError(f"this is no e-mail address; {WHAT}")
    hashed = address_hash(str(kind.key(value)))
    holders = tx.holders([hashed]).get(hashed, [])
    now = sorted({h.contact for h in holders if h.app != ALIAS and h.contact is not None})
    once = sorted({h.contact for h in holders if h.app == ALIAS and h.contact is not None})
    people = now or once
    if not people:
        people = _without_record(tx, str(kind.key(value)), kind)
    if not people:
        raise ConfigError("no contact has this address, now or before (or it was not read yet)")
    if len(people) > 1:
        names = ", ".join(f"c{contact}" for contact in people)
        raise ConfigError(f"several contacts have this address: {names}; name one of them")
    return people[0]


def _without_record(tx: Tx, address: str, kind: FieldType) -> list[int]:
    """Find who had this address last and has no record anywhere any more: no key leads there, as whoever is added with it is
    somebody new.
    """
    linked = sa.exists().where(s.record.c.contact == s.contact.c.id)
    return [
        contact.id
        for contact in every_contact(tx, ~linked)
        if (email := contact.golden.get("email")) is not None and str(kind.key(email)) == address
    ][-1:]
