"""The words of `syncd.yaml`: every key, its shape, what it is for and its default. One table, for checker and schema.

Knows nothing of connectors or fields; those parts of the vocabulary come from their specs (see `apps.py`, `fields.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, get_args

from syncd.config import notations
from syncd.config.rollups import KEYS as ROLLUP
from syncd.config.secrets import NEVER_INLINE, reference
from syncd.config.shapes import (
    Anything,
    Flag,
    Key,
    Keys,
    Later,
    ListOf,
    MapOf,
    Number,
    OneOrMore,
    Scalar,
    Shape,
    Text,
    TextOrMap,
    Word,
)
from syncd.core.rules import BlankRule, PolicyKind

NAME: Final = r"[a-z][a-z0-9_]{0,62}"

# ---- single texts -------------------------------------------------------------------------------------------------

DURATION: Final = Text(
    what="a time with its unit, such as 60s, 5m, 2h or 1d", pattern=notations.DURATION, parse=notations.seconds
)
INTERVAL: Final = replace(DURATION, parse=notations.interval)
CRON: Final = Text(what='five cron fields, such as "0 3 * * *"', pattern=notations.CRON, parse=notations.cron)
PLAIN: Final = Text(what="a text that is not empty", pattern=r"[^\x00]+")
LIMIT: Final = Text(
    what='a limit such as "max(50, 5%)", 50 or "5%"', pattern=notations.LIMIT, parse=notations.limit, numbers=True
)
OPT_OUT_LIMIT: Final = replace(LIMIT, what=f"{LIMIT.what}, or none", pattern=f"none|{LIMIT.pattern}")
APP_NAME: Final = Text(what="the name of an app", pattern=NAME)
FIELD_NAME: Final = Text(what="the name of a field", pattern=NAME)
URL: Final = Text(what="an address", parse=notations.url)
STORE: Final = Text(what="the address of a database", parse=notations.store)
SECRET: Final = TextOrMap(
    text=Text(pattern=r"(?:env|file|cmd):[^\x00]*", parse=reference, complaint=NEVER_INLINE),
    map=Keys(keys={"cmd": Key(shape=ListOf(item=PLAIN, least=1), help="a program and its arguments", required=True)}),
)

# What `Setting.type` of a connector's spec stands for.
SETTING_TYPES: Final[dict[str, Shape]] = {
    "text": PLAIN,
    "path": PLAIN,
    "url": URL,
    "list": ListOf(item=PLAIN, hint="[first, second]"),
    "number": Number(whole=False),
    "boolean": Flag(),
}

# ---- maps ---------------------------------------------------------------------------------------------------------

# Options of field types, by the names that `core.fields.field_type` knows them by.
FIELD_OPTIONS: Final[dict[str, Key]] = {
    "choices": Key(shape=ListOf(item=PLAIN, least=1, hint="[lead, customer]"), help="the words of a choice field"),
    "region": Key(
        shape=Text(what="a country code such as DE", pattern="[A-Z]{2}"),
        help="country assumed for phone numbers that are written without one; at first contact one with its own wins",
    ),
    "order": Key(shape=Word(("dmy", "mdy")), help="how dates such as 03/04/2024 are read"),
    "separator": Key(shape=PLAIN, help="the characters that part a set where an app has only text"),
    "multiline": Key(shape=Flag(), help="a text of several lines"),
}

FIELD_MAP: Final = Keys(
    keys={
        "path": Key(shape=PLAIN, help="where the field lies in this app: a column, a property"),
        "label": Key(
            shape=PLAIN, help="what people there call it, instead of its path, where the app tells of its fields"
        ),
        "direction": Key(shape=Word(("in", "out", "both", "none")), help="which way it travels", default="both"),
        "values": Key(
            shape=MapOf(item=OneOrMore(Scalar())),
            help="our value -> this app's word for it; of several ([no, unsubscribed]) the first is written, all are read",
        ),
        "required": Key(shape=Flag(), help="the app refuses a record without it", default=False),
        "placeholder": Key(
            shape=PLAIN, help="written where the app requires a value and there is none; never read as data"
        ),
        "max_length": Key(shape=Number(least=1, most=1_000_000), help="characters this app holds"),
        "overflow": Key(shape=Word(("park", "truncate")), help="what happens to a longer value", default="park"),
        **{name: FIELD_OPTIONS[name] for name in ("region", "order", "separator")},
    }
)

POLICY: Final = TextOrMap(
    text=Word(
        tuple(kind for kind in get_args(PolicyKind) if kind not in ("owner", "rank")),
        elsewhere={
            "owner": "name the app that is right: {owner: crm}",
            "rank": "name the apps, the one that counts most first: {rank: [crm, books]}",
        },
        besides=("{owner: APP}", "{rank: [APP, APP]}"),
    ),
    map=Keys(
        keys={
            "owner": Key(shape=APP_NAME, help="this app is right"),
            "rank": Key(
                shape=ListOf(item=APP_NAME, least=2, hint="{rank: [crm, books]}"),
                help="the first of these that knows is right",
            ),
        },
        exactly_one=True,
    ),
)

_COMPUTED: Final = "computed fields are not supported in this version; remove the key"
FIELD: Final = Keys(
    keys={
        "type": Key(shape=PLAIN, help="kind of value; needed for a field of your own"),
        "policy": Key(shape=POLICY, help="which value counts when apps differ"),
        "blank": Key(shape=Word(get_args(BlankRule)), help="what an empty value means", default="ignore"),
        "group": Key(
            shape=ListOf(item=FIELD_NAME, hint="[street, city]"), help="fields that are merged as one, under this name"
        ),
        "settle": Key(shape=DURATION, help="how long a change must stand before it travels", default="0s"),
        **ROLLUP,
        **FIELD_OPTIONS,
    },
    elsewhere={
        "formula": _COMPUTED,
        **dict.fromkeys(
            ("path", "label", "direction", "values", "required", "max_length"),
            "belongs to a field of one app: apps: <app>: fields: <field>:",
        ),
    },
)

WRITES: Final = Keys(
    keys={
        "create": Key(shape=Flag(), help="syncd may create records here", default=True),
        "update": Key(shape=Flag(), help="syncd may change records here", default=True),
    }
)

_OPEN: Final = MapOf(item=Anything())

APP: Final = Keys(
    keys={
        "connector": Key(
            shape=PLAIN, help="the kind of app: a name of `syncd connectors`, or ./a/folder of your own", required=True
        ),
        "settings": Key(shape=Later(_OPEN), help="settings of the connector", default={}),
        "secrets": Key(shape=Later(_OPEN), help="secrets of the connector, by reference", default={}),
        "poll": Key(shape=INTERVAL, help="how often changes are asked for", default="60s"),
        "sweep": Key(shape=CRON, help="when everything is compared (cron, five fields)", default="0 3 * * *"),
        "writes": Key(shape=WRITES, help="what syncd may do here", default={"create": True, "update": True}),
        "scope": Key(shape=PLAIN, help="who may be created here (a CEL expression over contact); default: everyone"),
        "on_leave": Key(
            shape=Word(
                ("keep", "archive"),
                elsewhere={
                    "unsubscribe": "unsubscribe is not built yet, nobody would be unsubscribed; say keep or archive"
                },
            ),
            help="what happens to who leaves the scope (guarded)",
            default="keep",
        ),
        "on_delete": Key(
            shape=Word(("unlink", "archive")), help="what a deletion here does in the other apps", default="unlink"
        ),
        "trust": Key(
            shape=Word(("high", "low")),
            help="low: changes no identity field elsewhere, is not matched by itself",
            default="high",
        ),
        "hooks": Key(shape=Flag(), help="it tells the daemon of changes by webhooks", default=False),
        "network": Key(
            shape=Word(("public", "private")),
            help="private: plain text and private addresses are allowed",
            default="public",
        ),
        "fields": Key(
            shape=Later(MapOf(item=FIELD_MAP)),
            help="additions to and changes of the connector's default map",
            default={},
        ),
    }
)

_VERBS: Final = {
    "creates": ("records created", "max(100, 10%)"),
    "updates": ("records changed", "max(50, 5%)"),
    "clears": ("values emptied", "max(10, 1%)"),
    "unlinks": ("records no longer synced", "max(5, 0.5%)"),
    "archives": ("records archived", "max(5, 0.5%)"),
}
GUARDS: Final = Keys(
    keys={
        **{
            verb: Key(shape=LIMIT, help=f"{what} in one app and run, beyond which approval is asked", default=default)
            for verb, (what, default) in _VERBS.items()
        },
        "opt_outs": Key(
            shape=OPT_OUT_LIMIT,
            help="people opted out in one app and run, beyond which approval is asked",
            default="none",
        ),
    }
)

DEBUG: Final = Keys(
    keys={
        "crash_points": Key(
            shape=Flag(), help="for tests: SYNCD_DEBUG_CRASH may kill syncd at a moment it names", default=False
        )
    }
)

CONFIG: Final = Keys(
    keys={
        "version": Key(shape=Number(least=1, most=1), help="version of this format", default=1),
        "store": Key(
            shape=STORE,
            help="where syncd remembers; env:NAME for an address with a password",
            default="sqlite:///var/syncd.db",
        ),
        "key": Key(
            shape=SECRET,
            help="what seals journal, inbox and logins: 32 bytes as base64 or hex, by reference; default: the file syncd.key",
        ),
        "connectors": Key(
            shape=ListOf(item=PLAIN, hint="[./my-connectors]"), help="folders of connectors of your own", default=[]
        ),
        "apps": Key(
            shape=MapOf(
                item=Later(APP, "{connector: csv, settings: {...}}"),
                name=NAME,
                what="a name of lower-case letters, digits and _, such as crm",
                least=1,
            ),
            help="the connected accounts; their order decides between concurrent changes",
            required=True,
        ),
        "match": Key(
            shape=ListOf(item=ListOf(item=FIELD_NAME, least=1, hint="- [email]"), least=1, hint="[[email]]"),
            help="which fields say that two records are one person, in this order",
            default=[["email"]],
        ),
        "fields": Key(
            shape=MapOf(
                item=Later(FIELD, "{policy: ..., blank: ...}"),
                name=NAME,
                what="a name of lower-case letters, digits and _",
            ),
            help="rules for the fields of a contact, and fields of your own",
            default={},
        ),
        "settle": Key(
            shape=DURATION,
            help="how long a change must stand before it travels, unless a field says otherwise",
            default="0s",
        ),
        "guards": Key(shape=GUARDS, help="how much a run may do to one app before it asks", default={}),
        "debug": Key(shape=DEBUG, help="for who works on syncd itself; leave it out", default={}),
    },
    elsewhere={
        **dict.fromkeys(
            ("connector", "settings", "secrets", "poll", "sweep", "writes", "scope"), "belongs to an app: apps: <app>:"
        ),
        "alerts": "is not built yet, nobody would be told; leave it out, and watch exit codes and `syncd status --json`",
        **dict.fromkeys(
            ("log_level", "data_dir", "bind_address", "public_url", "database_url"),
            "is a process setting: environment, SYNCD_...",
        ),
    },
)
