"""A login that a person agrees to in a browser: OAuth 2 authorization code with PKCE and state (RFC 6749, 7636, 8252).

Makes the address of the page, and turns what comes back into tokens that are kept. Hard rules: an answer without our state
is not used; the tokens are in the store before anything uses them; no code or token is in a message.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from os import urandom
from typing import Final
from urllib.parse import parse_qsl, urlencode

from syncd.connector import Authorization, Opening, WrongAnswer
from syncd.errors import AccessError, ConfigError
from syncd.http.auth import chosen, secret_texts
from syncd.http.jwt import base64url
from syncd.http.learning import Choice, learn
from syncd.http.oauth import kept_doc
from syncd.http.terms import Auth
from syncd.http.tokens import Endpoint, Granted, GrantRefused

SAID: Final = {
    "access_denied": "the person did not agree",
    "invalid_request": "the vendor did not understand the request; is this address registered there as redirect URI?",
    "unauthorized_client": "this client may not log in so; look at its settings at the vendor",
    "unsupported_response_type": "the vendor gives no code to this client; look at its settings there",
    "invalid_scope": "the vendor refuses what is asked for (scope); look at the client's settings there",
    "server_error": "the vendor had an internal error; try again",
    "temporarily_unavailable": "the vendor is not available now; try again later",
}
AGAIN: Final = "try again: syncd auth"


class Authorizing:
    """One login under way. Used by one thread at a time."""

    def __init__(self, auth: Auth, opening: Opening, *, draw: Callable[[int], bytes] = urandom) -> None:
        assert auth.authorize is not None, "only where there is such a page"
        self._page, self._app, self._keeper = auth.authorize, opening.app, opening.keeper
        self._texts = secret_texts(auth, opening)
        self._values, self._opening = opening.settings, opening
        self._endpoint = Endpoint(auth.words, self._texts, opening)
        self._state, self._verifier = (base64url(draw(32)).decode() for _ in range(2))
        self._redirect = ""
        self.host: str = auth.authorize.host

    def url(self, redirect: str) -> str:
        """Give the page where the person agrees."""
        self._redirect = redirect
        pairs = {"response_type": "code", "client_id": self._texts["client_id"], "redirect_uri": redirect}
        if self._page.scope is not None and (scope := self._page.scope.text(self._values)) is not None:
            pairs["scope"] = scope
        pairs["state"] = self._state
        if self._page.pkce:
            challenge = base64url(sha256(self._verifier.encode()).digest()).decode()
            pairs |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        pairs |= {name: text for name, each in self._page.query if (text := each.text(self._values)) is not None}
        page = self._page.url.text(self._values)
        if page is None:
            missing = ", ".join(name for name in self._page.url.names if self._values.get(name) is None)
            raise ConfigError(f"{self._app}: needs the setting {missing}")
        return f"{page}{'&' if '?' in page else '?'}{urlencode(pairs)}"

    def finish(self, query: str) -> Mapping[str, str]:
        """Turn what came back into tokens, and keep them; give the settings that the login has told."""
        pairs = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=100))
        if not pairs.get("code") and not pairs.get("error"):
            raise WrongAnswer(f"{self._app}: this address holds no code; give all of it, from its beginning to its end")
        if not hmac.compare_digest(pairs.get("state", "").encode(), self._state.encode()):
            raise WrongAnswer(f"{self._app}: this is the answer to another question (its state is not ours); not used")
        if pairs.get("error"):
            why = SAID.get(pairs["error"], "the vendor refused")
            raise AccessError(f"{self._app}: not logged in: {why}; {AGAIN} {self._app}")
        asked = {"grant_type": "authorization_code", "code": pairs["code"], "redirect_uri": self._redirect}
        if self._page.pkce:
            asked["code_verifier"] = self._verifier
        try:
            got = self._endpoint.ask(asked)
        except GrantRefused:
            why = "the code was refused; it is good once and for minutes, and only with the redirect URI that is registered"
            raise AccessError(f"{self._app}: not logged in: {why}; {AGAIN} {self._app}") from None
        try:
            told = learn(self._page.learns, self._opening, pairs, got)
        except Choice:
            self._keep(got, {})
            raise
        self._keep(got, told)
        return told

    def _keep(self, got: Granted, told: Mapping[str, str]) -> None:
        assert self._keeper is not None, "a login is kept"
        with self._keeper.alone():
            self._keeper.save(kept_doc(got, self._texts, told))

    def close(self) -> None:
        self._endpoint.close()


def begin(auths: tuple[Auth, ...], opening: Opening) -> Authorization:
    """Begin a login, if the one that the operator chose is of this kind."""
    auth = chosen(auths, opening)
    if auth.authorize is None:
        raise ConfigError(f"{opening.app}: its secrets are for another kind of login, which needs no browser")
    return Authorizing(auth, opening)
