"""The CSV connector: a file whose rows are people. See README.md for what it keeps and what it refuses."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from syncd.connector import Connector, Opening
from syncd.errors import SyncdError, TransientError
from syncd.model import Applied, FieldMap, Finding, Page, Record, Rejected, Result, Setting, Spec, Unknown, Write

from .cells import guarded
from .draft import Draft
from .files import Replacement, digest_of, opened
from .layout import Layout, fields_without_column, is_sound, lay_out, parked, reader_of, signature
from .sheet import Sheet, format_of
from .survey import keys_used_twice

PAGE: Final = 1000
_TRIES: Final = 3
_CHANGING: Final = {"email", "phone", "name"}
"""Types of fields that people change."""
_TWICE: Final = "has a key that another row has too"

SPEC: Final = Spec(
    name="csv",
    summary="a CSV file: read whole when it changed, rewritten in one step, everything else in it untouched",
    settings=(
        Setting(name="path", type="path", required=True, help="the file; it must be there, it is never created"),
        Setting(name="key", default="id", help="the column that names a row and never changes"),
        Setting(name="encoding", default="utf-8", help="as Python names it (cp1252, latin-1); a UTF-8 BOM is kept"),
        Setting(name="delimiter", default=",", help="between two cells: , or ; (Excel in much of Europe) or | or tab"),
    ),
    any_path=True,
    flat=True,
    create=True,
    update=True,
    incremental=False,
    proven_listing=True,
    reuses_ids=True,
    versions="opaque",
    lost_update="cas",
    rung="A",
    write_batch=5000,
)


class CsvFile:
    """One file. Nothing is remembered between two calls but where its columns lay last."""

    spec: Spec
    fields: Mapping[str, FieldMap]

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._path = Path(opening.settings["path"])
        self._form = format_of(opening.settings["encoding"], opening.settings["delimiter"])
        with opened(self._path) as file:
            self._sheet(file)

    def check(self) -> list[Finding]:
        with opened(self._path) as file:
            _, layout = self._sheet(file)
            owner = os.fstat(file.fileno()).st_uid
        findings = [
            Finding(level="error", field=name, message=message)
            for name, message in fields_without_column(layout, self._opening)
        ]
        if layout.key_field is not None and self._opening.known.get(layout.key_field) in _CHANGING:
            message = (
                f"the key {self._opening.settings['key']!r} is {layout.key_field}, which changes; a key must not. A row whose key "
                "is changed counts as removed and as a new one; give each row an id that stays"
            )
            findings.append(Finding(level="warning", field=layout.key_field, message=message))
        folder = Path(os.path.realpath(self._path)).parent
        if not os.access(folder, os.W_OK | os.X_OK):
            message = f"{folder}: no permission to write here; a changed file is put in the place of the old one"
            findings.append(Finding(level="error", message=message))
        elif os.geteuid() not in {0, owner}:
            message = f"{self._path}: belongs to another account, which a rewrite could not keep; run syncd as that one"
            findings.append(Finding(level="error", message=message))
        return findings

    def fingerprint(self) -> str:
        return f"csv:{os.path.realpath(self._path)}#{self._opening.settings['key']}"

    def read(self, cursor: str | None) -> Iterator[Page]:
        with opened(self._path) as file:
            _, layout = self._sheet(file)
            prefix = f"{signature(layout, self._form)}-"
            if cursor is not None and cursor == prefix + digest_of(file):
                yield Page(records=[], cursor=cursor)
                return
            sheet = Sheet(file, self._form, str(self._path))
            twice = keys_used_twice(sheet, layout)
            surveyed = sheet.digest()
            sheet = Sheet(file, self._form, str(self._path))
            page: list[Record] = []
            for record in _records(sheet, layout, twice):
                page.append(record)
                if len(page) == PAGE:
                    yield Page(records=page)
                    page = []
            digest = sheet.digest()
            if not digest == surveyed == digest_of(file):
                raise TransientError(f"{self._path}: was written to while it was read; read again")
            yield Page(records=page, cursor=prefix + digest, complete=True)

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        wanted, found = set(ids), dict[str, Record]()
        unreadable = None
        with opened(self._path) as file:
            sheet, layout = self._sheet(file)
            read = reader_of(layout)
            for row in sheet.rows():
                key = layout.key_of(row)
                if key is None:
                    unreadable = unreadable or row.line
                if key in wanted and key not in found and is_sound(row, key, None):
                    found[key] = read(key, row)
                elif key in wanted or not key:
                    record = parked(row, key, _TWICE)
                    if record.id in wanted:
                        found[record.id] = record
        if unreadable:
            problem = f"not found, but line {unreadable} cannot be read and may be it"
            for key in wanted - found.keys():
                if not key.startswith("line:"):
                    found[key] = Record(id=key, fields={}, problem=problem)
        return found

    def write(self, writes: Sequence[Write]) -> list[Result]:
        for _ in range(_TRIES):
            try:
                with opened(self._path) as file:
                    results = self._rewrite(file, writes)
            except SyncdError as error:
                return [Rejected(why="busy", message=str(error)) for _ in writes]
            if results is not None:
                return results
        return [Rejected(why="moved", message="the file keeps changing while it is rewritten") for _ in writes]

    def new_id(self, token: str) -> str:
        return token if self.spec.rung == "A" else ""

    def find(self, field: str, value: Any) -> list[Record]:
        return [
            record
            for page in self.read(None)
            for record in page.records
            if record.problem is None and record.fields.get(field) == value
        ]

    def close(self) -> None:
        """Nothing is held open."""

    def _sheet(self, file: io.FileIO) -> tuple[Sheet, Layout]:
        """Read the header, which somebody may have changed since."""
        sheet = Sheet(file, self._form, str(self._path))
        layout = lay_out(sheet.head.cells, self._opening, str(self._path))
        self.fields = layout.fields
        self.spec = SPEC
        if layout.key_field is not None:
            self.spec = replace(SPEC, rung="D", unique=(layout.key_field,))
        return sheet, layout

    def _rewrite(self, file: io.FileIO, writes: Sequence[Write]) -> list[Result] | None:
        """Do all of them in one replacement; None if the file changed meanwhile and nothing was done."""
        sheet, layout = self._sheet(file)
        ids = {write.id for write in writes}
        if layout.key_field is not None:
            ids |= {guarded(str(write.fields.get(layout.key_field))) for write in writes}
        draft = Draft(file, sheet, layout, self._form, ids)
        results = [draft.take(write) for write in writes]
        if not draft.changes():
            return results
        replacement = None
        try:
            replacement = Replacement(self._path)
            replacement.fill(file, draft.parts())
            unchanged = replacement.still(draft.digest)
        except OSError as error:
            return _instead(
                results, Rejected(why="busy", message=f"{self._path}: {error.strerror}; nothing was written")
            )
        else:
            if not unchanged:
                return None
            try:
                replacement.swap()
            except OSError as error:
                return _instead(results, Unknown(message=f"{self._path}: {error.strerror} while the file was replaced"))
            return results
        finally:
            if replacement is not None:
                replacement.drop()


def _records(sheet: Sheet, layout: Layout, twice: frozenset[int]) -> Iterator[Record]:
    """Turn rows into records; what two rows say of one key is said of neither."""
    read, said = reader_of(layout), set[str]()
    for row in sheet.rows():
        key = layout.key_of(row)
        problem = _TWICE if twice and hash(key) in twice else None
        if key is not None and is_sound(row, key, problem):
            yield read(key, row)
            continue
        record = parked(row, key, problem)
        if record.id not in said:
            said.add(record.id)
            yield record


def _instead(results: list[Result], result: Result) -> list[Result]:
    """What was refused stays refused; what would have been done was not, or nobody knows."""
    return [result if isinstance(old, Applied) else old for old in results]


CONNECTOR: Final = Connector(spec=SPEC, open=CsvFile)
