"""OAuth 2 tokens of one app: got, kept, renewed in time.

Refresh tokens that are good for one use must not be lost and must not be used twice: one process at a time renews (a lock
on the file), and what it got is on the disk before it is used, sealed with the key of the store. Hard rule: no token is in a
message or a log.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from syncd.connector import Opening
from syncd.errors import AccessError, OutcomeUnknown, TransientError
from syncd.http.client import Client, Header
from syncd.http.faults import Answer
from syncd.http.replies import Overloaded, Reply, refused
from syncd.store.codec import Damaged, Sealer

EARLY_SECONDS: Final = 60.0
"""So long before its end a token is renewed: our clock may be wrong, and requests take time."""
LIFE_SECONDS: Final = 1800.0
"""Where the answer does not say."""
_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")


class Tokens:
    """The tokens of one app. Used by one thread at a time; other processes may use the same file."""

    def __init__(
        self,
        words: Mapping[str, str],
        texts: Mapping[str, str],
        opening: Opening,
        *,
        sleep: Callable[[float], None],
        now: Callable[[], float],
    ) -> None:
        self._words, self._texts, self._now, self._app = words, texts, now, opening.app
        self._client = Client(opening.app, texts["url"], network=opening.network, sleep=sleep, now=now)
        folder = opening.data_dir
        sealer = _sealer(folder) if folder is not None else None
        self._file = folder / f"oauth-{_NAME.sub('-', opening.app)}" if folder is not None and sealer else None
        self._sealer, self._secret = sealer, f"oauth:{opening.app}".encode()
        self._kept: dict[str, Any] = {}
        self._origin = blake2b(
            "\0".join([texts["url"], texts["client_id"], texts.get("refresh_token", "")]).encode(), digest_size=16
        ).hexdigest()
        """What the tokens were made from: other secrets in the configuration begin anew."""

    def current(self) -> str:
        """Give a token that is good for at least a minute."""
        if not self._good(self._kept):
            self._renew(self._kept.get("access", ""))
        return str(self._kept["access"])

    def renew(self) -> bool:
        """Get another token because this one was refused."""
        self._renew(self._kept.get("access", ""))
        return True

    def close(self) -> None:
        self._client.close()

    def _good(self, kept: Mapping[str, Any]) -> bool:
        return bool(kept.get("access")) and self._now() < kept.get("until", 0.0) - EARLY_SECONDS

    def _renew(self, bad: str) -> None:
        with self._locked():
            kept = self._load()
            if self._good(kept) and kept["access"] != bad:
                self._kept = kept  # another process was faster
                return
            got = self._ask(kept.get("refresh") or self._texts.get("refresh_token", ""))
            self._save(got)
            self._kept = got

    def _ask(self, refresh: str) -> dict[str, Any]:
        pairs = {"grant_type": self._words["grant"]}
        if self._words["grant"] == "refresh_token":
            pairs["refresh_token"] = refresh
        if "scope" in self._texts:
            pairs["scope"] = self._texts["scope"]
        client = {"client_id": self._texts["client_id"], "client_secret": self._texts["client_secret"]}
        headers: list[Header] = [
            (b"Content-Type", b"application/x-www-form-urlencoded"),
            (b"Accept", b"application/json"),
        ]
        if self._words["client_in"] == "body":
            pairs |= client
        else:
            both = f"{client['client_id']}:{client['client_secret']}".encode()
            headers.append((b"Authorization", b"Basic " + base64.b64encode(both)))
        body = urlencode(pairs).encode()
        # Not repeatable: the first try may have used the refresh token up.
        try:
            reply = self._client.exchange(
                "POST", self._client.path, self._judge, body=body, headers=headers, repeatable=False
            )
        except OutcomeUnknown as error:
            raise TransientError(str(error)) from None
        doc = Answer(reply).doc
        if not isinstance(doc, dict) or not isinstance(doc.get("access_token"), str) or not doc["access_token"]:
            raise TransientError(f"{self._app}: the token endpoint gave no token")
        life = doc.get("expires_in")
        return {
            "access": doc["access_token"],
            "refresh": doc.get("refresh_token") or refresh,
            "until": self._now() + (float(life) if isinstance(life, int | float) and life > 0 else LIFE_SECONDS),
            "of": self._origin,
        }

    def _judge(self, reply: Reply) -> None:
        if reply.status == 200:
            return
        doc = Answer(reply).doc
        code = doc.get("error") if isinstance(doc, dict) else None
        if reply.status in {400, 401, 403}:
            known = {"invalid_grant": "the refresh token is no longer good", "invalid_client": "the client is refused"}
            why = known.get(str(code), f"refused ({reply.status})")
            raise AccessError(f"{self._app}: no new token: {why}; give new secrets for this app")
        error = refused(f"{self._app}: token endpoint", reply, self._now())
        if isinstance(error, Overloaded) and reply.status != 429:
            raise TransientError(str(error))
        raise error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._file is None:
            yield
            return
        lock = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _load(self) -> dict[str, Any]:
        if self._file is None:
            return self._kept
        assert self._sealer is not None
        try:
            doc = self._sealer.open(self._secret, self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, Damaged) as error:
            what = f"{self._app}: {self._file} cannot be read ({type(error).__name__})"
            remedy = "put it back, or remove it and give a new refresh token"
            raise AccessError(f"{what}; {remedy}") from None
        return doc if isinstance(doc, dict) and doc.get("of") == self._origin else {}

    def _save(self, got: Mapping[str, Any]) -> None:
        """Store before use: whole or not at all, and on the disk."""
        if self._file is None:
            return
        assert self._sealer is not None
        beside = self._file.with_suffix(".new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(self._sealer.seal(self._secret, dict(got)))
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(self._file)
        folder = os.open(Path(self._file).parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _sealer(folder: Path) -> Sealer | None:
    """Make what seals the file, by the store's own key; None where there is no store: nothing is kept then."""
    from syncd.store.opening import KEY_BYTES, KEY_FILE

    try:
        key = (folder / KEY_FILE).read_bytes()
    except FileNotFoundError:
        return None
    return Sealer(key) if len(key) == KEY_BYTES else None
