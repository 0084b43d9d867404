"""The words of a manifest for streams: what a record has many of (tickets, invoices), only read, and how that is compiled.

Closed as the rest of the vocabulary. Hard rule: a stream has no request that changes anything, and nothing of it is a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncd.config.shapes import Key, Keys, ListOf, MapOf, Spot, Word
from syncd.config.vocabulary import NAME
from syncd.http import operations
from syncd.http.besideterms import Column, Stream
from syncd.http.coding import KINDS, TIME
from syncd.http.marks import MARK, read_marks
from syncd.http.requests import CHANGES, LISTING, PATH

MEANS: Final = {"number": "number", "unix": "time", "unix_ms": "time", "time": "time"}
"""A kind on the wire -> what it is to who folds it; text where it is not here."""
TYPES: Final = ("text", "number", "time", "unix", "unix_ms")
_COLUMN: Final = Keys(
    keys={
        "path": Key(shape=PATH, help="where it lies in an item", required=True),
        "type": Key(shape=Word(TYPES), help="what it is on the wire; time: RFC 3339", default="text"),
    }
)
STREAM: Final = Keys(
    keys={
        "list": Key(shape=Keys(keys=LISTING), help="read all of them", required=True),
        "changes": Key(
            shape=Keys(keys={name: key for name, key in CHANGES.keys.items() if name != "ids"}),
            help="read those that changed; without it a sweep tells of them",
        ),
        "of": Key(shape=Keys(keys=LISTING), help="read those of the record {id}"),
        "record": Key(shape=PATH, help="where an item has the id of its record; a list names several", required=True),
        "leave_out": Key(
            shape=ListOf(item=MARK, hint="[{path: status, is: [deleted]}]"), help="items that do not count", default=[]
        ),
        "fields": Key(
            shape=MapOf(item=_COLUMN, name=NAME, what="the name of a field", least=1),
            help="what can be asked of an item",
            required=True,
        ),
    }
)
STREAMS: Final = MapOf(item=STREAM, name=r"[a-z][a-z0-9_]*s", what="a name in the plural, such as tickets")


def read_streams(said: Mapping[str, Any], scope: operations.Scope) -> dict[str, Stream]:
    """Compile what a manifest says of streams; problems are noted in the scope."""
    return {name: _stream(name, each, scope.top.down("streams", name), scope) for name, each in said.items()}


def _stream(name: str, said: Mapping[str, Any], spot: Spot, scope: operations.Scope) -> Stream:
    values = STREAM.filled(said)
    if ("changes" in values) != ("of" in values):
        spot.problem("`changes` tells which records to look at and `of` what they have: say both, or none")
    if "cap" in values.get("changes", {}).get("since", {}):
        spot.down("changes", "since", "cap").problem(
            "a stream whose answers may be cut is read by sweeps: leave `changes` out"
        )
    for part in ("list", "changes", "of"):
        if part in values and not values[part]["call"].startswith("GET "):
            spot.down(part, "call").problem("a stream is only read: GET")
    of = (
        operations.listing("stream", values["of"], spot.down("of"), scope, operations.PAGED | {"id"})
        if "of" in values
        else None
    )
    if of is not None and "id" not in of.call.names:
        spot.down("of").problem("does not say of which record: use {id} in it")
    return Stream(
        name=name,
        list=operations.listing("stream", values["list"], spot.down("list"), scope, operations.PAGED),
        changes=operations.changes("stream", values.get("changes"), spot.down("changes"), scope),
        of=of,
        record=values["record"],
        leave_out=read_marks(spot.down("leave_out")),
        columns={column: _column(each) for column, each in values["fields"].items()},
    )


def _column(said: Mapping[str, Any]) -> Column:
    values = _COLUMN.filled(said)
    kind = TIME if values["type"] == "time" else KINDS[values["type"]]
    return Column(path=values["path"], kind=kind, means=MEANS.get(values["type"], "text"))


def means(streams: Mapping[str, Stream]) -> dict[str, dict[str, str]]:
    """State what can be folded: stream -> field -> number, time or text."""
    return {name: {column: each.means for column, each in stream.columns.items()} for name, stream in streams.items()}
