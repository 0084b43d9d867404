"""Xero: what the manifest cannot say. A telephone number has three parts there; for everybody else it is one text,
international where it has the part with the country.

A number that is written goes into the last part and empties the others, so that it reads back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from syncd.connector import Connector
from syncd.http.app import HttpApp, connector
from syncd.model import Raw, Record, Rejected, Result, Write

PARTS: Final = ("PhoneCountryCode", "PhoneAreaCode", "PhoneNumber")
PHONES: Final = {"phone": "DEFAULT", "mobile": "MOBILE"}
NUMBER_MAX: Final = 50


class Xero(HttpApp):
    """One organisation."""

    def record(self, item: Any) -> Record:
        record = super().record(item)
        for name in PHONES:
            if name in record.fields:
                record.fields[name] = _joined(record.fields[name])
        return record

    def write(self, writes: Sequence[Write]) -> list[Result]:
        refused = {place: bad for place, write in enumerate(writes) if (bad := _wrong(write)) is not None}
        good = [replace(write, fields=_split(write.fields)) for n, write in enumerate(writes) if n not in refused]
        done = iter(super().write(good))
        return [refused[place] if place in refused else next(done) for place in range(len(writes))]


def _joined(phone: Raw) -> Raw:
    if not isinstance(phone, dict):
        return phone
    parts = [str(phone[part]) for part in PARTS if phone.get(part)]
    if phone.get(PARTS[0]):  # 44, +44 and 0044 are all found there
        parts[0] = f"+{parts[0].removeprefix('00').lstrip('+')}"
    return " ".join(parts) or None


def _wrong(write: Write) -> Rejected | None:
    for name in PHONES:
        value = write.fields.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > NUMBER_MAX):
            message = f"Xero holds a text of at most {NUMBER_MAX} characters here"
            return Rejected(why="invalid", field=name, message=message)
    return None


def _split(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    made = dict(fields)
    for name, kind in PHONES.items():
        if name in made:
            parts = {"PhoneNumber": made[name] or "", "PhoneAreaCode": "", "PhoneCountryCode": ""}
            made[name] = {"PhoneType": kind, **parts}
    return made


CONNECTOR: Final[Connector] = connector(Path(__file__).with_name("manifest.yaml"), "xero", Xero)
