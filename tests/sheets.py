"""A file as a CSV app: what the tests of the csv connector share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from syncd import registry
from syncd.connector import App, Opening
from syncd.model import FieldMap, Record, Write

CSV = registry.load("csv")
CELLS: Any = sys.modules["syncd_connectors.csv.cells"]
SHEET: Any = sys.modules["syncd_connectors.csv.sheet"]
KNOWN = dict.fromkeys(("email", "first_name", "phone", "company", "notes"), "text")


def opened(path: Path, fields: dict[str, FieldMap] | None = None, **settings: Any) -> App:
    told = {"path": path, "key": "id", "encoding": "utf-8", "delimiter": ",", **settings}
    return CSV.open(Opening(app="books", settings=told, secrets={}, fields=fields or {}, known=KNOWN))


def people(tmp_path: Path, data: bytes | str) -> Path:
    path = tmp_path / "people.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def listed(app: App) -> dict[str, Record]:
    return {record.id: record for page in app.read(None) for record in page.records}


def update(id_: str, **fields: Any) -> Write:
    return Write(kind="update", id=id_, fields=fields)


def create(id_: str, **fields: Any) -> Write:
    return Write(kind="create", id=id_, fields=fields)
