"""Who we are, on every request: keys, user names, OAuth 2 tokens. Knows secrets; no message of it ever holds one."""

from __future__ import annotations

import base64
from threading import Lock
from typing import Protocol
from urllib.parse import quote

from syncd.connector import Opening
from syncd.errors import ConfigError
from syncd.http.client import Header
from syncd.http.terms import Auth


class Source(Protocol):
    """Where tokens come from. One that a connector in Python brings gives the scheme as well."""

    def current(self) -> str:
        """Give a token that is good now."""

    def renew(self) -> bool:
        """See to another one because this one was refused; False where the same would come again."""

    def close(self) -> None:
        """Let go of everything."""


class Login:
    """The credentials of one app; several threads may ask."""

    def __init__(self, auths: tuple[Auth, ...], opening: Opening, own: Source | None = None) -> None:
        self._auth = auth = chosen(auths, opening)
        self._texts = secret_texts(auth, opening)
        self._source, self._own = own, own is not None
        self._lock = Lock()
        signer = None
        if auth.signing is not None:
            from syncd.http.jwt import Signer

            signer = self._source = Signer(opening.app, auth.signing, values_of(opening), now=opening.time.now)
        if auth.kind == "oauth2":
            from syncd.http.oauth import Tokens

            in_browser = auth.authorize is not None
            self._source = Tokens(auth.words, self._texts, opening, signer=signer, in_browser=in_browser)
        self._fixed = self._headers(opening.app)

    def headers(self) -> list[Header]:
        """Give what is added to the headers; may get a token first (AccessError, TransientError)."""
        if self._source is None:
            return self._fixed
        with self._lock:
            return self._shown(self._source)

    def _shown(self, source: Source) -> list[Header]:
        scheme = "" if self._own else f"{self._auth.words['scheme']} "
        return [(b"Authorization", f"{scheme}{source.current()}".encode())]

    def signed(self, target: str) -> str:
        """Add what belongs to the query."""
        if self._auth.kind != "query":
            return target
        name, value = self._auth.words["name"], self._texts["value"]
        return f"{target}{'&' if '?' in target else '?'}{quote(name)}={quote(value, safe='')}"

    def renew(self, sent: list[Header]) -> bool:
        """See to another token than the one that was `sent` and refused; False where the same would be sent again."""
        if self._source is None:
            return False
        with self._lock:
            return self._shown(self._source) != sent or self._source.renew()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

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


def values_of(opening: Opening) -> dict[str, object]:
    """Give what the {names} of a login stand for; a secret that is empty is none."""
    return {**opening.settings, **{name: text for name, text in opening.secrets.items() if text}}


def chosen(auths: tuple[Auth, ...], opening: Opening) -> Auth:
    """Give the first kind of login of which the operator has given what it needs. Raises ConfigError."""
    values = values_of(opening)
    missing = [[name for name in auth.needs if values.get(name) is None] for auth in auths]
    for auth, names in zip(auths, missing, strict=True):
        if not names:
            return auth
    if len(auths) == 1:
        raise ConfigError(f"{opening.app}: needs the secret {', '.join(missing[0])}")
    wanted = ", or ".join(" and ".join(auth.needs) for auth in auths)
    raise ConfigError(f"{opening.app}: its login needs {wanted}; give what is missing as secrets or settings")


def secret_texts(auth: Auth, opening: Opening) -> dict[str, str]:
    """Fill in the texts of a login; those that are optional and have no value are left out. Raises ConfigError."""
    values, texts = values_of(opening), {}
    for key, template in auth.texts.items():
        text = template.text(values)
        if text is None:
            continue
        if not text.isprintable():
            raise ConfigError(f"{opening.app}: the secret for {key} holds a character that cannot be sent")
        texts[key] = text
    return texts


def _ascii(app: str, text: str) -> bytes:
    if not text.isascii():
        raise ConfigError(f"{app}: a secret holds a character that a header cannot carry")
    return text.encode()
