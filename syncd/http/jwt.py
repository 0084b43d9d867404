"""JSON Web Tokens that we sign ourselves (RFC 7519, 7523): by a shared secret or by the private one of a key pair.

Knows keys; no message of it ever holds one. Signs only: nothing here trusts a token that comes in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from syncd.errors import ConfigError
from syncd.http.terms import Signing

SKEW_SECONDS: Final = 10
"""So much earlier than now a token says that it was made: who reads it may have a clock that is behind."""
FRESH_SECONDS: Final = 5.0
"""A token that is refused this soon is not refused for its age."""
_Sign = Callable[[bytes], bytes]


class Signer:
    """Make the tokens of one app, each used until it is nearly at its end."""

    def __init__(self, app: str, signing: Signing, values: Mapping[str, Any], *, now: Callable[[], float]) -> None:
        """Take the key and the claims out of settings and secrets. Raises ConfigError where the key is none."""
        self._signing, self._now = signing, now
        self._claims = {name: text.text(values) for name, text in signing.claims}
        kid = signing.kid.text(values) if signing.kid is not None else None
        key = signing.key.text(values)
        assert key is not None, "the login was chosen because its secrets are there"
        try:
            self._sign = _SIGNERS[signing.algorithm](key, signing.key_as)
        except (ValueError, TypeError):  # the cause may quote the key
            wanted = _WANTED[signing.algorithm].format(signing.key_as)
            raise ConfigError(f"{app}: the secret that signs for this app is not {wanted}") from None
        self._header = {"alg": signing.algorithm, "typ": "JWT", **({"kid": kid} if kid is not None else {})}
        self._token, self._made_at = "", 0.0

    def current(self) -> str:
        """Give a token that is good for at least half of its life."""
        if not self._token or self._now() - self._made_at > self._signing.life_seconds / 2:
            self._token, self._made_at = self._made(), self._now()
        return self._token

    def renew(self) -> bool:
        """Make another one because this one was refused; False where that cannot help."""
        if self._now() - self._made_at < FRESH_SECONDS:
            return False
        self._token = ""
        return True

    def close(self) -> None:
        """There is nothing to let go of."""

    def _made(self) -> str:
        at = int(self._now()) - SKEW_SECONDS
        claims = {**self._claims, "iat": at, "exp": at + int(self._signing.life_seconds)}
        text = b".".join(base64url(orjson.dumps(part)) for part in (self._header, claims))
        return b".".join((text, base64url(self._sign(text)))).decode()


def base64url(data: bytes) -> bytes:
    """Encode as these tokens do: URL-safe, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _hs256(key: str, key_as: str) -> _Sign:
    raw = key.encode()
    if key_as == "hex":
        raw = bytes.fromhex(key)
    elif key_as == "base64":
        raw = base64.b64decode(key.translate(_URL_SAFE), validate=True)
    return lambda text: hmac.digest(raw, text, hashlib.sha256)


def _rs256(pem: str, _: str) -> _Sign:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError
    return lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def _es256(pem: str, _: str) -> _Sign:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError

    def sign(text: bytes) -> bytes:
        pair = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(32, "big") for number in pair)  # RFC 7518, 3.4: not DER

    return sign


_URL_SAFE: Final = str.maketrans("-_", "+/")
_SIGNERS: Final[Mapping[str, Callable[[str, str], _Sign]]] = {"HS256": _hs256, "RS256": _rs256, "ES256": _es256}
_WANTED: Final = {
    "HS256": "a shared secret written as {}",
    "RS256": "a private RSA key as PEM, without a passphrase",
    "ES256": "a private key of the curve P-256 as PEM, without a passphrase",
}
