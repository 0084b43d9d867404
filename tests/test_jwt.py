"""Tokens that syncd signs itself, against a server that verifies each signature and every claim as the vendors do."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from syncd.connector import App, Opening, Time
from syncd.errors import AccessError, ConfigError
from syncd.http.app import connector
from syncd.http.sandbox import Asked, Clock, Said, Server, serving

MANIFEST = """
manifest: 1
summary: A server that looks closely
settings:
  url: {{type: url, required: true, help: its address}}
  key_id: {{default: "64f0c0ffee", help: which key}}
secrets:
  key: {{required: true, help: what signs}}
address: "{{url}}"
auth: {auth}
check: {{call: GET /site}}
record: {{id: id}}
fields: {{email: {{path: email}}}}
list: {{call: GET /people, query: {{after: "{{cursor}}"}}, items: people, page: {{cursor: next}}}}
get: {{call: "GET /people/{{id}}"}}
"""
GHOST = """{jwt: {algorithm: HS256, key: "{key}", key_as: hex, kid: "{key_id}", claims: {aud: /admin/}, life: 5m, scheme: Ghost}}"""
SALESFORCE = """
  oauth2:
    grant: jwt_bearer
    url: "{url}/services/oauth2/token"
    assertion: {algorithm: RS256, key: "{key}", claims: {iss: client, sub: user@example.com, aud: "{url}"}, life: 3m}
