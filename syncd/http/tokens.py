"""The token endpoint of a vendor: one request, one answer, and what a refusal means (RFC 6749, 5).

Knows the client's name and secret and sends them nowhere else. Hard rules: nothing is asked for twice, because the first
time may have used it up; no token, code or vendor's text is in a message.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

from syncd.connector import Opening
from syncd.errors import AccessError, OutcomeUnknown, TransientError
from syncd.http.client import Client, Header
from syncd.http.faults import Answer
from syncd.http.replies import Overloaded, Reply, refused

LIFE_SECONDS: Final = 1800.0
"""Where the answer does not say, and there is a refresh token."""
FORM: Final = b"application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a token endpoint gave. `until`: seconds since 1970; None: for good, until it is revoked."""

    access: str
    refresh: str = ""
    until: float | None = 0.0

    def doc(self) -> dict[str, Any]:
        return {"access": self.access, "refresh": self.refresh, "until": self.until}

    @classmethod
    def of(cls, doc: Mapping[str, Any]) -> Self:
        return cls(access=doc.get("access", ""), refresh=doc.get("refresh", ""), until=doc.get("until"))


class GrantRefused(AccessError):
    """What was to be turned into a token (a code, a refresh token, a signed token) is no longer good."""


class Endpoint:
    """The token endpoint of one app. Used by one thread at a time."""

    def __init__(self, words: Mapping[str, str], texts: Mapping[str, str], opening: Opening) -> None:
        time = opening.time
        self._words, self._texts, self._app, self._now = words, texts, opening.app, time.now
        self._client = Client(opening.app, texts["url"], network=opening.network, sleep=time.sleep, now=time.now)

    def ask(self, pairs: Mapping[str, str], refresh: str = "") -> Granted:
        """Ask for a token; `refresh`: the refresh token that stays good where the answer has no other one.

        Raises GrantRefused, AccessError (the client is refused), TransientError.
        """
        body, headers = self._form(pairs)
        try:
            reply = self._client.exchange(
                "POST", self._client.path, self._judge, body=body, headers=headers, repeatable=False
            )
        except OutcomeUnknown as error:
            raise TransientError(str(error)) from None
        doc = Answer(reply).doc
        if not isinstance(doc, dict) or not _is_token(doc.get("access_token")):
            raise TransientError(f"{self._app}: the token endpoint gave no token")
        given = doc.get("refresh_token")
        newest = given if isinstance(given, str) and _is_token(given) else refresh
        return Granted(access=doc["access_token"], refresh=newest, until=self._until(doc.get("expires_in"), newest))

    def close(self) -> None:
        self._client.close()

    def _until(self, life: Any, refresh: str) -> float | None:
        """Say when a token ends. Some vendors say a number as a text, or 0 for a token that does not end."""
        try:
            seconds = float(life)
        except (TypeError, ValueError):
            seconds = 0.0
        if 0 < seconds < float("inf"):
            return self._now() + seconds
        return self._now() + LIFE_SECONDS if refresh or self._words["grant"] != "refresh_token" else None

    def _form(self, pairs: Mapping[str, str]) -> tuple[bytes, list[Header]]:
        headers: list[Header] = [(b"Content-Type", FORM), (b"Accept", b"application/json")]
        name, secret = self._texts.get("client_id"), self._texts.get("client_secret")
        if name is not None and secret is not None and self._words["client_in"] == "basic":
            both = f"{quote(name, safe='')}:{quote(secret, safe='')}".encode()  # RFC 6749, 2.3.1
            headers.append((b"Authorization", b"Basic " + base64.b64encode(both)))
        else:
            client = {"client_id": name, "client_secret": secret}
            pairs = {**pairs, **{key: text for key, text in client.items() if text is not None}}
        return urlencode(pairs).encode(), headers

    def _judge(self, reply: Reply) -> None:
        if reply.status == 200:
            return
        doc = Answer(reply).doc
        code = doc.get("error") if isinstance(doc, dict) else None
        if reply.status in {400, 401, 403}:
            if code == "invalid_grant":
                raise GrantRefused(f"{self._app}: what was given for a token is no longer good (invalid_grant)")
            known = {
                "invalid_client": "the client's name or secret is refused",
                "invalid_scope": "the scope is refused",
            }
            why = known.get(str(code), f"refused ({reply.status})")
            raise AccessError(f"{self._app}: no token: {why}; look at client_id and client_secret of this app")
        error = refused(f"{self._app}: token endpoint", reply, self._now())
        if isinstance(error, Overloaded) and reply.status != 429:
            raise TransientError(str(error))
        raise error


def _is_token(value: Any) -> bool:
    """Say whether this can be a token: what cannot be sent in a header is none."""
    return isinstance(value, str) and 0 < len(value) <= 65_536 and value.isascii() and value.isprintable()
