"""The words of a manifest for webhooks, and what they mean together.

The third part of `vocabulary`, with the same rule: closed, no conditions, no code. Hard rule: webhooks that anybody could
send are never described: they are signed, or their address ends with a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncd.config.near import choose_from
from syncd.config.shapes import Key, Keys, ListOf, Spot, Text, Word
from syncd.config.vocabulary import DURATION, PLAIN
from syncd.http import operations
from syncd.http.hookterms import Challenge, Hooks, Only, Signature, Stamp, Subscribe
from syncd.http.requests import CALL, HEADER, PATH, QUERY_TEXT, TEMPLATE
from syncd.http.stamps import FORMATS
from syncd.model import Hooking

SIGNED: Final = frozenset({"method", "url", "body", "timestamp"})
"""What a signature may be made over, besides constants."""
SUBSCRIBED: Final = frozenset({"hook_url"})

_HEADER: Final = Text(what="a header", pattern=HEADER)
STAMP: Final = Keys(
    keys={
        "header": Key(shape=_HEADER, help="the header that has it", required=True),
        "format": Key(shape=Word(tuple(FORMATS)), help="how it is spelled", default="unix"),
        "window": Key(shape=DURATION, help="older or newer ones are refused", default="5m"),
    }
)
SIGN: Final = Keys(
    keys={
        "header": Key(shape=_HEADER, help="the header that has the signature", required=True),
        "key": Key(shape=TEMPLATE, help="the {secret} that it is made with", required=True),
        "over": Key(
            shape=TEMPLATE, help="what is signed: {body} as it came, {method}, {url}, {timestamp}", default="{body}"
        ),
        "hash": Key(shape=Word(("sha1", "sha256", "sha512")), help="the HMAC", default="sha256"),
        "encoding": Key(shape=Word(("base64", "hex")), help="how it is written", default="base64"),
        "prefix": Key(shape=PLAIN, help="what stands before it, such as sha256="),
        "timestamp": Key(shape=STAMP, help="the signed time"),
    }
)
ONLY: Final = Keys(
    keys={
        "path": Key(shape=PATH, help="a member of the item", required=True),
        "is": Key(
            shape=ListOf(item=QUERY_TEXT, least=1, hint="[contact.creation]"),
            help="items where it says something else are not for us; with {settings}",
            required=True,
        ),
    }
)
CHALLENGE: Final = Keys(
    keys={
        "query": Key(shape=PLAIN, help="the parameter of a GET that is sent back; without it a GET is answered by 200"),
        "at": Key(shape=PATH, help="the member of a body that is sent back"),
    }
)
THERE: Final = Keys(
    keys={
        **CALL,
        "items": Key(shape=PATH, help="where the answer lists the webhooks that there are", required=True),
        "url": Key(shape=PATH, help="where one of them has its address", required=True),
    }
)
SUBSCRIBE: Final = Keys(
    keys={
        **CALL,
        "there": Key(shape=THERE, help="the webhooks that there are: nothing is asked for twice", required=True),
    }
)
HOOKS: Final = Keys(
    keys={
        "how": Key(shape=PLAIN, help="how the operator tells the vendor the address", required=True),
        "sign": Key(shape=SIGN, help="how it is signed"),
        "path": Key(shape=PLAIN, help="the name of the secret that ends the address, where nothing is signed"),
        "as": Key(shape=Word(("json", "form")), help="how the body is written", default="json"),
        "items": Key(shape=PATH, help="where the body has what happened: a list, or one", default="."),
        "events": Key(
            shape=ListOf(item=PLAIN, least=1, hint="[contact.saved]"),
            help="members of the body, by their whole names, that hold lists of what happened",
        ),
        "only": Key(shape=ListOf(item=ONLY), help="which of it is for us", default=[]),
        "ids": Key(
            shape=ListOf(item=PATH, least=1, hint="[objectId]"),
            help="members that have ids of records; without it the app is read since its cursor",
        ),
        "once": Key(shape=PATH, help="the member of the body that is another one in each delivery"),
        "challenge": Key(shape=CHALLENGE, help="how the vendor asks whether the address is ours"),
        "late": Key(shape=DURATION, help="how late a webhook may come", default="10m"),
        "subscribe": Key(shape=SUBSCRIBE, help="have them sent to {hook_url}, by the API"),
    }
)


def hooking(said: Mapping[str, Any] | None) -> Hooking | None:
    """State what an operator needs for webhooks."""
    if said is None:
        return None
    values = HOOKS.filled(said)
    key = values["sign"]["key"].names if "sign" in values else ()
    path = values.get("path")
    needs = tuple(dict.fromkeys((*key, *((path,) if path else ()))))
    stamp = _stamp(SIGN.filled(values["sign"]).get("timestamp")) if "sign" in values else None
    return Hooking(
        needs=needs,
        path=path,
        late_seconds=values["late"],
        how=values["how"],
        signed="sign" in values,
        window_seconds=None if stamp is None else stamp.window_seconds,
        once=stamp is not None or "once" in values,
        names="ids" in values,
        subscribes="subscribe" in values,
    )


def read_hooks(said: Mapping[str, Any] | None, scope: operations.Scope, secrets: frozenset[str]) -> Hooks | None:
    """Compile what a manifest says of webhooks; problems are noted in the scope."""
    if said is None:
        return None
    spot, values = scope.top.down("hooks"), HOOKS.filled(said)
    path = values.get("path")
    if path is not None and path not in secrets:
        spot.down("path").problem(f"no such secret; there are: {choose_from(secrets)}")
    if path is None and "sign" not in values:
        spot.problem("needs `sign` or `path`: without a signature or a secret address anybody could send them")
    challenge = values.get("challenge")
    return Hooks(
        sign=_sign(values["sign"], spot.down("sign"), secrets) if "sign" in values else None,
        secret=path,
        form=values["as"],
        items=values["items"],
        events=tuple(values.get("events", ())),
        only=tuple(
            _only(each, item, scope) for each, item in zip(values["only"], spot.down("only").items(), strict=False)
        ),
        ids=tuple(values.get("ids", ())),
        once=values.get("once"),
        challenge=None if challenge is None else Challenge(query=challenge.get("query", ""), at=challenge.get("at")),
        subscribe=_subscribe(values.get("subscribe"), spot.down("subscribe"), scope, secrets),
    )


def _sign(said: Mapping[str, Any], spot: Spot, secrets: frozenset[str]) -> Signature:
    values = SIGN.filled(said)
    if not values["key"].names or not secrets.issuperset(values["key"].names):
        spot.down("key").problem(f"is made of secrets, nothing else; there are: {choose_from(secrets)}")
    over = set(values["over"].names)
    if not over <= SIGNED or "body" not in over:
        spot.down("over").problem(f"holds {{body}}, and may hold {choose_from(SIGNED - {'body'})}")
    if ("timestamp" in over) != ("timestamp" in values):
        spot.problem("a time that is not signed proves nothing: {timestamp} in `over` and `timestamp:` go together")
    return Signature(
        header=values["header"].lower(),
        key=values["key"],
        over=values["over"],
        hash=values["hash"],
        encoding=values["encoding"],
        prefix=values.get("prefix", ""),
        stamp=_stamp(values.get("timestamp")),
    )


def _stamp(said: Mapping[str, Any] | None) -> Stamp | None:
    if said is None:
        return None
    values = STAMP.filled(said)
    return Stamp(header=values["header"].lower(), format=values["format"], window_seconds=values["window"])


def _only(said: Mapping[str, Any], spot: Spot, scope: operations.Scope) -> Only:
    for word in said["is"]:
        scope.check(spot.down("is"), word.names, operations.NOTHING)
    return Only(path=said["path"], words=tuple(said["is"]))


def _subscribe(
    said: Mapping[str, Any] | None, spot: Spot, scope: operations.Scope, secrets: frozenset[str]
) -> Subscribe | None:
    if said is None:
        return None
    there, names = said["there"], SUBSCRIBED | secrets
    return Subscribe(
        call=operations.call("subscribe", {k: v for k, v in said.items() if k != "there"}, spot, scope, names),
        there=operations.call(
            "subscribe",
            {k: v for k, v in there.items() if k not in ("items", "url")},
            spot.down("there"),
            scope,
            operations.NOTHING,
        ),
        items=there["items"],
        url=there["url"],
    )
