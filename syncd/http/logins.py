"""The words of a manifest for who we are: keys, names, signed tokens, OAuth 2; read and compiled.

Part of `vocabulary`, with the same rule: closed, no conditions, no expressions, no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncd.config.near import did_you_mean
from syncd.config.shapes import Flag, Key, Keys, ListOf, MapOf, Spot, Word
from syncd.config.vocabulary import DURATION, PLAIN
from syncd.http.marks import MARK, read_marks
from syncd.http.operations import Scope
from syncd.http.requests import PATH, QUERY_TEXT, TEMPLATE, TEXTS
from syncd.http.terms import Auth, Authorize, Learn, Signing
from syncd.http.texts import Template

_NAMED: Final = Keys(
    keys={
        "name": Key(shape=PLAIN, help="of the header or parameter", required=True),
        "value": Key(shape=TEMPLATE, help="with a {secret} in it", required=True),
    }
)
_BASIC: Final = Keys(
    keys={
        "username": Key(shape=TEMPLATE, help="the name", required=True),
        "password": Key(shape=TEMPLATE, help="the password", required=True),
    }
)
_SIGNING: Final[dict[str, Key]] = {
    "algorithm": Key(
        shape=Word(("HS256", "RS256", "ES256")),
        help="how it is signed: by a shared secret, or by a key pair",
        required=True,
    ),
    "key": Key(shape=TEMPLATE, help="the shared secret, or the private key as PEM", required=True),
    "key_as": Key(shape=Word(("text", "hex", "base64")), help="how a shared secret is written down", default="text"),
    "kid": Key(shape=TEMPLATE, help="which key it is, told in the token's header"),
    "claims": Key(
        shape=MapOf(item=QUERY_TEXT),
        help="what the token says (iss, sub, aud); iat and exp come by themselves",
        default={},
    ),
    "life": Key(shape=DURATION, help="how long it is good", default="5m"),
}
JWT: Final = Keys(keys={**_SIGNING, "scheme": Key(shape=PLAIN, help="the word before the token", default="Bearer")})
ASSERTION: Final = Keys(keys=_SIGNING)
LEARN: Final = Keys(
    keys={
        "query": Key(shape=PLAIN, help="the parameter beside the code that has it"),
        "url": Key(shape=TEMPLATE, help="or where one asks for it, with the new token"),
        "items": Key(shape=PATH, help="where that answer lists the accounts that the login is for", default="."),
        "leave_out": Key(
            shape=ListOf(item=MARK, hint="[{path: type, is: [PRACTICE]}]"),
            help="those that are none for us",
            default=[],
        ),
        "value": Key(shape=PATH, help="where one of them has it"),
        "label": Key(shape=PATH, help="where one of them has what people call it"),
    }
)
AUTHORIZE: Final = Keys(
    keys={
        "url": Key(shape=TEMPLATE, help="the page where a person agrees", required=True),
        "scope": Key(shape=TEMPLATE, help="what is asked for there"),
        "pkce": Key(shape=Flag(), help="prove with the code that it was us who asked (RFC 7636, S256)", default=True),
        "query": Key(shape=TEXTS, help="more parameters of that page", default={}),
        "host": Key(
            shape=Word(("127.0.0.1", "localhost")),
            help="what the vendor lets this machine be called",
            default="127.0.0.1",
        ),
        "learns": Key(
            shape=MapOf(item=LEARN),
            help="settings that the login tells, by their names: the operator need not look them up",
            default={},
        ),
    }
)
OAUTH: Final = Keys(
    keys={
        "grant": Key(
            shape=Word(("refresh_token", "client_credentials", "jwt_bearer")), help="how a token is got", required=True
        ),
        "url": Key(shape=TEMPLATE, help="the token endpoint", required=True),
        "client_id": Key(shape=TEMPLATE, help="who asks"),
        "client_secret": Key(shape=TEMPLATE, help="and proves it; left out where the operator has none"),
        "refresh_token": Key(
            shape=TEMPLATE, help="the first one, where the operator has one; newer ones are kept in the store"
        ),
        "scope": Key(shape=TEMPLATE, help="what is asked for with each token"),
        "client_in": Key(shape=Word(("basic", "body")), help="where the client's name and secret go", default="basic"),
        "scheme": Key(shape=PLAIN, help="the word before the token", default="Bearer"),
        "authorize": Key(shape=AUTHORIZE, help="how a person agrees in a browser: `syncd auth`"),
        "assertion": Key(shape=ASSERTION, help="the signed token that the grant jwt_bearer sends (RFC 7523)"),
    }
)
AUTH: Final = Keys(
    keys={
        "header": Key(shape=_NAMED, help="a key in a header"),
        "query": Key(shape=_NAMED, help="a key in the query"),
        "bearer": Key(shape=TEMPLATE, help="Authorization: Bearer"),
        "basic": Key(shape=_BASIC, help="Authorization: Basic"),
        "jwt": Key(shape=JWT, help="a token that syncd signs for each few minutes"),
        "oauth2": Key(shape=OAUTH, help="OAuth 2 tokens, renewed by syncd"),
    },
)


def read_auth(said: Mapping[str, Any], secrets: frozenset[str], scope: Scope) -> tuple[Auth, ...]:
    """Compile the kinds of login, in the order in which they are written."""
    top = scope.top.child("auth")
    if top is None:
        return (Auth(kind="none"),)
    if not said:
        top.problem("expected a kind of login; leave `auth` out where there is none")
    made = [_kind(kind, said[kind], spot, secrets, scope) for kind, spot in top.children() if kind in said]
    return tuple(made) or (Auth(kind="none"),)


def _kind(kind: Any, said: Any, spot: Spot, secrets: frozenset[str], scope: Scope) -> Auth:
    if isinstance(said, Template):
        scope.check(spot, said.names, secrets)
        return Auth(kind=kind, texts={"value": said})
    shape = {"jwt": JWT, "oauth2": OAUTH}.get(kind)
    values = shape.filled(said) if shape is not None else said
    signing = None
    if kind == "jwt":
        signing = _signing(said, spot, secrets, scope)
    elif "assertion" in values:
        signing = _signing(values["assertion"], spot.down("assertion"), secrets, scope)
    own = {key: value for key, value in values.items() if shape is not JWT or key not in _SIGNING}
    texts = {key: value for key, value in own.items() if isinstance(value, Template)}
    for key, text in texts.items():
        scope.check(spot.down(key), text.names, secrets)
    if kind == "oauth2":
        _check_grant(values, spot)
    return Auth(
        kind=kind,
        texts=texts,
        words={key: value for key, value in own.items() if isinstance(value, str)},
        signing=signing,
        authorize=_authorize(values["authorize"], spot.down("authorize"), secrets, scope)
        if "authorize" in values
        else None,
    )


def _check_grant(values: Mapping[str, Any], spot: Spot) -> None:
    grant = values["grant"]
    if grant == "refresh_token" and "refresh_token" not in values and "authorize" not in values:
        spot.problem('needs the key "authorize" or "refresh_token": where the first token comes from')
    if grant != "refresh_token" and "authorize" in values:
        spot.down("authorize").problem(f"nobody is asked with the grant {grant}; say `grant: refresh_token`")
    if (grant == "jwt_bearer") != ("assertion" in values):
        spot.problem('"assertion" belongs to the grant jwt_bearer, and that needs it')
    if grant != "jwt_bearer" and "client_id" not in values:
        spot.problem('needs the key "client_id" (who asks)')


def _signing(said: Mapping[str, Any], spot: Spot, secrets: frozenset[str], scope: Scope) -> Signing:
    values = JWT.filled(said)
    claims = tuple(values["claims"].items())
    for key in ("key", "kid"):
        if key in values:
            scope.check(spot.down(key), values[key].names, secrets)
    for name, text in claims:
        scope.check(spot.down("claims", name), text.names, secrets)
        if name in {"iat", "exp"}:
            spot.down("claims", name).problem("comes by itself; say `life` how long the token is good")
    if values["algorithm"] != "HS256" and "key_as" in said:
        spot.down("key_as").problem("is for shared secrets; a private key is PEM")
    return Signing(
        algorithm=values["algorithm"],
        key=values["key"],
        key_as=values["key_as"],
        kid=values.get("kid"),
        claims=claims,
        life_seconds=values["life"],
    )


def _authorize(said: Mapping[str, Any], spot: Spot, secrets: frozenset[str], scope: Scope) -> Authorize:
    values = AUTHORIZE.filled(said)
    for key in ("url", "scope"):
        if key in values:
            scope.check(spot.down(key), values[key].names, ())
    query = tuple(values["query"].items())
    for name, text in query:
        scope.check(spot.down("query", name), text.names, ())
    learns = spot.down("learns")
    return Authorize(
        url=values["url"],
        scope=values.get("scope"),
        pkce=values["pkce"],
        query=query,
        host=values["host"],
        learns=tuple(_learn(name, each, learns.down(name), scope) for name, each in values["learns"].items()),
    )


def _learn(name: str, said: Mapping[str, Any], spot: Spot, scope: Scope) -> Learn:
    values = LEARN.filled(said)
    if name not in scope.settings:
        spot.problem(f'no setting is called "{name}"{did_you_mean(name, scope.settings)}')
    elif name in scope.required:
        spot.problem(f"the setting {name} is required: what a login tells need not be said before")
    if ("query" in values) == ("url" in values):
        spot.problem('needs the key "query" or "url", not both: where it comes from')
    if "url" in values and "value" not in values:
        spot.problem('needs the key "value": where the answer has it')
    if "url" in values:
        scope.check(spot.down("url"), values["url"].names, ())
    return Learn(
        setting=name,
        query=values.get("query", ""),
        url=values.get("url"),
        items=values["items"],
        leave_out=read_marks(spot.down("leave_out")),
        value=values.get("value", values["items"]),
        label=values.get("label"),
    )
