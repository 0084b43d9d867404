"""Tryton: what the manifest cannot say. A login gives a session; what belongs to a party is written by commands.

A write is sent with the times at which the party, its mechanisms and its addresses were last changed, as they are right before
it; Tryton refuses it where one of those that it touches has changed since. What the hub has read is compared before.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from syncd.connector import Connector, Opening
from syncd.errors import TransientError
from syncd.http.app import HttpApp, connector
from syncd.http.client import Client
from syncd.http.steps import Answer, Call, Fault
from syncd.model import Record

CHILDREN: Final = {"contact_mechanisms": "party.contact_mechanism", "addresses": "party.address"}
NAMES: Final = [
    *("name", "code", "active", "lang.code", "_timestamp", "write_date"),
    *(f"contact_mechanisms.{name}" for name in ("type", "value", "active", "_timestamp")),
    *(f"addresses.{name}" for name in ("street", "postal_code", "city", "country.code", "active", "_timestamp")),
]
FIRST: Final = {"place": "first"}
"""What the first address is called; Tryton knows nothing of it."""
KEPT: Final = frozenset({"id", "type", "active", "_timestamp", "country", *FIRST})
"""Members of what belongs to a party that no field writes."""
GONE: Final = Fault(then="gone", status=200)
MOVED: Final = Fault(then="moved", status=200, message="somebody changed it meanwhile")


class Login:
    """Sessions of one user: Tryton ends them after some idle minutes, and answers 401 then."""

    def __init__(self, opening: Opening) -> None:
        said = opening.settings
        url = f"{str(said['url']).rstrip('/')}/{said['database']}/"
        self._user, self._password = str(said["username"]), opening.secrets.get("password", "")
        time = opening.time
        self._client = Client(opening.app, url, network=opening.network, sleep=time.sleep, now=time.now)
        self._app, self._current = opening.app, ""

    def current(self) -> str:
        """Give the header of a session that is good now."""
        if not self._current:
            asked = {"id": 1, "method": "common.db.login", "params": [self._user, {"password": self._password}, "en"]}
            kind = ((b"Content-Type", b"application/json"),)
            reply = self._client.read("POST", f"{self._client.path}rpc/", body=orjson.dumps(asked), headers=kind)
            try:
                user, token = orjson.loads(reply.body)["result"][:2]
            except (ValueError, LookupError, TypeError):
                raise TransientError(f"{self._app}: the login got no session; is this a Tryton?") from None
            self._current = "Session " + base64.b64encode(f"{self._user}:{user}:{token}".encode()).decode()
        return self._current

    def renew(self) -> bool:
        """See to another session: the one that was sent has ended."""
        self._current = ""
        return True

    def close(self) -> None:
        self._client.close()


class Tryton(HttpApp):
    """One database."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.session.values["names"] = NAMES

    def login(self, opening: Opening) -> Login:
        return Login(opening)

    def record(self, item: Any) -> Record:
        return super().record(_plain(item))

    def items(self, ids: Sequence[str]) -> dict[str, Any]:
        return {id_: _plain(item) for id_, item in super().items(ids).items()}

    def send(self, call: Call, values: Mapping[str, Any], *, repeatable: bool = False) -> tuple[Answer, Fault | None]:
        if call.name == "create":
            return super().send(call, {**values, "record": _commands(values["record"], {})}, repeatable=repeatable)
        batch = self.manifest.get.batch
        assert batch is not None
        answer = self.session.read(batch.call, {"ids": [values["id"]]})
        there = next((_plain(item) for item in self._list(answer, batch.items) if not self.is_gone(item)), None)
        if there is None or there["version"] != values["version"]:
            return answer, GONE if there is None else MOVED
        more: dict[str, Any] = {"version": _stamps(there)}
        if call.name == "update":
            more["record"] = _commands(values["record"], there)
        return super().send(call, {**values, **more}, repeatable=repeatable)


def _plain(item: Any) -> Any:
    """Give a party as other documents are: names without dots, the first address named, and one version of everything."""
    if not isinstance(item, dict) or "version" in item:
        return item
    made = {name.rstrip("."): value for name, value in item.items()}
    for name in CHILDREN:
        children = [each for each in made.get(name) or [] if each.get("active")]
        made[name] = [{key.rstrip("."): value for key, value in each.items()} for each in children]
    if made["addresses"]:
        made["addresses"][0] |= FIRST
    text = orjson.dumps(sorted(_stamps(made).items()))
    return {**made, "version": hashlib.blake2b(text, digest_size=8).hexdigest()}


def _stamps(party: Mapping[str, Any]) -> dict[str, Any]:
    """List when each part of a party was changed last, as Tryton wants to hear it."""
    found = {f"party.party,{party.get('id')}": party.get("_timestamp")}
    for name, model in CHILDREN.items():
        found |= {f"{model},{each.get('id')}": each.get("_timestamp") for each in party[name]}
    return found


def _commands(record: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """Say a document in Tryton's way: of what belongs to the party only what is new, changed or emptied is named."""
    made = dict(record)
    for name in CHILDREN.keys() & record.keys():
        held = {each["id"]: each for each in there.get(name, [])}
        commands: list[list[Any]] = []
        for each in record[name]:
            old = held.get(each.get("id"), {})
            changed = {key: value for key, value in each.items() if key not in KEPT and value != old.get(key)}
            if name == "contact_mechanisms" and not each.get("value"):
                commands += [["delete", [each["id"]]]] if old else []
            elif old and changed:
                commands.append(["write", [each["id"]], changed])
            elif not old and changed:
                kind = {"type": each["type"]} if "type" in each else {}
                commands.append(["create", [{**kind, **changed}]])
        made[name] = commands
    return {name: value for name, value in made.items() if value != [] or name not in CHILDREN}


CONNECTOR: Final[Connector] = connector(Path(__file__).with_name("manifest.yaml"), "tryton", Tryton)
