"""The place where a vendor's OAuth 2 tokens come from, for sandboxes: the page where a person agrees, and the token endpoint.

Kept: registered redirects, codes that are good once and for ten minutes, PKCE, the client's name and secret where the vendor
wants them, refresh tokens that are good once. Nothing here is reachable from another machine.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from syncd.http.sandbox import Asked, Clock, Said

CODE_SECONDS: Final = 600
LOOPBACK: Final = ("127.0.0.1", "localhost")


@dataclass(slots=True, kw_only=True)
class Code:
    """What a person agreed to."""

    redirect: str
    challenge: str
    until_us: int


@dataclass(slots=True, kw_only=True)
class Authority:
    """One client of one vendor, and one person who is asked."""

    clock: Clock
    page: str
    """The path of the page where the person agrees."""
    endpoint: str
    """The path of the token endpoint."""
    client: tuple[str, str] = ("client", "secret")
    client_in: Literal["basic", "body"] = "basic"
    redirects: tuple[str, ...] = ()
    """What is registered, exactly; nothing: this machine, whatever the port."""
    scope: str = ""
    """What must be asked for."""
    pkce: bool = True
    """The vendor looks at code_challenge."""
    rotates: bool = True
    """A refresh token is good once."""
    life_seconds: int = 1800
    """Of a token; 0: for good, and there is no refresh token."""
    adds: dict[str, str] = field(default_factory=dict)
    """What the vendor tells besides as it sends the browser back."""
    says: str = ""
    """The error that the person's answer is; "": yes."""
    refresh: str = "refresh-0"
    """The one refresh token that is good."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Access token -> until when (microseconds)."""
    codes: dict[str, Code] = field(default_factory=dict)
    drawn: int = 0

    def answer(self, asked: Asked) -> Said | None:
        """Answer what is asked of this place; None for everything else."""
        if asked.method == "GET" and asked.path == self.page:
            return self._page(asked)
        if asked.method == "POST" and asked.path == self.endpoint:
            return self._token(asked)
        return None

    def good(self, token: str) -> bool:
        """Say whether an access token is good now."""
        return self.tokens.get(token, 0) > self.clock.now_us

    def revoke(self) -> None:
        """Take everything back, as the person may do at any time."""
        self.tokens.clear()
        self.refresh = f"revoked-{self._next()}"

    def _page(self, asked: Asked) -> Said:
        query, redirect = asked.query, asked.query.get("redirect_uri", "")
        registered = redirect in self.redirects or (not self.redirects and urlsplit(redirect).hostname in LOOPBACK)
        if query.get("client_id") != self.client[0] or not registered:
            return Said(status=400, doc=b"this client, or its redirect_uri, is not known here")
        told = {"state": query["state"]} if "state" in query else {}
        if query.get("response_type") != "code":
            told |= {"error": "unsupported_response_type"}
        elif not set(self.scope.split()) <= set(query.get("scope", "").split()):
            told |= {"error": "invalid_scope"}
        elif self.pkce and "code_challenge" in query and query.get("code_challenge_method") != "S256":
            told |= {"error": "invalid_request"}
        elif self.says:
            told |= {"error": self.says, "error_description": "said by a person"}
        else:
            until_us = self.clock.now_us + CODE_SECONDS * 1_000_000
            code = f"code-{self._next()}"
            challenge = query.get("code_challenge", "") if self.pkce else ""
            self.codes[code] = Code(redirect=redirect, challenge=challenge, until_us=until_us)
            told |= {"code": code, **self.adds}
        return Said(status=302, headers={"Location": f"{redirect}{'&' if '?' in redirect else '?'}{urlencode(told)}"})

    def _token(self, asked: Asked) -> Said:
        pairs = dict(parse_qsl(asked.body.decode()))
        if self._client(asked, pairs) != self.client:
            return Said(status=401, doc={"error": "invalid_client"})
        match pairs.get("grant_type"):
            case "authorization_code" if self._fits(pairs):
                return self._granted()
            case "refresh_token" if self.life_seconds and pairs.get("refresh_token") == self.refresh:
                return self._granted(renewed=True)
            case "authorization_code" | "refresh_token":
                return Said(status=400, doc={"error": "invalid_grant"})
        return Said(status=400, doc={"error": "unsupported_grant_type"})

    def _client(self, asked: Asked, pairs: dict[str, str]) -> tuple[str, str]:
        if self.client_in == "body":
            return pairs.get("client_id", ""), pairs.get("client_secret", "")
        given = base64.b64decode(asked.headers.get("authorization", "").partition(" ")[2]).decode()
        name, _, secret = given.partition(":")
        return unquote(name), unquote(secret)

    def _fits(self, pairs: dict[str, str]) -> bool:
        """Say whether a code is good; it is used up by asking."""
        code = self.codes.pop(pairs.get("code", ""), None)
        if code is None or code.until_us <= self.clock.now_us or pairs.get("redirect_uri") != code.redirect:
            return False
        made = base64.urlsafe_b64encode(sha256(pairs.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        return not code.challenge or hmac.compare_digest(made, code.challenge)

    def _granted(self, *, renewed: bool = False) -> Said:
        number = self._next()
        access = f"access-{number}"
        if not self.life_seconds:
            self.tokens[access] = 1 << 62
            return Said(doc={"access_token": access, "expires_in": 0, "scope": None})
        if self.rotates or not renewed:
            self.refresh = f"refresh-{number}"
        self.tokens[access] = self.clock.now_us + self.life_seconds * 1_000_000
        doc = {"access_token": access, "refresh_token": self.refresh, "expires_in": self.life_seconds}
        return Said(doc={**doc, "token_type": "Bearer"})

    def _next(self) -> int:
        self.drawn += 1
        return self.drawn


def bearer(asked: Asked) -> str:
    """Give the token that a request carries; "" where it carries none."""
    scheme, _, token = asked.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""
