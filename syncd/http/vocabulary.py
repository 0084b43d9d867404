"""The words of a manifest: every key, its shape and what it is for. One table, for the checker and the JSON Schema.

Closed on purpose: no conditions, no expressions, no code. What cannot be said in these words is said in Python beside the
manifest. What the words mean together is checked in `compiling`.
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
    Scalar,
    Spot,
    Text,
    Word,
)
from syncd.config.vocabulary import DURATION, FIELD_NAME, NAME, PLAIN, SETTING_TYPES
from syncd.http.coding import KINDS
from syncd.http.paths import compile_path
from syncd.http.stamps import FORMATS
from syncd.http.texts import compile_text

REACTIONS: Final = ("access", "busy", "later", "invalid", "exists", "moved", "gone", "readonly", "unknown")


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
TEMPLATE: Final = Text(what="a text, with {name} for what is known when the request is made", parse=compile_text)
QUERY_TEXT: Final = replace(TEMPLATE, numbers=True)
CALL_LINE: Final = Text(
    what="a method and a path, such as GET /contacts/{id}", pattern=r"(?:GET|POST|PUT|PATCH|DELETE) /\S*"
)
HEADER: Final = r"[A-Za-z0-9-]{1,60}"
BODY: Final = BodyShape()
TEXTS: Final = MapOf(item=QUERY_TEXT, name=r"[^\s\x00]{1,100}", what="a name without spaces")
HEADERS: Final = MapOf(item=QUERY_TEXT, name=HEADER, what="the name of a header")
PATTERN: Final = Text(what="a regular expression with one group", pattern=r"[^\x00]{1,200}")
STATUS: Final = Number(least=100, most=599)

# ---- requests -----------------------------------------------------------------------------------------------------

CALL: Final[dict[str, Key]] = {
    "call": Key(shape=CALL_LINE, help="method and path, below the address", required=True),
    "query": Key(shape=TEXTS, help="parameters; one with a {name} that has no value is left out", default={}),
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
        "more": Key(shape=PATH, help="where the answer says whether more follows"),
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

GONE: Final = Keys(
    keys={
        "path": Key(shape=PATH, help="the member that tells", required=True),
        "is": Key(shape=ListOf(item=Scalar(), least=1, hint="[true]"), help="what it says then", required=True),
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
        "fields": Key(
            shape=ListOf(item=FIELD_NAME, least=1, hint="[email]"),
            help="what can be looked up so: {value}, {field}; other fields are looked for in the listing",
            required=True,
        ),
    }
)

# ---- writing ------------------------------------------------------------------------------------------------------

RESULTS: Final = Keys(
    keys={
        "items": Key(shape=PATH, help="where the answer has one result for each write"),
        "by": Key(
            shape=PATH,
            help="the member of a result that names its write: its {id} or its {n}; without it they come in order",
        ),
        "status": Key(shape=PATH, help="the status of one result, as if it were an answer of its own"),
        "answer": Key(shape=PATH, help="where a result has the record"),
        "errors": Key(shape=PATH, help="a list beside it, of what was refused"),
        "errors_by": Key(shape=PATH, help="the member of an error that names its write; may be a list"),
    }
)
BATCH: Final = Keys(
    keys={
        **CALL,
        "size": Key(shape=Number(least=1, most=10_000), help="at most so many", default=100),
        "item": Key(shape=BODY, help="{items}: what stands for one write", required=True),
        "results": Key(shape=RESULTS, help="how the answer tells of each", required=True),
    }
)
_WRITE: Final[dict[str, Key]] = {
    **CALL,
    "answer": Key(shape=PATH, help="where the answer has the record; without it the record is read back"),
    "id": Key(shape=PATH, help="where the answer has the id, if it has no record"),
    "keep": Key(
        shape=ListOf(item=Text(what="the name of a member", pattern=r"[^.\[\]\x00]+"), hint="[lists]"),
        help="members of the present record that must be sent again, or they are erased",
        default=[],
    ),
    "repeatable": Key(
        shape=Flag(), help="done twice is the same as done once: a lost answer is asked for again", default=False
    ),
    "batch": Key(shape=BATCH, help="many at once"),
}
CREATE: Final = Keys(keys=_WRITE)
UPDATE: Final = Keys(keys=_WRITE)
ARCHIVE: Final = Keys(keys={name: _WRITE[name] for name in (*CALL, "repeatable", "batch")})

CONSENT: Final = Keys(
    keys={
        "opt_out": Key(shape=Keys(keys=CALL), help="the request that opts a person out", required=True),
        "opt_in": Key(shape=Keys(keys=CALL), help="the request that opts in, by evidence only; without it: never"),
        "with_create": Key(
            shape=Word(("body", "before", "after")),
            help="how a new record carries an opt-out: in its body, or by opt_out before or after it",
            required=True,
        ),
    }
)

# ---- what an answer means -----------------------------------------------------------------------------------------

ERROR: Final = Keys(
    keys={
        "status": Key(shape=ListOf(item=STATUS, least=1, hint="[409]"), help="one of these statuses"),
        "at": Key(shape=PATH, help="where the answer has a code"),
        "is": Key(shape=ListOf(item=Scalar(), least=1, hint="[Duplicate]"), help="the code is one of these"),
        "has": Key(shape=PLAIN, help="the code holds this text (any case)"),
        "header": Key(shape=Text(what="a header", pattern=HEADER), help="the code is in this header, not in the body"),
        "then": Key(
            shape=Word(REACTIONS),
            help="what it means; all but unknown and later say that nothing was done",
            required=True,
        ),
        "message": Key(shape=PLAIN, help="what the operator is told"),
        "field": Key(shape=FIELD_NAME, help="the field that is refused"),
        "field_at": Key(shape=PATH, help="where the answer names the member that is refused"),
        "existing": Key(shape=PATH, help="where the answer has the id that is in the way"),
        "existing_in": Key(shape=PATTERN, help="how the id is found in that text"),
    }
)

# ---- limits -------------------------------------------------------------------------------------------------------

LIMIT: Final = Keys(
    keys={
        "requests": Key(shape=Number(least=1), help="so many", required=True),
        "per": Key(shape=DURATION, help="in this time", required=True),
        "calls": Key(
            shape=ListOf(item=PLAIN, least=1, hint="[changes, find]"), help="only these operations count; else all"
        ),
        "reserve": Key(shape=Number(most=90), help="percent that is left to others", default=0),
    }
)
QUOTA: Final = Keys(
    keys={
        "remaining": Key(
            shape=Text(what="a header", pattern=HEADER), help="the header that counts down", required=True
        ),
        "reset": Key(shape=Text(what="a header", pattern=HEADER), help="the header that says when it is full again"),
        "reset_in": Key(shape=Word(("seconds", "ms", "unix", "date")), help="how it says that", default="seconds"),
        "window": Key(shape=DURATION, help="how long a window is, where no header says", default="1s"),
    }
)
LIMITS: Final = Keys(
    keys={
        "buckets": Key(shape=ListOf(item=LIMIT), help="limits that the vendor states", default=[]),
        "quota": Key(shape=ListOf(item=QUOTA), help="limits that answers tell", default=[]),
        "retry_after": Key(
            shape=ListOf(item=Text(what="a header", pattern=HEADER), hint="[Retry-After]"),
            help="headers that say how long to wait after a refusal: seconds or a date",
            default=["Retry-After"],
        ),
    }
)

# ---- who we are ---------------------------------------------------------------------------------------------------

_NAMED: Final = Keys(
    keys={
        "name": Key(shape=PLAIN, help="of the header or parameter", required=True),
        "value": Key(shape=TEMPLATE, help="with a {secret} in it", required=True),
    }
)
OAUTH: Final = Keys(
    keys={
        "grant": Key(shape=Word(("refresh_token", "client_credentials")), help="how a token is got", required=True),
        "url": Key(shape=TEMPLATE, help="the token endpoint", required=True),
        "client_id": Key(shape=TEMPLATE, help="who asks", required=True),
        "client_secret": Key(shape=TEMPLATE, help="and proves it", required=True),
        "refresh_token": Key(shape=TEMPLATE, help="the first one; a newer one is kept beside the store"),
        "scope": Key(shape=TEMPLATE, help="what is asked for"),
        "client_in": Key(shape=Word(("basic", "body")), help="where the client's name and secret go", default="basic"),
        "scheme": Key(shape=PLAIN, help="the word before the token", default="Bearer"),
    }
)
AUTH: Final = Keys(
    exactly_one=True,
    keys={
        "header": Key(shape=_NAMED, help="a key in a header"),
        "query": Key(shape=_NAMED, help="a key in the query"),
        "bearer": Key(shape=TEMPLATE, help="Authorization: Bearer"),
        "basic": Key(
            shape=Keys(
                keys={
                    "username": Key(shape=TEMPLATE, help="the name", required=True),
                    "password": Key(shape=TEMPLATE, help="the password", required=True),
                }
            ),
            help="Authorization: Basic",
        ),
        "oauth2": Key(shape=OAUTH, help="OAuth 2 tokens, refreshed by syncd"),
    },
)

SETTING: Final = Keys(
    keys={
        "help": Key(shape=PLAIN, help="what it is", required=True),
        "type": Key(shape=Word(tuple(SETTING_TYPES)), help="what it looks like", default="text"),
        "required": Key(shape=Flag(), help="nothing works without it", default=False),
        "default": Key(shape=Scalar(), help="where the operator says nothing"),
    }
)
SECRET: Final = Keys(keys={name: SETTING.keys[name] for name in ("help", "required")})

# ---- fields -------------------------------------------------------------------------------------------------------

FIELD: Final = Keys(
    keys={
        "path": Key(shape=PATH, help="where it lies, below record.under", required=True),
        "type": Key(shape=Word(tuple(KINDS)), help="what it is on the wire", default="text"),
        "direction": Key(shape=Word(("in", "out", "both")), help="which way it travels", default="both"),
        "required": Key(shape=Flag(), help="the app refuses a record without it", default=False),
        "max_length": Key(shape=Number(least=1, most=1_000_000), help="characters the app holds"),
        "values": Key(shape=MapOf(item=Scalar()), help="our value -> the app's word"),
        "blank": Key(shape=Word(("null", "empty")), help="what clears it: null or an empty text; else record.blank"),
        "separator": Key(shape=PLAIN, help="what stands between the parts of type joined", default=";"),
        "item": Key(shape=MapOf(item=Scalar()), help="what a new item of a list holds besides", default={}),
        "consent": Key(shape=CONSENT, help="this is consent: how it is written; never by create or update"),
    }
)
RECORD: Final = Keys(
    keys={
        "id": Key(shape=PATH, help="where a record has its id", required=True),
        "id_pattern": Key(
            shape=Text(what="a pattern", pattern=r"[^\x00]{1,100}"), help="what an id looks like; others are nobody's"
        ),
        "under": Key(shape=PATH, help="where its fields begin", default="."),
        "version": Key(shape=PATH, help="the member that differs whenever the record does"),
        "versions": Key(
            shape=Word(("opaque", "ordered")), help="ordered: a later one is greater, as text", default="opaque"
        ),
        "gone": Key(shape=GONE, help="a record that says of itself that it is deleted or archived"),
        "blank": Key(shape=Word(("null", "empty")), help="what clears a field", default="null"),
        "any_path": Key(
            shape=Flag(), help="the operator may map paths that are not listed here (custom fields)", default=False
        ),
        "flat": Key(shape=Flag(), help="the app holds texts only", default=False),
    }
)
CLAIMS: Final = Keys(
    keys={
        "rung": Key(
            shape=Word(("C", "D", "E", "F")), help="how a create whose answer was lost is found again", default="F"
        ),
        "unique": Key(shape=ListOf(item=FIELD_NAME), help="fields of which each value is there once", default=[]),
        "lag": Key(shape=DURATION, help="how long a change may stay invisible to changes and find", default="0s"),
    }
)

MANIFEST: Final = Keys(
    keys={
        "manifest": Key(shape=Number(least=1, most=1), help="version of this vocabulary", required=True),
        "summary": Key(shape=PLAIN, help="what app this is, in a line", required=True),
        "settings": Key(shape=MapOf(item=SETTING, name=NAME, what="a name"), help="what the operator says", default={}),
        "secrets": Key(shape=MapOf(item=SECRET, name=NAME, what="a name"), help="what is secret of that", default={}),
        "address": Key(shape=TEMPLATE, help="the API's address, with {settings}", required=True),
        "headers": Key(shape=HEADERS, help="headers of every request", default={}),
        "auth": Key(shape=AUTH, help="how we show who we are"),
        "check": Key(
            shape=Keys(keys=CALL), help="a cheap request that proves credentials and permission", required=True
        ),
        "account": Key(
            shape=Keys(keys={**CALL, "id": Key(shape=PATH, help="where the answer names the account", required=True)}),
            help="which account this is; without it the address tells",
        ),
        "record": Key(shape=RECORD, help="what a record looks like", required=True),
        "fields": Key(
            shape=MapOf(item=FIELD, name=NAME, what="the name of a field", least=1), help="its fields", required=True
        ),
        "list": Key(shape=LIST, help="read everything", required=True),
        "changes": Key(shape=CHANGES, help="read what changed since; without it everything is read each time"),
        "deleted": Key(shape=DELETED, help="read what is gone, where that has a channel of its own"),
        "get": Key(shape=GET, help="read records by id", required=True),
        "find": Key(shape=FIND, help="look records up by a field"),
        "create": Key(shape=CREATE, help="make a record"),
        "update": Key(shape=UPDATE, help="change fields of a record; `{version}` in it makes it conditional"),
        "archive": Key(shape=ARCHIVE, help="put a record away"),
        "errors": Key(
            shape=ListOf(item=ERROR),
            help="what answers mean, the first that fits; else 401, 403: access, 404, 410: gone, 412: moved, 429: busy",
            default=[],
        ),
        "limits": Key(shape=LIMITS, help="how much may be asked", default={}),
        "claims": Key(shape=CLAIMS, help="what the app guarantees; the kit proves it", default={}),
    }
)
