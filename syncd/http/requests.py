"""The words of a manifest for requests: calls, pages, cursors, looking up, writing.

The other half of `vocabulary`, with the same rule: closed, no conditions, no expressions, no code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from syncd.config.shapes import (
    INVALID,
    Flag,
    JsonSchema,
    Key,
    Keys,
    ListOf,
    MapOf,
    Number,
    OneOrMore,
    Spot,
    Text,
    Word,
)
from syncd.config.vocabulary import DURATION, FIELD_NAME
from syncd.http.paths import compile_field_path, compile_path
from syncd.http.stamps import FORMATS
from syncd.http.texts import compile_text


@dataclass(frozen=True, slots=True)
class BodyShape:
    """JSON as it is sent, with {names} in its texts."""

    def read(self, spot: Spot) -> Any:
        value = spot.node.value
        if isinstance(value, dict):
            made = {key: self.read(child) for key, child in spot.children()}
            return INVALID if any(each is INVALID for each in made.values()) else made
        if isinstance(value, list):
            items = [self.read(item) for item in spot.items()]
            return INVALID if any(each is INVALID for each in items) else items
        return TEMPLATE.read(spot) if isinstance(value, str) else value

    def schema(self) -> JsonSchema:
        return {}


# ---- single texts -------------------------------------------------------------------------------------------------

PATH: Final = Text(what="a path such as a.b or phones[type=work].number", parse=compile_path)
FIELD_PATH: Final = replace(PATH, parse=compile_field_path)
TEMPLATE: Final = Text(what="a text, with {name} for what is known when the request is made", parse=compile_text)
QUERY_TEXT: Final = replace(TEMPLATE, numbers=True)
CALL_LINE: Final = Text(
    what="a method and a path, such as GET /contacts/{id}", pattern=r"(?:GET|POST|PUT|PATCH|DELETE) /\S*"
)
HEADER: Final = r"[A-Za-z0-9-]{1,60}"
BODY: Final = BodyShape()
TEXTS: Final = MapOf(item=OneOrMore(QUERY_TEXT), name=r"[^\s\x00]{1,100}", what="a name without spaces")
HEADERS: Final = MapOf(item=QUERY_TEXT, name=HEADER, what="the name of a header")
PATTERN: Final = Text(what="a regular expression with one group", pattern=r"[^\x00]{1,200}")
STATUS: Final = Number(least=100, most=599)

# ---- requests -----------------------------------------------------------------------------------------------------

CALL: Final[dict[str, Key]] = {
    "call": Key(shape=CALL_LINE, help="method and path, below the address", required=True),
    "query": Key(
        shape=TEXTS,
        help="parameters; one with a {name} that has no value is left out, one with a list is repeated",
        default={},
    ),
    "headers": Key(shape=HEADERS, help="headers of this request", default={}),
    "body": Key(shape=BODY, help="what is sent; `...: {record}` puts the members of an object here"),
    "as": Key(
        shape=Word(("json", "form", "merge-patch")),
        help="how the body is written: JSON, form, RFC 7396",
        default="json",
    ),
    "empty": Key(
        shape=ListOf(item=STATUS, hint="[204, 304]"), help="statuses that mean: nothing there", default=[204, 304]
    ),
}

PAGE: Final = Keys(
    keys={
        "size": Key(shape=Number(least=1, most=100_000), help="{size}: how many at once", default=100),
        "cursor": Key(shape=PATH, help="{cursor}: where the answer has the mark of the next page"),
        "header": Key(shape=Text(what="a header", pattern=HEADER), help="{cursor}: the header that has it"),
        "next_url": Key(shape=PATH, help="where the answer has the address of the next page (same origin only)"),
        "link": Key(shape=Flag(), help="the next page is in the Link header, rel=next", default=False),
        "offset": Key(shape=Number(most=1), help="{offset}: counted from here, 0 or 1"),
        "number": Key(shape=Number(most=1), help="{page}: the number of the page, counted from here"),
        "last": Key(shape=PATH, help="{last}: this member of the last item (pages by key, sorted by it)"),
        "first": Key(shape=QUERY_TEXT, help="what {cursor} or {last} is on the first page; else it is left out"),
        "more": Key(shape=PATH, help="where the answer says whether more follows"),
        "done": Key(shape=PATH, help="where the answer says that it is the last"),
        "total": Key(shape=PATH, help="where the answer counts all items"),
        "short": Key(shape=Flag(), help="a page that is not full is the last one", default=False),
        "pages_max": Key(
            shape=Number(least=1, most=10_000_000), help="more pages than this are endless", default=100_000
        ),
    }
)
PAGERS: Final = ("cursor", "header", "next_url", "link", "offset", "number", "last")

LISTING: Final[dict[str, Key]] = {
    **CALL,
    "items": Key(
        shape=PATH, help="where the answer has the list (. where it is the list; an object: its values)", required=True
    ),
    "absent": Key(
        shape=Flag(), help="the list is left out where it is empty (what is around it is there)", default=False
    ),
    "page": Key(shape=PAGE, help="how it comes in pages; without it one answer is all", default={}),
}

SINCE: Final = Keys(
    keys={
        "stamp": Key(shape=PATH, help="where an item has the time of its last change"),
        "format": Key(shape=Word(tuple(FORMATS)), help="how {since} and {until} are spelled", default="rfc3339"),
        "ordered": Key(
            shape=Flag(),
            help="items come oldest change first, each with a stamp of its own; what changes meanwhile comes last",
            default=False,
        ),
        "own": Key(
            shape=Word(("read", "passed")),
            help="passed: a page of our own writes, or more, is not read again; who else wrote just then is heard by the next sweep",
            default="read",
        ),
        "overlap": Key(
            shape=DURATION, help="how far the next read goes back: precision and lag of the filter", default="0s"
        ),
        "token": Key(shape=PATH, help="{token}: where the last answer has what the next read begins with"),
        "next": Key(shape=PATH, help="where the answer says itself up to when it is complete"),
        "forget": Key(shape=DURATION, help="a cursor older than this is no longer good; everything is read again"),
        "cap": Key(
            shape=Number(least=1, most=10_000_000),
            help="an answer of so many items may be cut: the window is halved if {until} is used, else all is read again",
        ),
    }
)

LIST: Final = Keys(
    keys={
        **LISTING,
        "proven": Key(
            shape=Flag(),
            help="a listing that ends is complete for certain (a snapshot, or pages by key)",
            default=False,
        ),
        "deleted": Key(
            shape=Flag(),
            help="it shows what was deleted as well (`record.gone`), so that nothing is asked for twice where changes are ordered",
            default=False,
        ),
    }
)
CHANGES: Final = Keys(
    keys={
        **LISTING,
        "since": Key(shape=SINCE, help="what a cursor is made of", required=True),
        "ids": Key(shape=PATH, help="items are no records: here is the id, the record is fetched"),
    }
)
DELETED: Final = Keys(
    keys={
        **LISTING,
        "id": Key(shape=PATH, help="where an item has the id of what is gone", required=True),
        "since": Key(shape=SINCE, help="what its own cursor is made of; without it everything is listed each time"),
        "every": Key(shape=DURATION, help="how often it is asked", default="0s"),
    }
)

# ---- looking up ---------------------------------------------------------------------------------------------------

GET: Final = Keys(
    keys={
        **{name: replace(key, required=False) for name, key in CALL.items()},
        "answer": Key(shape=PATH, help="where the answer has the record", default="."),
        "batch": Key(
            shape=Keys(
                keys={
                    **CALL,
                    "size": Key(shape=Number(least=1, most=10_000), help="{ids}: at most so many", default=100),
                    "item": Key(shape=BODY, help="{items}: what stands for one record", default="{id}"),
                    "items": Key(shape=PATH, help="where the answer has the list", required=True),
                    "answer": Key(shape=PATH, help="where an item has the record", default="."),
                }
            ),
            help="many at once; what is not in the answer is gone",
        ),
    }
)
FIND: Final = Keys(
    keys={
        **LISTING,
        "items": Key(shape=PATH, help="where the answer has the list, or the one record", required=True),
        "answer": Key(shape=PATH, help="where an item has the record, or what of it has the id", default="."),
        "fields": Key(
            shape=ListOf(item=FIELD_NAME, least=1, hint="[email]"),
            help="what can be looked up so: {value}, {field}; other fields are looked for in the listing",
            required=True,
        ),
    }
)

GUARD: Final = Keys(
    keys={
        **CALL,
        "version": Key(shape=PATH, help="where the answer has {version}", required=True),
    }
)

# ---- writing ------------------------------------------------------------------------------------------------------

RESULTS: Final = Keys(
    keys={
        "items": Key(shape=PATH, help="where the answer has one result for each write"),
        "by": Key(
            shape=PATH,
            help="the member of a result that names its write: its {id} or its {key}; without it they come in order",
        ),
        "field": Key(
            shape=FIELD_NAME, help="what `by` and `errors_by` name is this field's value (any case), not {id} or {key}"
        ),
        "status": Key(shape=PATH, help="the status of one result, as if it were an answer of its own"),
        "answer": Key(shape=PATH, help="where a result has the record"),
        "errors": Key(shape=PATH, help="a list beside it, of what was refused"),
        "id": Key(shape=PATH, help="where a result has the id, if it has no whole record"),
        "errors_by": Key(
            shape=ListOf(item=PATH, least=1, hint="[context.ids]"),
            help="the members of an error that may name its write",
        ),
    }
)
JOB: Final = Keys(
    keys={
        **CALL,
        "id": Key(shape=PATH, help="{job}: where the answer to the batch names the job", required=True),
        "state": Key(shape=PATH, help="where an answer says how far it is", required=True),
        "ended": Key(
            shape=ListOf(item=Text(pattern=r"[^\x00]+"), least=1, hint="[completed, failed]"),
            help="that is one of these: it has ended, and `results` say how",
            required=True,
        ),
        "every": Key(shape=DURATION, help="how often it is asked for", default="1s"),
        "most": Key(
            shape=DURATION, help="how long it is waited for; then nothing is known of its writes", default="60s"
        ),
    }
)
BATCH: Final = Keys(
    keys={
        **CALL,
        "size": Key(shape=Number(least=1, most=10_000), help="at most so many", default=100),
        "item": Key(shape=BODY, help="{items}: what stands for one write", required=True),
        "job": Key(shape=JOB, help="it is worked off later: how it is asked for; `results` are in that answer"),
        "results": Key(shape=RESULTS, help="how the answer tells of each", required=True),
    }
)
FILL: Final = Keys(
    keys={
        "path": Key(shape=FIELD_PATH, help="the member that a new record needs", required=True),
        "with": Key(
            shape=ListOf(item=TEMPLATE, least=1, hint='["{first_name} {last_name}", "{email}"]'),
            help="the first of these texts of which all fields have values",
            required=True,
        ),
    }
)
_WRITE: Final[dict[str, Key]] = {
    **{name: replace(key, required=False) for name, key in CALL.items()},
    "answer": Key(shape=PATH, help="where the answer has the record; without it the record is read back"),
    "id": Key(shape=PATH, help="where the answer has the id, if it has no record"),
    "keep": Key(
        shape=ListOf(item=Text(what="the name of a member", pattern=r"[^.\[\]\x00]+"), hint="[lists]"),
        help="members of the present record that must be sent again, or they are erased",
        default=[],
    ),
    "look_first": Key(
        shape=Flag(), help="the app would also change what is archived: look first whether it is there", default=False
    ),
    "repeatable": Key(
        shape=Flag(), help="done twice is the same as done once: a lost answer is asked for again", default=False
    ),
    "batch": Key(shape=BATCH, help="many at once"),
}
CREATE: Final = Keys(
    keys={
        **_WRITE,
        "location": Key(shape=PATTERN, help="how the id is found in the Location header, if it is there alone"),
        "unless_found": Key(
            shape=FIELD_NAME,
            help="look this field up first (`find`): the app would change whom it finds, or make a second one",
        ),
        "fill": Key(shape=ListOf(item=FILL), help="what a new record needs and no field has given", default=[]),
    }
)
UPDATE: Final = Keys(keys=_WRITE)
ARCHIVE: Final = Keys(keys={name: _WRITE[name] for name in (*CALL, "look_first", "repeatable", "batch")})
