"""OAuth 2 tokens of one app: got, kept, renewed in time.

Refresh tokens that are good for one use must not be lost and must not be used twice: one process at a time renews (the
keeper's lock), and what it got is in the store before it is used. Hard rule: no token is in a message or a log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Final

from syncd.connector import Opening
from syncd.errors import AccessError
from syncd.http.jwt import Signer
from syncd.http.tokens import Endpoint, Granted, GrantRefused

EARLY_SECONDS: Final = 60.0
"""So long before its end a token is renewed: our clock may be wrong, and requests take time."""
NOTHING: Final = Granted(access="")
SETTINGS: Final = "settings"
"""Under this name what a login has told besides is kept."""
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def origin(texts: Mapping[str, str]) -> str:
    """Name what tokens were made for: those of another client or endpoint are not used."""
    return _digest(texts["url"], texts.get("client_id", ""))


def first(texts: Mapping[str, str]) -> str:
    """Name the refresh token that the operator gave, "" where there is none: another one begins anew."""
    return _digest(texts["refresh_token"]) if "refresh_token" in texts else ""


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


class Tokens:
    """The tokens of one app. Used by one thread at a time; other processes may use the same keeper."""

    def __init__(
        self,
        words: Mapping[str, str],
        texts: Mapping[str, str],
        opening: Opening,
        *,
        signer: Signer | None,
        in_browser: bool,
    ) -> None:
        self._words, self._texts, self._now, self._app = words, texts, opening.time.now, opening.app
        self._signer, self._in_browser = signer, in_browser
        self._endpoint = Endpoint(words, texts, opening)
        self._keeper = opening.keeper
        self._kept = NOTHING

    def current(self) -> str:
        """Give a token that is good for at least a minute. Raises AccessError (somebody must log in), TransientError."""
        if not self._good(self._kept):
            self._renew(self._kept.access)
        return self._kept.access

    def renew(self) -> bool:
        """Get another token because this one was refused."""
        self._renew(self._kept.access)
        return True

    def close(self) -> None:
        self._endpoint.close()

    def _good(self, kept: Granted) -> bool:
        return bool(kept.access) and (kept.until is None or self._now() < kept.until - EARLY_SECONDS)

    def _renew(self, bad: str) -> None:
        with self._alone():
            kept = self._load()
            if self._good(kept) and kept.access != bad:
                self._kept = kept  # another process was faster
                return
            self._rehearse()
            got = self._ask(kept)
            self._save(got)
            self._kept = got

    def _ask(self, kept: Granted) -> Granted:
        grant, pairs, refresh = self._words["grant"], {}, ""
        if grant == "jwt_bearer":
            assert self._signer is not None, "the compiler asks for it"
            self._signer.renew()
            pairs = {"grant_type": JWT_BEARER, "assertion": self._signer.current()}
        elif grant == "client_credentials":
            pairs = {"grant_type": grant}
        else:
            refresh = kept.refresh or self._texts.get("refresh_token", "")
            if not refresh:
                raise AccessError(self._lost("its token was revoked" if kept.access else "nobody has logged in yet"))
            pairs = {"grant_type": grant, "refresh_token": refresh}
        if "scope" in self._texts:
            pairs["scope"] = self._texts["scope"]
        try:
            return self._endpoint.ask(pairs, refresh)
        except GrantRefused:
            if grant == "jwt_bearer":
                why = "the signed token is refused: look at its key and claims, and whether this app may act for that user"
                raise AccessError(f"{self._app}: no token: {why}") from None
            why = "the refresh token is no longer good (revoked, expired, or used by another program)"
            raise AccessError(self._lost(why)) from None

    def _lost(self, why: str) -> str:
        remedy = f"log in: syncd auth {self._app}" if self._in_browser else "give a new refresh token for this app"
        return f"{self._app}: no token: {why}; {remedy}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._keeper is None:
            yield
            return
        with self._keeper.alone():
            yield

    def _load(self) -> Granted:
        """Give what is kept, unless the operator has changed what it was made from."""
        if self._keeper is None:
            return self._kept
        doc: Mapping[str, Any] = self._keeper.load() or {}
        given = first(self._texts)
        same = doc.get("of") == origin(self._texts) and (not given or doc.get("first") == given)
        return Granted.of(doc) if same else NOTHING

    def _rehearse(self) -> None:
        """Write what is kept once more: a store that cannot be written is noticed before a token is spent."""
        if self._keeper is not None:
            self._keeper.save(self._keeper.load() or {})

    def _save(self, got: Granted) -> None:
        """Store before use."""
        if self._keeper is not None:
            before = self._keeper.load() or {}
            told = before.get(SETTINGS, {}) if before.get("of") == origin(self._texts) else {}
            self._keeper.save(kept_doc(got, self._texts, told))


def kept_doc(got: Granted, texts: Mapping[str, str], told: Mapping[str, str]) -> dict[str, Any]:
    """Make the document that is kept. `told`: settings that the login has told."""
    return {**got.doc(), "of": origin(texts), "first": first(texts), **({SETTINGS: dict(told)} if told else {})}
