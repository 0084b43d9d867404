"""Texts: what apps say that no store could keep, a NUL character or half a character (a lone surrogate), and what becomes of it.

Every app is reached through here. Hard rule: such a text costs one record at most, and says so; the page and the run go on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from syncd.connector import App, PassesOwn, SparesDownloads
from syncd.model import Applied, FieldMap, Finding, Page, Record, Rejected, Result, Spec, Unknown, Write

NUL: Final = "\0"
"""No text of PostgreSQL's may hold it. In fields it does no harm: they are stored as bytes."""
HALF: Final = re.compile("[\ud800-\udfff]")
"""Half of a character; no UTF-8 may hold it."""
INTEGER_MAX: Final = 1 << 63
CANNOT_BE_KEPT: Final = "holds half a character (a lone surrogate), or a number of more than 64 bits"


def is_broken(text: str) -> bool:
    """Say whether no store could keep this text as an id, a version, a cursor or a message."""
    return NUL in text or not (text.isascii() or HALF.search(text) is None)


def storable(text: str) -> str:
    """Show what no store could keep as U+FFFD."""
    return HALF.sub("\ufffd", text.replace(NUL, "\ufffd")) if is_broken(text) else text


def clean(app: App) -> App:
    """Let an app say only what can be kept."""
    return _Sparing(app, app) if isinstance(app, SparesDownloads) else _Clean(app)


class _Clean:
    """An app, reached through this room."""

    def __init__(self, app: App) -> None:
        self._app = app

    @property
    def spec(self) -> Spec:
        return self._app.spec

    @spec.setter
    def spec(self, spec: Spec) -> None:
        self._app.spec = spec

    @property
    def fields(self) -> Mapping[str, FieldMap]:
        return self._app.fields

    @fields.setter
    def fields(self, fields: Mapping[str, FieldMap]) -> None:
        self._app.fields = fields

    def check(self) -> list[Finding]:
        return self._app.check()

    def fingerprint(self) -> str:
        return storable(self._app.fingerprint())

    def read(self, cursor: str | None) -> Iterator[Page]:
        pages = self._app.read(cursor)
        try:
            for page in pages:
                sound = all(map(_can_be_kept, page.records))
                yield page if sound else replace(page, records=[_as_read(record) for record in page.records])
        finally:
            if isinstance(pages, Generator):
                pages.close()

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        found = self._app.get(ids)
        return {id_: _as_read(record) for id_, record in found.items()}

    def write(self, writes: Sequence[Write]) -> list[Result]:
        return [_result(result) for result in self._app.write(writes)]

    def passed(self, cursor: str) -> str:
        return self._app.passed(cursor) if isinstance(self._app, PassesOwn) else cursor

    def new_id(self, token: str) -> str:
        return self._app.new_id(token)

    def find(self, field: str, value: Any) -> list[Record]:
        return [_spelled(record) for record in self._app.find(field, value)]

    def close(self) -> None:
        self._app.close()


class _Sparing(_Clean):
    """An app whose listing names versions first."""

    def __init__(self, app: App, sparing: SparesDownloads) -> None:
        super().__init__(app)
        self._sparing = sparing

    @property
    def known_versions(self) -> Callable[[Sequence[str]], Mapping[str, str | None]] | None:
        return self._sparing.known_versions

    @known_versions.setter
    def known_versions(self, known: Callable[[Sequence[str]], Mapping[str, str | None]] | None) -> None:
        self._sparing.known_versions = known


def _can_be_kept(record: Record) -> bool:
    for raw in record.fields.values():
        if raw is None or (type(raw) is str and raw.isascii()):
            continue
        if type(raw) is list:
            for each in raw:
                if not (type(each) is str and each.isascii()) and not _is_sound(each):
                    return False
        elif not _is_sound(raw):
            return False
    return True


def _is_sound(raw: Any) -> bool:
    if isinstance(raw, str):
        return raw.isascii() or HALF.search(raw) is None
    if isinstance(raw, int):
        return -INTEGER_MAX <= raw < INTEGER_MAX
    if isinstance(raw, dict):
        return all(map(_is_sound, raw)) and all(map(_is_sound, raw.values()))
    return all(map(_is_sound, raw)) if isinstance(raw, list | tuple) else True


def _as_read(record: Record) -> Record:
    """Set a record aside whole that cannot be kept: what is left of a cell is not what somebody typed."""
    return record if _can_be_kept(record) else replace(record, fields={}, problem=record.problem or CANNOT_BE_KEPT)


def _spelled(record: Record) -> Record:
    """Show of a record of ours what can be kept: it is known by it, and the next read parks it."""
    if not _can_be_kept(record):
        record = replace(record, fields={name: _kept(raw) for name, raw in record.fields.items()})
    if is_broken(record.id) or (record.version is not None and is_broken(record.version)):
        version = None if record.version is None or is_broken(record.version) else record.version
        return replace(record, id=storable(record.id), version=version)
    return record


def _kept(raw: Any) -> Any:
    if isinstance(raw, str):
        return HALF.sub("\ufffd", raw)
    if isinstance(raw, dict):
        return {_kept(name): _kept(value) for name, value in raw.items()}
    if isinstance(raw, list | tuple):
        return [_kept(value) for value in raw]
    return raw if _is_sound(raw) else str(raw)


def _result(result: Result) -> Result:
    if isinstance(result, Applied):
        return result if result.record is None else Applied(record=_spelled(result.record))
    if not is_broken(result.message):
        return result
    if isinstance(result, Rejected):
        return replace(result, message=storable(result.message))
    return Unknown(message=storable(result.message))