"""
ELLIPTIC = """{jwt: {algorithm: ES256, key: "{key}", claims: {iss: us}}}"""
TOO_LONG_SECONDS = 300


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@dataclass(slots=True)
class Closely:
    """A server that lets in whoever shows a token that `verify` finds good, under the word `scheme`."""

    scheme: str
    verify: Callable[[str], dict[str, Any]]
    clock: Clock = field(default_factory=Clock)
    seen: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    endpoint: str = ""

    def answer(self, asked: Asked) -> Said:
        if self.endpoint and asked.path == self.endpoint:
            return self._token(asked)
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        self.seen.append(token)
        good = token in self.given if self.endpoint else self._is_good(token)
        return Said(doc={"people": []}) if scheme == self.scheme and good else Said(status=401)

    def _token(self, asked: Asked) -> Said:
        pairs = dict(parse_qsl(asked.body.decode()))
        wanted = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        if pairs.get("grant_type") != wanted or not self._is_good(pairs.get("assertion", "")):
            return Said(status=400, doc={"error": "invalid_grant"})
        self.given[f"session-{len(self.given)}"] = pairs["assertion"]
        return Said(doc={"access_token": f"session-{len(self.given) - 1}"})

    def _is_good(self, token: str) -> bool:
        try:
            claims = self.verify(token)
        except (ValueError, KeyError, InvalidSignature):
            return False
        now = self.clock.seconds()
        return bool(claims["iat"] <= now < claims["exp"] <= claims["iat"] + TOO_LONG_SECONDS)


def verifier(
    alg: str, check: Callable[[bytes, bytes], bool | None], wanted: Mapping[str, str]
) -> Callable[[str], dict[str, Any]]:
    """Make what verifies a token: its header, its signature, its claims."""

    def verify(token: str) -> dict[str, Any]:
        head, body, signature = token.split(".")
        header = orjson.loads(decoded(head))
        if header.get("alg") != alg or header.get("kid") != wanted.get("kid"):
            raise ValueError("header")
        if check(f"{head}.{body}".encode(), decoded(signature)) is False:
            raise InvalidSignature
        claims: dict[str, Any] = orjson.loads(decoded(body))
        if any(claims[name] != text for name, text in wanted.items() if name != "kid"):
            raise ValueError("claims")
        return claims

    return verify


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@contextlib.contextmanager
def opened(folder: Path, auth: str, key: str, server: Server) -> Iterator[App]:
    file = folder / "manifest.yaml"
    file.write_text(MANIFEST.format(auth=auth))
    clock = server.sandbox.clock
    app = connector(file, "closely").open(
        Opening(
            app="crm",
            settings={"url": server.url, "key_id": "64f0c0ffee"},
            secrets={"key": key},
            fields={},
            known={},
            network="private",
            time=Time(sleep=clock.pass_seconds, now=clock.seconds, clock=clock.seconds),
        )
    )
    with contextlib.closing(app):
        yield app


SECRET = bytes(range(32))


def ghost() -> Closely:
    def check(text: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(SECRET, text, hashlib.sha256), signature)

    return Closely("Ghost", verifier("HS256", check, {"kid": "64f0c0ffee", "aud": "/admin/"}))


def test_ghost_lets_us_in_with_a_token_signed_by_its_secret(tmp_path: Path) -> None:
    with serving(ghost()) as server, opened(tmp_path, GHOST, SECRET.hex(), server) as app:
        app.check()
        app.check()
        assert len(set(seen(server))) == 1
        server.sandbox.clock.pass_seconds(299)
        app.check()
        assert len(set(seen(server))) == 2


def test_a_token_that_is_refused_for_its_age_is_signed_anew(tmp_path: Path) -> None:
    with serving(ghost()) as server, opened(tmp_path, GHOST, SECRET.hex(), server) as app:
        app.check()
        server.before = refusing_once = RefusingOnce()
        server.sandbox.clock.pass_seconds(60)
        app.check()
        assert refusing_once.done
        assert len(set(seen(server))) == 2


def test_another_secret_is_refused_and_not_tried_for_ever(tmp_path: Path) -> None:
    with serving(ghost()) as server, opened(tmp_path, GHOST, "00" * 32, server) as app:
        with pytest.raises(AccessError) as caught:
            app.check()
        assert len(seen(server)) == 1
        assert not any(token in str(caught.value) for token in seen(server))


def test_salesforce_gives_a_session_for_a_token_signed_by_our_key(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)

    def check(text: bytes, signature: bytes) -> None:
        key.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())

    wanted = {"iss": "client", "sub": "user@example.com"}
    made = Closely("Bearer", verifier("RS256", check, wanted), endpoint="/services/oauth2/token")
    with serving(made) as server, opened(tmp_path, SALESFORCE, pem(key), server) as app:
        wanted["aud"] = server.url
        app.check()
        app.check()
        made.clock.pass_seconds(600)
        made.given.clear()  # the organisation ends sessions when it likes
        made.given["another"] = ""
        app.check()
        assert [asked.path for asked in server.asked].count("/services/oauth2/token") == 2
        made.given.clear()
        wanted["sub"] = "somebody@example.com"  # the consent for this user is taken back
        with pytest.raises(AccessError, match="the signed token is refused"):
            app.check()


def test_an_elliptic_signature_has_the_form_of_the_standard(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())

    def check(text: bytes, signature: bytes) -> bool:
        if len(signature) != 64:
            return False
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        key.public_key().verify(encode_dss_signature(r, s), text, ec.ECDSA(hashes.SHA256()))
        return True

    with serving(Closely("Bearer", verifier("ES256", check, {"iss": "us"}))) as server:
        for _ in range(20):  # a half begins with a zero in one of 128
            with opened(tmp_path, ELLIPTIC, pem(key), server) as app:
                app.check()


@pytest.mark.parametrize(
    ("auth", "key", "wanted"),
    [
        (GHOST, "not hexadecimal", "a shared secret written as hex"),
        (GHOST.replace("hex", "base64"), "***", "a shared secret written as base64"),
        (SALESFORCE, "-----BEGIN PRIVATE KEY-----", "a private RSA key as PEM"),
        (SALESFORCE, pem(ec.generate_private_key(ec.SECP256R1())), "a private RSA key as PEM"),
        (ELLIPTIC, pem(ec.generate_private_key(ec.SECP384R1())), "a private key of the curve P-256"),
    ],
    ids=["hex", "base64", "no key", "not RSA", "another curve"],
)
def test_a_key_that_is_none_is_told_and_not_shown(tmp_path: Path, auth: str, key: str, wanted: str) -> None:
    with (
        serving(ghost()) as server,
        pytest.raises(ConfigError, match=wanted) as caught,
        opened(tmp_path, auth, key, server),
    ):
        pass
    assert key not in f"{caught.value}{caught.value.detail}"
    assert caught.value.__cause__ is None


def seen(server: Server) -> list[str]:
    sandbox = server.sandbox
    assert isinstance(sandbox, Closely)
    return sandbox.seen


@dataclass
class RefusingOnce:
    """The vendor ends a token before its time."""

    done: bool = False

    def __call__(self, asked: Asked) -> Said | None:
        self.done, before = True, self.done
        return None if before else Said(status=401)
