"""Who we are, on every request: keys, user names, OAuth 2 tokens. Knows secrets; no message of it ever holds one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from urllib.parse import quote

from syncd.connector import Opening
from syncd.errors import ConfigError
from syncd.http.client import Header
from syncd.http.terms import Auth


class Login:
    """The credentials of one app."""

    def __init__(
        self, auth: Auth, opening: Opening, *, sleep: Callable[[float], None], now: Callable[[], float]
    ) -> None:
        self._auth = auth
        values: Mapping[str, object] = {**opening.settings, **opening.secrets}
        self._texts: dict[str, str] = {}
        for key, template in auth.texts.items():
            text = template.text(values)
            if text is None:
                missing = [name for name in template.names if not values.get(name)]
                raise ConfigError(f"{opening.app}: needs the secret {', '.join(missing)}")
            if not text.isprintable():
                raise ConfigError(f"{opening.app}: the secret for {key} holds a character that cannot be sent")
            self._texts[key] = text
        self._tokens = None
        if auth.kind == "oauth2":
            from syncd.http.oauth import Tokens

            self._tokens = Tokens(auth.words, self._texts, opening, sleep=sleep, now=now)
        self._fixed = self._headers(opening.app)

    def headers(self) -> list[Header]:
        """Give what is added to the headers; may get a token first (AccessError, TransientError)."""
        if self._tokens is not None:
            return [(b"Authorization", f"{self._auth.words['scheme']} {self._tokens.current()}".encode())]
        return self._fixed

    def signed(self, target: str) -> str:
        """Add what belongs to the query."""
        if self._auth.kind != "query":
            return target
        name, value = self._auth.words["name"], self._texts["value"]
        return f"{target}{'&' if '?' in target else '?'}{quote(name)}={quote(value, safe='')}"

    def renew(self) -> bool:
        """Get another token, where there is such; False where the same would be sent again."""
        return self._tokens is not None and self._tokens.renew()

    def close(self) -> None:
        if self._tokens is not None:
            self._tokens.close()

    def _headers(self, app: str) -> list[Header]:
        texts = self._texts
        if self._auth.kind == "bearer":
            return [(b"Authorization", b"Bearer " + _ascii(app, texts["value"]))]
        if self._auth.kind == "header":
            return [(self._auth.words["name"].encode(), _ascii(app, texts["value"]))]
        if self._auth.kind == "basic":
            if ":" in texts["username"]:
                raise ConfigError(f"{app}: a user name for this kind of login holds no colon")
            both = f"{texts['username']}:{texts['password']}".encode()
            return [(b"Authorization", b"Basic " + base64.b64encode(both))]
        return []


def _ascii(app: str, text: str) -> bytes:
    if not text.isascii():
        raise ConfigError(f"{app}: a secret holds a character that a header cannot carry")
    return text.encode()
