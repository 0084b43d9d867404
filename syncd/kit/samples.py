"""Samples: answers as a vendor gives them, kept in `samples/` beside a connector, and what they have to mean.

Each is a JSON file: `tells` what it is about, `asked` the request that gets it (method and path), `answer` and `status`; and
either `contacts`, by id with their values as syncd holds them (what is not named is blank), with `gone`, or a `write` and what the
answer `means` to it. Hard rule: a sample is made up; nobody's account is in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from syncd.connector import App
from syncd.core.fields import STANDARD, field_type
from syncd.core.transforms import make_lens
from syncd.http.sandbox import Asked, Said
from syncd.kit.suite import check, one
from syncd.kit.worlds import ApiWorld
from syncd.model import Record, Rejected, Write


@check(needs=("samples",))
def samples_mean_what_they_say(world: ApiWorld[Any]) -> None:
    world.mapped = {}  # as the manifest maps by itself
    for file in world.samples():
        prove(world, orjson.loads(file.read_bytes()), file)


def prove(world: ApiWorld[Any], sample: dict[str, Any], file: Path) -> None:
    """Let the server give the sample's answer to the request that it is for; compare what the connector makes of it."""
    heard: list[str] = []

    def answer(asked: Asked) -> Said | None:
        if f"{asked.method} {asked.path}" != sample["asked"]:
            return None
        heard.append(asked.path)
        return Said(status=sample.get("status", 200), doc=sample["answer"])

    app = world.open()
    world.server.before = answer
    try:
        if "write" in sample:
            result = one(app, Write(**sample["write"]))
            assert isinstance(result, Rejected), f"{file.name}: it was not refused"
            told = {"why": result.why, "field": result.field, "existing": result.existing}
            means = {"field": None, "existing": None, **sample["means"]}
            assert told == means, f"{file.name}: a refusal means something else"
        else:
            pages = list(app.read(None))
            found = {record.id: values_of(app, record) for page in pages for record in page.records}
            assert found == sample["contacts"], f"{file.name}: contacts are read as others"
    finally:
        world.server.before = lambda _: None
    assert heard, f"{file.name}: nobody asked {sample['asked']}"


def values_of(app: App, record: Record) -> dict[str, Any]:
    """Read a record as the hub does: its values in their canonical form, without the blank ones."""
    found = {}
    for name, raw in record.fields.items():
        where, kind = app.fields[name], field_type(STANDARD[name])
        value = make_lens(name, where, kind, flat=app.spec.flat).parse(raw)
        if value is not None:
            found[name] = value
    return found
