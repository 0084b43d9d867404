"""The operations of a manifest, compiled: which requests are made, with which {names}, and how answers are read.

Knows the words of one operation at a time. Hard rule: a {name} that will never have a value is a problem, not a surprise.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from syncd.config.near import choose_from, did_you_mean
from syncd.config.shapes import Keys, Spot
from syncd.http.paths import Path
from syncd.http.requests import BATCH, CALL, CREATE, DELETED, FIND, GET, JOB, PAGE, PAGERS, SINCE
from syncd.http.terms import (
    Batch,
    Call,
    Changes,
    Deleted,
    Fill,
    Find,
    Get,
    GetBatch,
    Guard,
    Job,
    Listing,
    Paging,
    Results,
    Since,
    Texts,
    Writing,
)
from syncd.http.texts import SPREAD, Body, Template, compile_text, names_in

NOTHING: Final[frozenset[str]] = frozenset()
PAGED: Final = frozenset({"size", "cursor", "offset", "page", "last"})
TIMED: Final = PAGED | {"since", "until", "token"}
WRITES: Final = frozenset({"id", "version", "record", "key"})
EVERYWHERE: Final = frozenset({"names", "origin"})
"""The paths of the fields that are mapped, for vendors that must be told what to send; and where we speak to."""
RESERVED: Final = TIMED | WRITES | EVERYWHERE | {"ids", "items", "value", "field", "hook_url", "job"}
NAMED: Final = (
    "check",
    "account",
    "list",
    "changes",
    "deleted",
    "get",
    "guard",
    "find",
    "discover",
    "stream",
    "create",
    "update",
    "archive",
    "consent",
)
_ASKS: Final = {
    "cursor": "cursor",
    "header": "cursor",
    "offset": "offset",
    "number": "page",
    "last": "last",
}
_MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is known while one manifest is compiled. `required`: of the settings; `mappable`: fields of the account's own."""

    top: Spot
    settings: frozenset[str]
    required: frozenset[str]
    fields: frozenset[str]
    mappable: frozenset[str]
    versioned: bool
    lag_seconds: float

    def check(self, spot: Spot, names: Collection[str], allowed: Collection[str]) -> None:
        """Note names that will never have a value here."""
        known = {*self.settings, *allowed, *EVERYWHERE}
        for name in dict.fromkeys(names):
            if name not in known:
                near = did_you_mean(name, known)
                spot.problem(f"nothing is called {{{name}}} here{near or f'; there are: {choose_from(known)}'}")
            elif name == "version" and not self.versioned:
                spot.problem(
                    "{version} is not known: say where a record has it (`record.version`), or who tells (`guard`)"
                )


