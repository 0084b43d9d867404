"""A connector's card: what an operator has to know before trusting it with an app.

Out of what it states (its `Spec`, its manifest) and of what one look at its stand-in shows. Hard rule: the same connector
gives the same card on every machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from syncd import registry
from syncd.core.fields import STANDARD
from syncd.kit.asking import MODULE, worlds_of
from syncd.kit.peers import MODULE as SERVER
from syncd.kit.suite import known, new, one
from syncd.model import Applied, FieldMap, Setting, Spec

RUNGS: Final = {
    "A": "syncd draws the id: the create is repeated, and at most one record comes of it",
    "B": "the app takes a key of ours: the create is repeated with the same key",
    "C": "it is looked up by a mark that is found at once; if it is not there, it is made",
    "D": "it is looked up by a value that the app holds once",
    "E": "it is looked up by search, after the lag; if it is not there, it is made",
    "F": "it cannot be looked up: a person decides, after everything was read",
}
LOST_UPDATES: Final = {
    "cas": "never lost: the app compares before it writes, and refuses",
    "jump": "may be overwritten; it shows in the version, and is in the journal",
    "blind": "may be overwritten in the blink between our look and our write; the app does not notice",
}
CAPABILITIES: Final = (
    *("create", "update", "archive", "incremental", "proven_listing", "versions", "lost_update", "rung"),
    *("reports_gone", "reuses_ids", "lag_seconds", "unique", "write_batch", "network"),
)
SEEN: Final = {
    "email": ("Ada.Lovelace@Example.ORG", {"ada.lovelace@example.org": "is kept in lower case"}),
    "first_name": ("  Ada  ", {"Ada": "loses its outer spaces", "ADA": "is kept in capitals"}),
    "notes": ("one\r\ntwo", {"one\ntwo": "has line ends of one kind"}),
}
"""Field -> what is written, and what an app may make of it."""


def card_of(folder: Path, *, look: bool = False) -> dict[str, Any]:
    """Make the card of the connector in this folder. `look`: also write to its stand-in, and see what it makes of that."""
    spec = registry.spec(str(folder))
    doc = {
        "name": spec.name,
        "summary": spec.summary,
        "settings": [_setting(each) for each in spec.settings],
        "secrets": [_setting(each) for each in spec.secrets],
        "fields": {name: _field(where) for name, where in spec.fields.items()},
        "proven_on": _proven_on(folder),
        "any_path": spec.any_path,
        "discovers": spec.discovers,
        "capabilities": {name: getattr(spec, name) for name in CAPABILITIES},
        "in_doubt": {"rung": spec.rung, "means": RUNGS[spec.rung]},
        "lost_update": {"class": spec.lost_update, "means": LOST_UPDATES[spec.lost_update]},
        "lag_seconds": spec.lag_seconds,
        "deletion": _deletion(spec),
        "webhooks": _webhooks(spec),
        **_stated(folder, spec),
    }
    if look and (folder / f"{MODULE}.py").is_file() and not _is_on_a_server(folder):
        doc["quirks"] += list(_seen(folder))
    return doc


def _stated(folder: Path, spec: Spec) -> dict[str, Any]:
    file = folder / registry.MANIFEST
    if not file.is_file():
        consents = [name for name in spec.fields if STANDARD.get(name) == "consent"]
        consent = "; ".join(f"`{name}`: a field like any other" for name in consents) or "a field like any other"
        return {"made_of": "Python", "consent": consent, "quirks": list(spec.quirks)}
    from syncd.http import stating
    from syncd.http.compiling import load_manifest

    manifest = load_manifest(file, folder.name)
    return {
        "made_of": "YAML" if not (folder / f"{registry.MODULE}.py").is_file() else "YAML, with steps in Python",
        "reading": stating.reading(manifest),
        "writing": stating.writing(manifest),
        "consent": stating.consent(manifest),
        "limits": stating.limits(manifest),
        "quirks": [*spec.quirks, *stating.quirks(manifest)],
    }


def _proven_on(folder: Path) -> str:
    if _is_on_a_server(folder):
        return "a running server"
    return "the stand-in beside it" if (folder / f"{MODULE}.py").is_file() else "nothing yet"


def _deletion(spec: Spec) -> str:
    seen = "named by reads" if spec.reports_gone else "missed in a listing"
    once = "one listing is complete" if spec.proven_listing else "two equal listings count as complete"
    return f"{seen}, and believed when the record is asked for and is not there ({once})"


def _webhooks(spec: Spec) -> str:
    hooking = spec.hooking
    if hooking is None or not hooking.how:
        return "none"
    again = "is known" if hooking.once else "makes syncd look again, no more"
    old = f", and refused after {hooking.window_seconds / 60:g} min" if hooking.window_seconds else ""
    return "; ".join(
        (
            "genuine by their signature"
            if hooking.signed
            else "genuine by the secret that ends their address: nothing is signed",
            "they name records" if hooking.names else "they say that something has changed",
            f"one that comes again {again}{old}",
            "syncd tells the app its address" if hooking.subscribes else "the operator types their address in",
        )
    )


def _is_on_a_server(folder: Path) -> bool:
    """Say whether a connector is proven on a real server: one that may not be there, so that its quirks are stated, not looked for."""
    return (folder / f"{SERVER}.py").is_file()


def _seen(folder: Path) -> Iterator[str]:
    """Make one record in the connector's first world, and say what the app did not keep as it was written."""
    connector = registry.load(str(folder))
    with worlds_of(folder) as worlds, contextlib.closing(next(iter(worlds.values()))(connector)) as world:
        app = world.open()
        written = {name: text for name, (text, _) in SEEN.items() if name in app.fields and name in world.fields}
        if not app.spec.create:
            return
        made = one(app, new(app, 1, **written))
        if not isinstance(made, Applied) or made.record is None:
            return
        held = known(app, made.record.id).fields
        for name, text in written.items():
            if held[name] != text:
                yield f"`{name}` {SEEN[name][1].get(held[name], 'comes back as another text than was written')}."


def _setting(each: Setting) -> dict[str, Any]:
    return {
        "name": each.name,
        "help": each.help,
        "required": each.required,
        "type": each.type,
        "default": each.default,
    }


def _field(where: FieldMap) -> dict[str, Any]:
    required = {"required": True} if where.required else {}
    longest = {} if where.max_length is None else {"max_length": where.max_length}
    return {"path": where.path, "direction": where.direction, **required, **longest}
