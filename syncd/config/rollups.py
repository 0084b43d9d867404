"""Fields that are folded out of a stream of one app (`open_tickets: {from: desk.tickets, take: count}`): words and checks.

Hard rule: such a field has one source. That app owns it, and it is written to other apps only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncd.config import expressions
from syncd.config.near import choose_from, did_you_mean
from syncd.config.settings import Rollup
from syncd.config.shapes import Key, Spot, Text, Word

TAKES: Final = ("count", "sum", "min", "max")
Streams = Mapping[str, Mapping[str, Mapping[str, str]]]
"""App -> stream -> field of an item -> number, time or text."""
TYPES: Final = {"number": "number", "time": "datetime", "text": "text"}

KEYS: Final[dict[str, Key]] = {
    "from": Key(
        shape=Text(what="an app and a stream of it, such as desk.tickets", pattern=r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*"),
        help="folded out of this stream of an app, which owns it: APP.STREAM",
    ),
    "take": Key(shape=Word(TAKES), help="how: how many, or what of `of` (sum, least, greatest)"),
    "of": Key(
        shape=Text(what="the name of a field of the stream", pattern=r"[a-z][a-z0-9_]*"),
        help="the field that is folded",
    ),
    "where": Key(
        shape=Text(what="a CEL expression", pattern=r"[^\x00]+"),
        help="only these count: a CEL expression over one of them, such as 'ticket.status != \"closed\"'",
    ),
}


def one_of(stream: str) -> str:
    """Name one of a stream, as an expression calls it: a ticket of tickets."""
    return stream.removesuffix("s")


def read_rollup(values: Mapping[str, Any], spot: Spot, streams: Streams) -> tuple[Rollup, str] | None:
    """Return how a field is folded, and the type it has by that; None where it is not, or after noting why it cannot be."""
    if "from" not in values:
        for key in [key for key in KEYS if key in values]:
            spot.key_problem(key, "belongs to a field that is folded out of a stream: say `from: APP.STREAM`")
        return None
    app, _, stream = values["from"].partition(".")
    if app not in streams:
        spot.down("from").problem(f"no such app{did_you_mean(app, streams) or f'; there are: {choose_from(streams)}'}")
        return None
    there = streams[app].get(stream)
    if there is None:
        spot.down("from").problem(f"{app} has no such stream; there are: {choose_from(streams[app])}")
        return None
    if "take" not in values:
        spot.problem(f"needs `take`: {choose_from(TAKES)}")
        return None
    if "policy" in values:
        spot.key_problem("policy", f"{app} owns what is folded out of its {stream}; remove the key")
    take, of, where = values["take"], values.get("of", ""), values.get("where", "")
    if (take == "count") == bool(of):
        spot.problem("count has no `of`" if of else f"needs `of`: {choose_from(there)}")
    elif of and of not in there:
        spot.down("of").problem(f"no such field{did_you_mean(of, there) or f'; there are: {choose_from(there)}'}")
    elif take == "sum" and there[of] != "number":
        spot.down("of").problem("is no number, so that it has no sum")
    if where and (wrong := expressions.problem(where, there, name=one_of(stream))):
        spot.down("where").problem(wrong)
    kind = "number" if take in ("count", "sum") else TYPES[there.get(of, "text")]
    return Rollup(app=app, stream=stream, take=take, of=of, where=where), kind