def read_operations(values: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """Compile everything that makes requests; problems are noted in the scope."""
    top = scope.top
    account = values.get("account")
    made: dict[str, Any] = {
        "check": call("check", values["check"], top.down("check"), scope, NOTHING),
        "account": account and (call("account", account, top.down("account"), scope, NOTHING), account["id"]),
        "list": listing("list", values["list"], top.down("list"), scope, PAGED),
        "changes": changes("changes", values.get("changes"), top.down("changes"), scope),
        "deleted": _deleted(values.get("deleted"), scope),
        "get": _get(values["get"], scope),
        "guard": _guard(values.get("guard"), scope),
        "find": _find(values.get("find"), scope),
    }
    for kind in ("create", "update", "archive"):
        made[kind] = _writing(kind, values.get(kind), scope)
    if made["deleted"] is not None and made["changes"] is None:
        top.down("deleted").problem("is read together with `changes`, which is missing")
    return made


def call(name: str, said: Mapping[str, Any], spot: Spot, scope: Scope, allowed: Collection[str]) -> Call:
    """Compile one request."""
    values = Keys(keys=CALL).filled(said)
    method, _, target = values["call"].partition(" ")
    path = _path(target, spot.down("call"))
    query, headers = _query(values["query"]), tuple(values["headers"].items())
    body: Body = values.get("body")
    scope.check(spot.down("call"), path.names, allowed)
    for part, texts in (("query", query), ("headers", headers)):
        for key, text in texts:
            scope.check(spot.down(part, key), text.names, allowed)
    scope.check(spot.down("body"), list(names_in(body)), allowed)
    _check_spread(body, spot.down("body"))
    if body is not None and method == "GET":
        spot.down("body").problem("GET has no body")
    used = {*path.names, *names_in(body), *(n for _, text in (*query, *headers) for n in text.names)}
    return Call(
        name=name,
        method=method,
        path=path,
        query=query,
        headers=headers,
        body=body,
        form=values["as"],
        empty=frozenset(values["empty"]),
        names=frozenset(used),
    )


def _query(said: Mapping[str, Any]) -> Texts:
    """List the parameters; what is said as a list is repeated."""
    found: list[tuple[str, Template]] = []
    for name, text in said.items():
        found += [(name, replace(each, each=True)) for each in text] if isinstance(text, list) else [(name, text)]
    return tuple(found)


def _path(text: str, spot: Spot) -> Template:
    if "?" in text or "#" in text or "//" in text:
        spot.problem("a path has no ?, # and //; parameters go under `query:`")
    try:
        return compile_text(text)
    except ValueError as error:
        spot.problem(str(error))
        return Template(parts=("",))


def _check_spread(body: Body, spot: Spot) -> None:
    if isinstance(body, dict):
        for key, part in body.items():
            if key == SPREAD and not (isinstance(part, Template) and part.parts == ("", "record", "")):
                spot.problem(f'"{SPREAD}" takes {{record}}')
            _check_spread(part, spot)
    elif isinstance(body, list):
        for part in body:
            _check_spread(part, spot)


def listing(name: str, said: Mapping[str, Any], spot: Spot, scope: Scope, allowed: Collection[str]) -> Listing:
    """Compile a request whose answer has items."""
    made = call(name, said, spot, scope, allowed)
    return Listing(
        call=made,
        items=said["items"],
        page=_paging(said.get("page", {}), spot.down("page"), made),
        absent=bool(said.get("absent")),
        deleted=bool(said.get("deleted")),
    )


def _paging(said: Mapping[str, Any], spot: Spot, made: Call) -> Paging:
    values = PAGE.filled(said)
    given = [each for each in PAGERS if values.get(each) is not None and values[each] is not False]
    if len(given) > 1:
        spot.problem(f"says it twice: take one of {' and '.join(given)}")
    by: Any = given[0] if given else ""
    if by in _ASKS and _ASKS[by] not in made.names:
        spot.problem(f"the next page is never asked for: use {{{_ASKS[by]}}} in the request")
    return Paging(
        by=by,
        size=values["size"],
        path=values.get(by) if by in {"cursor", "next_url", "last"} else None,
        header=values.get("header", ""),
        first=values.get("first"),
        start=values[by] if by in {"offset", "number"} else 0,
        more=values.get("more"),
        done=values.get("done"),
        total=values.get("total"),
        short=values["short"],
        pages_max=values["pages_max"],
    )


def _since(said: Mapping[str, Any] | None, spot: Spot, made: Call) -> Since | None:
    if said is None:
        return None
    values = SINCE.filled(said)
    if "stamp" not in values and "token" not in values and "next" not in values:
        spot.problem("a cursor is made of `stamp`, `token` or `next`: say which")
    for name in ("since", "token"):
        if (name == "since" or "token" in values) and name not in made.names:
            spot.problem(f"the request does not say since when: use {{{name}}} in it")
    if "stamp" in values and not values["ordered"] and values["overlap"] < 1:
        spot.problem(
            "stamps without an order need an `overlap` of a second at least: clocks differ, and seconds are cut"
        )
    if values["ordered"] and "stamp" not in values:
        spot.problem("what is ordered has a `stamp`")
    return Since(
        stamp=values.get("stamp"),
        format=values["format"],
        ordered=values["ordered"],
        overlap_us=int(values["overlap"] * _MICRO),
        token=values.get("token"),
        next=values.get("next"),
        forget_us=int(values["forget"] * _MICRO) if "forget" in values else None,
        cap=values.get("cap"),
        passes_own=values["own"] == "passed",
    )


def changes(name: str, said: Mapping[str, Any] | None, spot: Spot, scope: Scope) -> Changes | None:
    """Compile a request for what changed."""
    if said is None:
        return None
    made = listing(name, said, spot, scope, TIMED)
    since = _since(said["since"], spot.down("since"), made.call)
    assert since is not None
    return Changes(listing=made, since=since, ids=said.get("ids"))


def _deleted(said: Mapping[str, Any] | None, scope: Scope) -> Deleted | None:
    if said is None:
        return None
    values = DELETED.filled(said)
    spot = scope.top.down("deleted")
    made = listing("deleted", said, spot, scope, TIMED)
    return Deleted(
        listing=made,
        id=values["id"],
        since=_since(values.get("since"), spot.down("since"), made.call),
        every_us=int(values["every"] * _MICRO),
    )


def _get(said: Mapping[str, Any], scope: Scope) -> Get:
    values = GET.filled(said)
    spot = scope.top.down("get")
    batch = None
    if "call" not in values and "batch" not in values:
        spot.problem("needs `call`, `batch`, or both")
    if "batch" in values:
        shape = GET.keys["batch"].shape
        assert isinstance(shape, Keys)
        inner = shape.filled(values["batch"])
        place = spot.down("batch")
        scope.check(place.down("item"), list(names_in(inner["item"])), {"id"})
        batch = GetBatch(
            call=call("get", values["batch"], place, scope, {"ids", "items", "size"}),
            size=inner["size"],
            item=inner["item"],
            items=inner["items"],
            answer=inner["answer"],
        )
    one = call("get", said, spot, scope, {"id"}) if "call" in values else None
    return Get(call=one, answer=values["answer"], batch=batch)


def _guard(said: Mapping[str, Any] | None, scope: Scope) -> Guard | None:
    if said is None:
        return None
    return Guard(call=call("guard", said, scope.top.down("guard"), scope, {"id"}), version=said["version"])


def _find(said: Mapping[str, Any] | None, scope: Scope) -> Find | None:
    if said is None:
        return None
    values = FIND.filled(said)
    made = listing("find", said, scope.top.down("find"), scope, PAGED | {"value", "field"})
    return Find(listing=made, answer=values["answer"], fields=tuple(values["fields"]))


def _writing(kind: str, said: Mapping[str, Any] | None, scope: Scope) -> Writing | None:
    if said is None:
        return None
    spot = scope.top.down(kind)
    allowed = {
        "create": {"record", "key"} | scope.fields,
        "update": WRITES | scope.fields,
        "archive": {"id", "version", "key"},
    }[kind]
    values = CREATE.filled(said)
    one = call(kind, said, spot, scope, allowed) if "call" in values else None
    batch = _batch(kind, values["batch"], spot.down("batch"), scope, allowed) if "batch" in values else None
    if one is None and batch is None:
        spot.problem("needs `call`, `batch`, or both")
    if one is not None and batch is not None and ("version" in batch.call.names) != ("version" in one.names):
        spot.down("batch").problem("{version} is used in one of `call` and `batch` only: both are conditional, or none")
    if kind == "create" and one is not None and not values.keys() & {"answer", "id", "location"}:
        spot.problem("nothing says which record was made: add `answer`, `id` or `location`")
    fill = tuple(Fill(path=each["path"], texts=tuple(each["with"])) for each in values["fill"])
    for item, each in zip(spot.down("fill").items(), fill, strict=False):
        scope.check(
            item.down("with"), [name for text in each.texts for name in text.names], scope.fields | scope.mappable
        )
    keyed = "key" in one.names if one is not None else batch is not None and batch.keyed
    return Writing(
        call=one,
        answer=values.get("answer"),
        id=values.get("id"),
        location=pattern(spot.down("location"), values.get("location"), groups=1),
        keep=tuple(values.get("keep", ())),
        look_first=values["look_first"],
        repeatable=values["repeatable"] or keyed,
        batch=batch,
        fill=fill,
        unless_found=_unless_found(values.get("unless_found"), spot, scope),
    )


def _unless_found(name: str | None, spot: Spot, scope: Scope) -> str | None:
    if name is not None and name not in scope.fields:
        spot.down("unless_found").problem(f"no such field{did_you_mean(name, scope.fields)}")
    if name is not None and spot.child("batch") is not None:
        spot.down("unless_found").problem("what is looked up first is made one by one: no `batch` here")
    return name


def _batch(kind: str, said: Mapping[str, Any], spot: Spot, scope: Scope, allowed: Collection[str]) -> Batch:
    inner = BATCH.filled(said)
    many = call(kind, said, spot, scope, {"items", "key"})
    scope.check(spot.down("item"), list(names_in(inner["item"])), allowed)
    _check_spread(inner["item"], spot.down("item"))
    results = {
        name: inner["results"].get(name) for name in ("items", "by", "field", "status", "answer", "errors", "id")
    }
    results["errors_by"] = tuple(inner["results"].get("errors_by", ()))
    if results["errors"] is not None and not results["errors_by"]:
        spot.down("results").problem("says where errors are, but not how one names its write: add `errors_by`")
    if results["field"] is not None and results["field"] not in scope.fields:
        spot.down("results", "field").problem(f"no such field{did_you_mean(results['field'], scope.fields)}")
    return Batch(
        job=_job(kind, inner.get("job"), spot.down("job"), scope),
        call=replace(many, names=many.names | frozenset(names_in(inner["item"]))),
        keyed="key" in many.names,
        size=inner["size"],
        item=inner["item"],
        results=Results(**results),
    )


def _job(kind: str, said: Mapping[str, Any] | None, spot: Spot, scope: Scope) -> Job | None:
    if said is None:
        return None
    values = JOB.filled(said)
    asked = call(kind, said, spot, scope, {"job"})
    if asked.method != "GET" or "job" not in asked.names:
        spot.down("call").problem("a job is asked for by GET, with {job} in it")
    if values["most"] > scope.lag_seconds:
        spot.down("most").problem("a job that was lost sight of may work that long: `claims.lag` must cover it")
    return Job(
        id=values["id"],
        call=asked,
        state=values["state"],
        ended=tuple(values["ended"]),
        every_seconds=values["every"],
        most_seconds=values["most"],
    )


def pattern(spot: Spot, text: str | None, *, groups: int) -> re.Pattern[str] | None:
    """Compile a regular expression; note one that is wrong."""
    if text is None:
        return None
    try:
        made = re.compile(text)
    except re.error as error:
        spot.problem(f"no regular expression: {error.msg}")
        return None
    if made.groups != groups:
        spot.problem("expected one group in it: (...)" if groups else "expected no group in it; write (?:...)")
    return made


__all__ = ["NAMED", "NOTHING", "RESERVED", "WRITES", "Path", "Scope", "call", "pattern", "read_operations"]
