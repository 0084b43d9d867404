"""Webhooks as a manifest describes them: is this one genuine, and which records does it name?

Reaches nothing and stores nothing. Hard rules: the signature is made over the bytes that came, before anything in them is
read; secrets are compared in constant time; nothing but ids is taken out of a body; no part of a body is in any message.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from re import Pattern
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from syncd.connector import Arrival, Heard, Opening, Refused
from syncd.errors import ConfigError
from syncd.http.faults import error_of
from syncd.http.hookterms import Hooks, Signature, Subscribe
from syncd.http.paths import find, shown
from syncd.http.session import Session
from syncd.http.stamps import read_stamp

ID_MAX: Final = 500
ECHO_MAX: Final = 500
LEVELS_MAX: Final = 4
FORM_PAIRS_MAX: Final = 5_000
SECRET_MIN: Final = 16
"""Characters that a secret in an address must have at least."""
_NOT_READ: Final = "it is genuine, but not what the manifest describes: the app is read instead"


class HookEar:
    """Hears the webhooks of one app."""

    def __init__(self, hooks: Hooks, id_pattern: Pattern[str] | None, opening: Opening) -> None:
        self._hooks, self._id_pattern, self._now = hooks, id_pattern, opening.time.now
        self._settings, self._secrets = opening.settings, opening.secrets
        self._secret = opening.secrets.get(hooks.secret, "") if hooks.secret else None
        self._key = hooks.sign.key.text(opening.secrets) if hooks.sign else None
        if hooks.sign and not self._key:
            raise ConfigError(f"{opening.app}: hooks: needs the secret {', '.join(hooks.sign.key.names)}")
        if self._secret is not None and len(self._secret) < SECRET_MIN:
            text = f"the secret {hooks.secret} ends an address: it needs {SECRET_MIN} characters or more"
            raise ConfigError(f"{opening.app}: hooks: {text}")
        if self._secret is not None and not all(ch.isascii() and (ch.isalnum() or ch in "-_") for ch in self._secret):
            raise ConfigError(f"{opening.app}: hooks: the secret {hooks.secret} is made of letters, digits, - and _")

    def hear(self, arrival: Arrival) -> Heard | Refused:
        """Judge one request by the bytes that came."""
        hooks = self._hooks
        if not _same(arrival.secret, self._secret or ""):
            return Refused(why="the end of its address is not the secret one", unknown=True)
        if arrival.method == "GET":
            return self._challenged(arrival)
        if hooks.sign is not None:
            wrong = self._forged(hooks.sign, arrival)
            if wrong is not None:
                return wrong
        try:
            doc = _unfolded(arrival.body) if hooks.form == "form" else orjson.loads(arrival.body)
        except ValueError:
            return Heard(something=True, note=_NOT_READ)
        if hooks.challenge is not None and hooks.challenge.at is not None:
            asked = find(doc, hooks.challenge.at.steps)
            if isinstance(asked, str) and asked:
                return Heard(answer=_echo(asked))
        return self._read(doc, arrival)

    def _challenged(self, arrival: Arrival) -> Heard | Refused:
        """Answer a GET by which the vendor sees whether somebody is here."""
        challenge = self._hooks.challenge
        if challenge is None or challenge.at is not None:
            return Refused(why="it is a GET, which this vendor never sends", unknown=True)
        return Heard(answer=_echo(arrival.query.get(challenge.query, "")))

    def _forged(self, sign: Signature, arrival: Arrival) -> Refused | None:
        given = arrival.headers.get(sign.header, "")
        if not given:
            return Refused(why=f"it has no {sign.header}")
        stamp = arrival.headers.get(sign.stamp.header, "") if sign.stamp else ""
        if not _same(given, self._signature(sign, arrival, stamp)):
            text = "the secret may be another one, or the public address (HubSpot signs it too)"
            return Refused(
                why=f"its signature is wrong: {text if 'url' in sign.over.names else text.partition(',')[0]}"
            )
        if sign.stamp is not None:
            at_us = read_stamp(stamp, sign.stamp.format)
            if at_us is None or abs(at_us / 1_000_000 - self._now()) > sign.stamp.window_seconds:
                return Refused(
                    why="it was signed too long ago: a replay, or a clock that is wrong (ours or the vendor's)"
                )
        return None

    def _signature(self, sign: Signature, arrival: Arrival, stamp: str) -> str:
        assert self._key is not None
        said = {
            "method": arrival.method.encode(),
            "url": arrival.url.encode(),
            "body": arrival.body,
            "timestamp": stamp.encode(),
        }
        parts = sign.over.parts
        text = b"".join(part.encode() if n % 2 == 0 else said[part] for n, part in enumerate(parts))
        made = hmac.digest(self._key.encode(), text, sign.hash)
        return sign.prefix + (made.hex() if sign.encoding == "hex" else b64encode(made).decode())

    def _read(self, doc: Any, arrival: Arrival) -> Heard:
        """Take the ids out of a body."""
        hooks = self._hooks
        items = list(self._items(doc))
        if (not items and not self._is_empty(doc)) or not all(isinstance(item, dict) for item in items):
            return Heard(something=True, note=_NOT_READ)
        ours = [item for item in items if self._is_ours(item)]
        once = self._once(doc, arrival)
        if not hooks.ids:
            return Heard(something=bool(ours), once=once)
        found = [list(self._ids(item)) for item in ours]
        unnamed = any(not ids for ids in found)
        ids = tuple(dict.fromkeys(id_ for ids in found for id_ in ids))
        return Heard(ids=ids, something=unnamed, once=once, note=_NOT_READ if unnamed else "")

    def _items(self, doc: Any) -> Iterator[Any]:
        if not self._hooks.events:
            yield from _flat(find(doc, self._hooks.items.steps))
        elif isinstance(doc, dict):
            for event in self._hooks.events:
                yield from _flat(doc.get(event))

    def _is_empty(self, doc: Any) -> bool:
        """Say whether a body tells that nothing happened: it is there only to see whether we look at signatures."""
        there = doc if self._hooks.events else find(doc, self._hooks.items.steps)
        return there == [] or (bool(self._hooks.events) and isinstance(there, dict))

    def _is_ours(self, item: Any) -> bool:
        """Say whether it is for us; where a login has told the setting, which is not known here, it may be."""
        return all(
            any(
                (text := word.text(self._settings)) is None or shown(find(item, each.path.steps)) == text
                for word in each.words
            )
            for each in self._hooks.only
        )

    def _ids(self, item: Any) -> Iterator[str]:
        for path in self._hooks.ids:
            for value in _flat(find(item, path.steps)):
                if isinstance(value, str | int) and not isinstance(value, bool) and self._is_id(text := shown(value)):
                    yield text

    def _is_id(self, text: str) -> bool:
        if self._id_pattern is not None:
            return self._id_pattern.fullmatch(text) is not None
        return 0 < len(text) <= ID_MAX and text.isprintable()

    def _once(self, doc: Any, arrival: Arrival) -> bytes | None:
        """Name this delivery, where the vendor makes each another one: by its signed time, or by a member."""
        sign, once = self._hooks.sign, self._hooks.once
        if (sign is None or sign.stamp is None) and (once is None or find(doc, once.steps) is None):
            return None
        stamp = arrival.headers.get(sign.stamp.header, "") if sign and sign.stamp else ""
        return hashlib.sha256(stamp.encode() + b"\n" + arrival.body).digest()


def subscribed(session: Session, how: Subscribe, url: str) -> bool:
    """Ask the vendor whether webhooks go to this address."""
    found = find(session.read(how.there, {}).doc, how.items.steps)
    listed = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []
    return any(find(each, how.url.steps) == url for each in listed)


def subscribe(session: Session, how: Subscribe, url: str, secrets: Mapping[str, str]) -> None:
    """Have webhooks sent to this address. Raises the reaction where the vendor refuses."""
    answer, fault = session.write(how.call, {**secrets, "hook_url": url})
    if fault is not None:
        raise error_of(f"{session.app}: the webhook", fault, answer, (), 0.0)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def _echo(text: str) -> str:
    return text if len(text) <= ECHO_MAX and text.isascii() and text.isprintable() else ""


def _flat(found: Any, levels: int = LEVELS_MAX) -> Iterator[Any]:
    """List what lies in lists of lists, as paths through several lists give them."""
    if isinstance(found, list):
        for each in found if levels else ():
            yield from _flat(each, levels - 1)
    elif found is not None:
        yield found


def _unfolded(body: bytes) -> dict[str, Any]:
    """Read a form, `data[id]` as a member of a member. ValueError where it is none."""
    doc: dict[str, Any] = {}
    for name, value in parse_qsl(
        body.decode(), strict_parsing=True, keep_blank_values=True, max_num_fields=FORM_PAIRS_MAX
    ):
        *outer, last = [part.rstrip("]") for part in name.split("[")]
        inner = doc
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ValueError("a member is a text and a map")  # noqa: TRY004 - as any other form that is none
        inner[last] = value
    return doc
