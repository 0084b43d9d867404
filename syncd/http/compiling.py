"""A manifest's text -> a checked `Manifest`, or every problem in it with file, line and column.

Must not open or ask anything. Hard rules: a manifest with a problem is never returned; every {name} is known here; a body
that creates or changes a record never holds the word that opts somebody in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path as File
from typing import Any, Final, Literal

from syncd.config.near import did_you_mean, shown
from syncd.config.shapes import INVALID, Spot, TooManyProblems
from syncd.config.text import read_tree
from syncd.core.fields import STANDARD
from syncd.errors import ConfigError, Problem
from syncd.http import operations
from syncd.http.coding import KINDS, joined
from syncd.http.discoverwords import read_discover
from syncd.http.hookwords import hooking, read_hooks
from syncd.http.limits import read_limits
from syncd.http.logins import read_auth
from syncd.http.marks import read_marks
from syncd.http.paths import REMOVED, Item
from syncd.http.paths import shown as spelled
from syncd.http.streamwords import means, read_streams
from syncd.http.terms import Consent, Field, Manifest, Rule, Shape, Texts, Writing
from syncd.http.texts import Template, compile_text, constants_in
from syncd.http.vocabulary import (
    ERROR,
    FIELD,
    LIMITS,
    MANIFEST,
    RECORD,
    SECRET,
    SETTING,
)
from syncd.model import FieldMap, Setting, Spec

BLANKS: Final[Mapping[str, Any]] = {"null": None, "empty": "", "removed": REMOVED}
OPTED_IN: Final = "opted_in"
WRITES_MAX: Final = 1000
"""So many writes are in doubt at most when syncd is killed."""
DEFAULT_RULES: Final = (
    Rule(then="access", status=(401,)),
    Rule(then="access", status=(403,)),
    Rule(then="gone", status=(404, 410)),
    Rule(then="moved", status=(412,)),
    Rule(then="busy", status=(429,)),
)


def load_manifest(file: File, name: str) -> Manifest:
    """Return the checked manifest, or raise ConfigError with every problem in it."""
    tree, problems = read_tree(file)
    manifest = None
    try:
        manifest = _compiled(Spot.top(tree, problems), name)
    except TooManyProblems:
        manifest = None
    if problems or manifest is None:
        raise ConfigError("the manifest is wrong", problems=tuple(sorted(dict.fromkeys(problems), key=_place)))
    return manifest


def _place(problem: Problem) -> tuple[Any, ...]:
    file, *numbers = problem.place.rsplit(":", 2)
    return (file, *(int(number) for number in numbers), problem.path)


def _compiled(top: Spot, name: str) -> Manifest | None:
    read = MANIFEST.read(top)
    if read is INVALID or top.problems:
        return None  # what the words mean together is asked when each of them is right
    values = MANIFEST.filled(read)
    settings = {each: SETTING.filled(said) for each, said in values["settings"].items()}
    record = RECORD.filled(values["record"])
    scope = operations.Scope(
        top=top,
        settings=frozenset(settings),
        required=frozenset(name for name, said in settings.items() if said["required"]),
        fields=frozenset(values["fields"]),
        mappable=frozenset(STANDARD if record["any_path"] else ()),
        versioned="version" in record or "guard" in values,
        lag_seconds=values["claims"].get("lag", 0.0),
    )
    if "version" in record and "guard" in values:
        top.down("guard").problem("records have a version already: `record.version` or `guard`, one of both")
    if values["list"].get("deleted") and not record["gone"]:
        top.down("list", "deleted").problem("by what is a deleted item known? say `record.gone`")
    blank = BLANKS[record["blank"]]
    _check_names(top, values)
    address = values["address"]
    scope.check(top.down("address"), address.names, operations.NOTHING)
    fields = {each: _field(each, said, blank, scope) for each, said in values["fields"].items()}
    made = operations.read_operations(values, scope)
    _check_passing(top, made)
    _check_consent(top, values, fields)
    _check_outside(top, fields, made)
    streams = read_streams(values["streams"], scope)
    rules = tuple(_rule(spot, scope) for spot in top.down("errors").items())
    return Manifest(
        name=name,
        spec=replace(_spec(name, values, settings, record, fields, made), streams=means(streams)),
        address=address,
        headers=_texts(top.down("headers"), values["headers"], scope),
        auth=read_auth(values.get("auth", {}), frozenset(values["secrets"]), scope),
        shape=Shape(
            id=record["id"],
            id_pattern=operations.pattern(top.down("record", "id_pattern"), record.get("id_pattern"), groups=0),
            under=record["under"],
            version=record.get("version"),
            gone=read_marks(top.down("record", "gone")),
            blank=blank,
            complete=record["complete"],
        ),
        fields=fields,
        rules=(*rules, *DEFAULT_RULES),
        limits=read_limits(top.child_or_empty("limits"), values["limits"]),
        hooks=read_hooks(values.get("hooks"), scope, frozenset(values["secrets"])),
        streams=streams,
        discover=read_discover(values.get("discover"), scope, any_path=record["any_path"]),
        **made,
    )


def _check_passing(top: Spot, made: Mapping[str, Any]) -> None:
    """What is not read again must not be overwritten unseen."""
    changes, update = made["changes"], made["update"]
    if changes is None or not changes.since.passes_own:
        return
    own = top.down("changes", "since", "own")
    if not changes.since.ordered:
        own.problem("a cursor can only pass what is `ordered`")
    if update is not None and "version" not in update.names:
        own.problem("needs conditional updates: use {version} in `update`")


def _check_names(top: Spot, values: Mapping[str, Any]) -> None:
    for part in ("settings", "secrets"):
        for each in values[part]:
            if part == "settings" and (each in values["fields"] or each in operations.RESERVED):
                top.down(part).key_problem(each, "is the name of something else in a manifest; take another")
            if part == "secrets" and each in values["settings"]:
                top.down(part).key_problem(each, "is also the name of a setting")
    for part, names in (
        ("unique", values["claims"].get("unique", [])),
        ("fields", values.get("find", {}).get("fields", [])),
    ):
        at = top.down("claims" if part == "unique" else "find", part)
        for item, each in zip(at.items(), names, strict=True):
            if each not in values["fields"]:
                item.problem(f"no such field{did_you_mean(each, values['fields'])}")
    for each in values["fields"]:
        if each not in STANDARD:
            near = did_you_mean(each, STANDARD)
            if near:
                top.down("fields").key_problem(each, f"no standard field{near}")


def _field(name: str, said: Mapping[str, Any], blank: Any, scope: operations.Scope) -> Field:
    values = FIELD.filled(said)
    kind = joined(values["separator"]) if values["type"] == "joined" else KINDS[values["type"]]
    consent = None
    if "consent" in values:
        consent = _consent(name, values["consent"], scope)
    elif STANDARD.get(name) == "consent":
        spot = scope.top.down("fields", name)
        if values["direction"] != "in":
            spot.problem("is consent: say how it is written under `consent:`, or `direction: in`")
    _check_item(scope.top.down("fields", name), values)
    return Field(
        map=FieldMap(
            path=values["path"].text,
            direction=values["direction"],
            values=values.get("values"),
            required=values["required"],
            max_length=values.get("max_length"),
        ),
        path=values["path"],
        kind=kind,
        blank=BLANKS[values["blank"]] if "blank" in values else blank,
        item=values["item"],
        top=values["top"],
        also=values["also"],
        consent=consent,
    )


def _check_item(spot: Spot, values: Mapping[str, Any]) -> None:
    """An item that is made must be the one that the path finds; only an item can be removed."""
    chosen = [step for step in values["path"].steps if isinstance(step, Item)]
    for step in chosen:
        if step.key in values["item"] and spelled(values["item"][step.key]) != step.word:
            spot.down("item", step.key).problem(f"the path looks for {step.word}: a new item would not be found again")
    if values.get("blank") == "removed" and (not chosen or values["top"]):
        spot.down("blank").problem("no item of a list lies there that could be removed")


def _consent(name: str, said: Mapping[str, Any], scope: operations.Scope) -> Consent:
    spot = scope.top.down("fields", name, "consent")
    names = operations.WRITES | scope.fields
    opt_in = operations.call("consent", said["opt_in"], spot.down("opt_in"), scope, names) if "opt_in" in said else None
    return Consent(
        opt_out=operations.call("consent", said["opt_out"], spot.down("opt_out"), scope, names),
        opt_in=opt_in,
        with_create=said["with_create"],
    )


def _check_consent(top: Spot, values: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    """Refuse a body that opts people in by itself: only the operation that is named so may."""
    words = {
        str((each.map.values or {}).get(OPTED_IN, OPTED_IN)).lower()
        for each in fields.values()
        if each.consent is not None
    }
    for kind in ("create", "update"):
        said = values.get(kind, {})
        for part, spot in ((said, top.down(kind)), (said.get("batch", {}), top.down(kind, "batch"))):
            for key in ("body", "item"):
                if words & {text.lower() for text in constants_in(part.get(key))}:
                    spot.down(key).problem("holds the word for opted in; consent is written by `consent: opt_in` only")
            if words & {text.lower() for each in part.get("query", {}).values() for text in constants_in(each)}:
                spot.down("query").problem("holds the word for opted in; consent is written by `consent: opt_in` only")


def _check_outside(top: Spot, fields: Mapping[str, Field], made: Mapping[str, Any]) -> None:
    """What lies outside of {record} is written where a request names it; ask that all of them do."""
    for name, field in fields.items():
        spot = top.down("fields", name)
        if not field.top or field.map.direction == "in":
            continue
        if field.consent is None and field.blank is None and not field.map.required:
            spot.problem(
                "is cleared by null, which no {name} can say: `blank: empty`, `required: true` or `direction: in`"
            )
        carries = field.consent is None or field.consent.with_create == "body"
        for kind in ("create", "update"):
            if carries and made[kind] is not None and not (kind == "update" and field.consent is not None):
                _check_named(top.down(kind), name, made[kind])


def _check_named(spot: Spot, name: str, how: Writing) -> None:
    for part, call in (("call", how.call), ("batch", how.batch.call if how.batch is not None else None)):
        if call is not None and name not in call.names:
            spot.down(part).problem(f"never writes {name}, which lies outside of {{record}}: use {{{name}}} in it")


def _texts(spot: Spot, said: Mapping[str, Template], scope: operations.Scope) -> Texts:
    for name, text in said.items():
        scope.check(spot.down(name), text.names, operations.NOTHING)
    return tuple(said.items())


def _rule(spot: Spot, scope: operations.Scope) -> Rule:
    values = ERROR.filled(ERROR.read(Spot(spot.node, spot.path, spot.place, [])))
    if "field" in values and values["field"] not in scope.fields:
        spot.down("field").problem(f"no such field{did_you_mean(values['field'], scope.fields)}")
    coded = "at" in values or "header" in values
    if ("is" in values or "has" in values) and not coded:
        spot.problem("says what the code is, but not where: add `at` or `header`")
    if not coded and "status" not in values:
        spot.problem("fits every answer: add `status`, or `at` and `is`")
    return Rule(
        then=values["then"],
        status=tuple(values.get("status", ())),
        at=values.get("at"),
        header=values.get("header", "").lower().encode(),
        words=tuple(str(word) for word in values.get("is", ())),
        has=values.get("has", "").casefold(),
        message=values.get("message", ""),
        field=values.get("field"),
        field_at=values.get("field_at"),
        existing=values.get("existing"),
        existing_in=operations.pattern(spot.down("existing_in"), values.get("existing_in"), groups=1),
    )


def _spec(
    name: str,
    values: Mapping[str, Any],
    settings: Mapping[str, Any],
    record: Mapping[str, Any],
    fields: Mapping[str, Field],
    made: Mapping[str, Any],
) -> Spec:
    """State what the manifest claims; what can be told from it need not be claimed."""
    claims = values["claims"]
    changes, update = made["changes"], made["update"]
    batches = [writing.batch.size for each in ("create", "update") if (writing := made[each]) and writing.batch]
    tells = bool(record["gone"]) and claims.get("gone", True)
    reports = changes is not None and (made["deleted"] is not None or tells)
    versions: Literal["none", "opaque", "ordered"] = record["versions"] if "version" in record else "none"
    return Spec(
        name=name,
        summary=values["summary"],
        settings=tuple(Setting(name=each, **said) for each, said in settings.items()),
        secrets=tuple(Setting(name=each, **SECRET.filled(said)) for each, said in values["secrets"].items()),
        fields={each: field.map for each, field in fields.items()},
        any_path=record["any_path"],
        discovers="discover" in values,
        flat=record["flat"],
        create=made["create"] is not None,
        update=update is not None,
        archive=made["archive"] is not None,
        incremental=changes is not None,
        proven_listing=values["list"].get("proven", False),
        versions=versions,
        lost_update="cas" if update is not None and "version" in update.names else "blind",
        rung=claims.get("rung", "F"),
        reports_gone=reports,
        lag_seconds=claims.get("lag", 0.0),
        unique=tuple(claims.get("unique", ())),
        write_batch=_write_batch(batches, LIMITS.filled(values["limits"])["concurrency"]),
        hooking=hooking(values.get("hooks")),
        names_account=made["account"] is not None or claims.get("own_address", False),
        parts=tuple(sorted(made["list"].call.names & settings.keys())),
        network=True,
        quirks=tuple(values["quirks"]),
    )


def _write_batch(sizes: Sequence[int], concurrency: int) -> int:
    """Say how many writes are asked for at once: as many batches as may be under way, within reason."""
    size = max(sizes, default=100)
    return max(size, min(size * concurrency, WRITES_MAX)) if sizes else size


__all__ = ["compile_text", "load_manifest", "shown"]
