"""What `syncd check` says of a directory: is the branch there, may it be read, and what will not work.

Knows settings, schema and one page of entries. Hard rule: a handful of requests, none of which changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncd.errors import ConfigError
from syncd.model import Finding, Spec

from .codes import NO_SUCH_OBJECT, reaction
from .layout import STAMPS, Layout, Root
from .session import Session

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def findings(session: Session, root: Root, layout: Layout, spec: Spec) -> list[Finding]:
    """Look at the branches and at some people."""
    if session.one(layout.base, ["1.1"]) is None:
        raise reaction(session.place, NO_SUCH_OBJECT)
    some = next(session.search(layout.base, layout.scope, layout.people, layout.asked))
    without = [name for name in STAMPS if any(not entry.attributes.get(name.lower()) for entry in some)]
    if "entryUUID" in without:
        raise ConfigError(f"{session.place}: {NO_IDS}")
    return [*_wire(session), *_server(root, without), *_settings(session, root, layout, spec)]


NO_IDS: Final = (
    "entries without entryUUID: the server has none, or the account may not see it; without ids nobody can be synced"
)


def _wire(session: Session) -> Iterator[Finding]:
    address = session.address
    if not address.tls and not address.starts_tls and address.origin.host not in _LOCAL:
        message = f"{session.place}: plain text, everybody on the way can read password and contacts"
        yield Finding(level="warning", message=message)


def _server(root: Root, without: list[str]) -> Iterator[Finding]:
    if not root.schema:
        message = "the server does not show its schema: which attributes entries may hold is seen when they are written"
        yield Finding(level="warning", message=message)
    if not root.compares:
        message = (
            "the server does not compare before it writes (assertion control, RFC 4528, with entryCSN): an edit at the same "
            "moment as ours may be overwritten"
        )
        yield Finding(level="warning", message=message)
    if "modifyTimestamp" in without:
        message = "some entries show no modifyTimestamp: changes to them are seen at the next sweep only"
        yield Finding(level="warning", message=message)
    if "entryCSN" in without and root.compares:
        message = "some entries show no entryCSN: nothing is written to them; let the account read it"
        yield Finding(level="warning", message=message)


def _settings(session: Session, root: Root, layout: Layout, spec: Spec) -> Iterator[Finding]:
    for setting, branch in (("new_entries", layout.branch), ("archive_branch", layout.archive_branch)):
        if branch and branch != layout.base and session.one(branch, ["1.1"]) is None:
            yield Finding(level="error", message=f"{setting}: there is no such entry, or the account may not see it")
    for name, place in layout.places.items():
        if not root.schema.allows(place.attribute, layout.classes):
            message = f"entries of {', '.join(layout.classes)} hold no {place.attribute}; see `object_classes`"
            yield Finding(level="error", message=message, field=name)
    if not root.schema.allows(layout.naming, layout.classes):
        yield Finding(level="error", message=f"naming: entries of {', '.join(layout.classes)} hold no {layout.naming}")
    if not spec.create:
        message = f"no entry can be created: it must hold {', '.join(layout.unfilled())}; map them, or see `new_values`"
        yield Finding(level="warning", message=message)
