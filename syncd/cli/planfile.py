"""The shape of a plan file: what `syncd plan --out` writes, and what `syncd apply` may rely on.

Knows nothing of what a plan means. Hard rule: a message names the place in the file, never a value of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from syncd.errors import ConfigError


class _Change(msgspec.Struct, rename={"old": "from", "new": "to"}):
    old: Any
    new: Any


class _Intent(msgspec.Struct):
    app: str
    kind: str
    contact: str
    record: str
    records: dict[str, str]
    fields: dict[str, _Change]


class _Plan(msgspec.Struct):
    intents: list[_Intent]
    unread: list[str] = []


def check_shape(path: Path, doc: object) -> None:
    """Raise ConfigError where a document is not shaped like a plan."""
    try:
        msgspec.convert(doc, _Plan)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        where = re.sub(r"^\.", "", place.rstrip("`")) or "the document"
        raise ConfigError(
            f"{path}: {where}: this is not a plan: {what.replace('`', '')}; make one by `syncd plan --out FILE`"
        ) from None
