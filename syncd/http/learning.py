"""What a login tells besides its tokens: settings such as the company it is for (`learns` in manifests).

Told by the page, beside the code, or asked for with the new token; kept with the tokens, and good as long as they are of the
same client. Hard rules: what the operator says counts, and a login for something else is refused; among several nobody guesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any, Final

from syncd.connector import Opening
from syncd.errors import AccessError, ConfigError, TransientError
from syncd.http.auth import chosen, secret_texts
from syncd.http.client import Client
from syncd.http.faults import Answer
from syncd.http.marks import marked
from syncd.http.oauth import SETTINGS, origin
from syncd.http.paths import find, shown
from syncd.http.terms import Auth, Learn
from syncd.http.tokens import Granted

LENGTH_MAX: Final = 200
NAMED_MAX: Final = 10


def learnt(auths: tuple[Auth, ...], opening: Opening) -> Opening:
    """Fill in the settings that the login has told and the operator does not say. Raises AccessError where it has not yet."""
    if not any(auth.authorize is not None and auth.authorize.learns for auth in auths):
        return opening
    auth = chosen(auths, opening)
    learns = () if auth.authorize is None else auth.authorize.learns
    wanted = [each.setting for each in learns if opening.settings.get(each.setting) is None]
    if not wanted:
        return opening
    doc = (opening.keeper.load() if opening.keeper is not None else None) or {}
    told = doc.get(SETTINGS, {}) if doc.get("of") == origin(secret_texts(auth, opening)) else {}
    missing = [name for name in wanted if name not in told]
    if missing:
        raise AccessError(
            f"{opening.app}: the setting {missing[0]} is not known, as nobody has logged in yet; "
            f"log in: syncd auth {opening.app}, or say it in the configuration"
        )
    return replace(opening, settings={**opening.settings, **{name: told[name] for name in wanted}})


class Choice(ConfigError):
    """A login is for several accounts, and the operator has to say which one."""


def learn(learns: tuple[Learn, ...], opening: Opening, pairs: Mapping[str, str], got: Granted) -> dict[str, str]:
    """Give what a login tells, by the names of settings. `pairs`: what came back with the code.

    Raises AccessError where it is for another account than the operator says, Choice, TransientError.
    """
    return {each.setting: _one(each, opening, dict(_told(each, opening, pairs, got))) for each in learns}


def _one(how: Learn, opening: Opening, told: Mapping[str, str]) -> str:
    """Choose: what the operator says, else the only one."""
    said = opening.settings.get(how.setting)
    if not told:
        raise AccessError(f"{opening.app}: not logged in: the login is for no account; choose one on the vendor's page")
    if said is not None:
        if str(said) not in told:
            raise AccessError(
                f"{opening.app}: not logged in: the setting {how.setting} names another account than the one that was "
                "chosen on the vendor's page; choose that one there, or leave the setting out"
            )
        return str(said)
    if len(told) > 1:
        names = [f"{value} ({label})" if label else value for value, label in told.items()]
        more = ", and more" if len(names) > NAMED_MAX else ""
        raise Choice(
            f"{opening.app}: logged in, to several accounts; say which one in its settings, {how.setting}: "
            f"{' or '.join(names[:NAMED_MAX])}{more}"
        )
    return next(iter(told))


def _told(how: Learn, opening: Opening, pairs: Mapping[str, str], got: Granted) -> Iterator[tuple[str, str]]:
    """List (value, what people call it)."""
    if how.query:
        yield _fit(how, opening, pairs.get(how.query)), ""
        return
    found = find(_asked(how, opening, got), how.items.steps)
    if not isinstance(found, list):
        raise _untold(how, opening)
    for item in (each for each in found if not marked(each, how.leave_out)):
        label = find(item, how.label.steps) if how.label is not None else None
        named = label[:LENGTH_MAX] if isinstance(label, str) and label.isprintable() else ""
        yield _fit(how, opening, find(item, how.value.steps)), named


def _asked(how: Learn, opening: Opening, got: Granted) -> Any:
    """Ask with the new token, which nothing else has used yet."""
    assert how.url is not None, "the compiler asks for it"
    url, time = how.url.text(opening.settings), opening.time
    if url is None:
        raise ConfigError(f"{opening.app}: needs the setting {', '.join(how.url.names)}")
    headers = [(b"Authorization", f"Bearer {got.access}".encode()), (b"Accept", b"application/json")]
    client = Client(opening.app, url, network=opening.network, sleep=time.sleep, now=time.now)
    with closing(client):
        return Answer(client.read("GET", client.path, headers=headers, kind="json")).doc


def _fit(how: Learn, opening: Opening, value: Any) -> str:
    text = shown(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (0 < len(text) <= LENGTH_MAX and text.isascii() and text.isprintable()):
        raise _untold(how, opening)
    return text


def _untold(how: Learn, opening: Opening) -> TransientError:
    return TransientError(
        f"{opening.app}: not logged in: the setting {how.setting} is not told by the vendor as the manifest says; "
        f"try again, or say it in the configuration"
    )
