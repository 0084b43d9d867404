"""The words of a manifest: every key, its shape and what it is for. One table, for the checker and the JSON Schema.

Closed on purpose: no conditions, no expressions, no code. What cannot be said in these words is said in Python beside the
manifest. What the words mean together is checked in `compiling`.
"""

from __future__ import annotations

from typing import Final

from syncd.config.shapes import (
    Flag,
    Key,
    Keys,
    ListOf,
    MapOf,
    Number,
    Scalar,
    Text,
    Word,
)
from syncd.config.vocabulary import DURATION, FIELD_NAME, NAME, PLAIN, SETTING_TYPES
from syncd.http.coding import KINDS
from syncd.http.discoverwords import DISCOVER
from syncd.http.hookwords import HOOKS
from syncd.http.logins import AUTH
from syncd.http.marks import MARK
from syncd.http.requests import (
    ARCHIVE,
    CALL,
    CHANGES,
    CREATE,
    DELETED,
    FIELD_PATH,
    FIND,
    GET,
    GUARD,
    HEADER,
    HEADERS,
    LIST,
    PATH,
    PATTERN,
    STATUS,
    TEMPLATE,
    UPDATE,
)
from syncd.http.streamwords import STREAMS

REACTIONS: Final = ("access", "busy", "later", "invalid", "exists", "moved", "gone", "readonly", "unknown")


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

CONCURRENCY_MAX: Final = 32
_HEADER: Final = Text(what="a header", pattern=HEADER)
_RESERVE: Final = Key(shape=Number(most=90), help="percent that is left to others", default=0)
LIMIT: Final = Keys(
    keys={
        "requests": Key(shape=Number(least=1), help="so many"),
        "tokens": Key(shape=Number(least=1), help="so many tokens, as `cost` says what an operation costs"),
        "per": Key(shape=DURATION, help="in this time", required=True),
        "calls": Key(
            shape=ListOf(item=PLAIN, least=1, hint="[changes, find]"), help="only these operations count; else all"
        ),
        "reserve": _RESERVE,
    }
)
QUOTA: Final = Keys(
    keys={
        "remaining": Key(shape=_HEADER, help="the header that counts down"),
        "used_of": Key(shape=_HEADER, help="the header that says what is used and the limit, such as 18/5000"),
        "limit": Key(shape=_HEADER, help="the header that says the limit"),
        "most": Key(shape=Number(least=1), help="the limit, where no header says it"),
        "reserve": _RESERVE,
        "tokens": Key(shape=Flag(), help="it counts tokens, not requests", default=False),
        "reset": Key(shape=_HEADER, help="the header that says when it is full again"),
        "reset_in": Key(shape=Word(("seconds", "ms", "unix", "date")), help="how it says that", default="seconds"),
        "window": Key(shape=DURATION, help="how long a window is, where no header says", default="1s"),
        "rolling": Key(
            shape=Flag(),
            help="the window slides: room comes back request by request, and `reset` says how long the window is",
            default=False,
        ),
    }
)
LIMITS: Final = Keys(
    keys={
        "buckets": Key(shape=ListOf(item=LIMIT), help="limits that the vendor states", default=[]),
        "quota": Key(shape=ListOf(item=QUOTA), help="limits that answers tell", default=[]),
        "cost": Key(
            shape=MapOf(item=Number(least=1, most=1_000_000), name=NAME, what="an operation"),
            help="the tokens that an operation costs; 1 where it is not named",
            default={},
        ),
        "concurrency": Key(
            shape=Number(least=1, most=CONCURRENCY_MAX), help="so many requests may be under way at once", default=1
        ),
        "retry_after": Key(
            shape=ListOf(item=_HEADER, hint="[Retry-After]"),
            help="headers that say how long to wait after a refusal: seconds or a date",
            default=["Retry-After"],
        ),
    }
)

# ---- what the operator says ----------------------------------------------------------------------------------------

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
FIELD: Final = Keys(
    keys={
        "path": Key(shape=FIELD_PATH, help="where it lies, below record.under", required=True),
        "type": Key(shape=Word(tuple(KINDS)), help="what it is on the wire", default="text"),
        "direction": Key(shape=Word(("in", "out", "both")), help="which way it travels", default="both"),
        "required": Key(shape=Flag(), help="the app refuses a record without it", default=False),
        "max_length": Key(shape=Number(least=1, most=1_000_000), help="characters the app holds"),
        "values": Key(shape=MapOf(item=Scalar()), help="our value -> the app's word"),
        "blank": Key(
            shape=Word(("null", "empty", "removed")),
            help="what clears it: null, an empty text, or that its item of a list is removed; else record.blank",
        ),
        "separator": Key(shape=PLAIN, help="what stands between the parts of type joined", default=";"),
        "also": Key(
            shape=MapOf(item=Scalar()),
            help="other words of the app -> the word that says the same; only read",
            default={},
        ),
        "top": Key(
            shape=Flag(),
            help="the path counts from the record itself, not from record.under; written where requests name it",
            default=False,
        ),
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
        "gone": Key(
            shape=ListOf(item=MARK, hint="[{path: deleted, is: [true]}]"),
            help="records that say of themselves that they are deleted, or none of ours",
            default=[],
        ),
        "blank": Key(shape=Word(("null", "empty")), help="what clears a field", default="null"),
        "any_path": Key(
            shape=Flag(), help="the operator may map paths that are not listed here (custom fields)", default=False
        ),
        "flat": Key(shape=Flag(), help="the app holds texts only", default=False),
        "complete": Key(
            shape=Flag(),
            help="every record names every field, blank ones too: what is missing is not shown (a permission?), and not blank",
            default=False,
        ),
    }
)
CLAIMS: Final = Keys(
    keys={
        "rung": Key(
            shape=Word(("C", "D", "E", "F")), help="how a create whose answer was lost is found again", default="F"
        ),
        "gone": Key(
            shape=Flag(),
            help="false: `changes` leave out who is deleted, though records tell (`record.gone`)",
            default=True,
        ),
        "unique": Key(shape=ListOf(item=FIELD_NAME), help="fields of which each value is there once", default=[]),
        "own_address": Key(
            shape=Flag(), help="each account has an address of its own: two apps at one are one account", default=False
        ),
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
        "auth": Key(shape=AUTH, help="how we show who we are; of several the first whose secrets the operator gave"),
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
        "guard": Key(
            shape=GUARD,
            help="asked before each conditional write, where only the answer about one record tells {version}",
        ),
        "find": Key(shape=FIND, help="look records up by a field"),
        "streams": Key(
            shape=STREAMS, help="what a record has many of (tickets, invoices), only read: name -> how", default={}
        ),
        "discover": Key(shape=DISCOVER, help="ask what fields the account has (custom fields)"),
        "create": Key(shape=CREATE, help="make a record"),
        "update": Key(shape=UPDATE, help="change fields of a record; `{version}` in it makes it conditional"),
        "archive": Key(shape=ARCHIVE, help="put a record away"),
        "hooks": Key(shape=HOOKS, help="how it tells of changes by webhooks"),
        "errors": Key(
            shape=ListOf(item=ERROR),
            help="what answers mean, the first that fits; else 401, 403: access, 404, 410: gone, 412: moved, 429: busy",
            default=[],
        ),
        "limits": Key(shape=LIMITS, help="how much may be asked", default={}),
        "quirks": Key(
            shape=ListOf(item=PLAIN, hint='["The index lags."]'),
            help="what an operator should know besides, a sentence each: it stands on the card",
            default=[],
        ),
        "claims": Key(shape=CLAIMS, help="what the app guarantees; the kit proves it", default={}),
    }
)
