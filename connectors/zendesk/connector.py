"""Zendesk: what the manifest cannot say. Writing `email` on a user adds an address and leaves the old one the primary one.

So another address is an identity that is made (or found) and then made the primary one. The old one stays on the user, as it
does when an agent does this by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from syncd.connector import Connector
from syncd.errors import AccessError, OutcomeUnknown, SyncdError, TransientError
from syncd.http.app import HttpApp, connector
from syncd.http.steps import Call, compile_text, result_of
from syncd.model import Applied, Rejected, Result, Unknown, Write

IDENTITIES: Final = Call(name="update", method="GET", path=compile_text("/users/{id}/identities"))
ADD: Final = Call(
    name="update",
    method="POST",
    path=compile_text("/users/{id}/identities"),
    body={"identity": {"type": "email", "value": compile_text("{value}"), "verified": True}},
)
MAKE_PRIMARY: Final = Call(
    name="update",
    method="PUT",
    path=compile_text("/users/{id}/identities/{identity}/make_primary"),
    empty=frozenset({200}),
)


class Zendesk(HttpApp):
    """One account."""

    def write(self, writes: Sequence[Write]) -> list[Result]:
        """Change what is no address first; an address that is refused refuses its whole write."""
        results: list[Result] = []
        rest: list[tuple[int, Write]] = []
        for place, write in enumerate(writes):
            results.append(Unknown(message="not asked for"))
            if write.kind != "update" or not write.fields.get("email") or not self.is_id(write.id):
                rest.append((place, write))
                continue
            moved = self._move(write)
            if isinstance(moved, Applied):
                fields = {name: raw for name, raw in write.fields.items() if name != "email"}
                rest.append((place, replace(write, fields=fields)))
            else:
                results[place] = moved
        for (place, _), result in zip(rest, super().write([write for _, write in rest]), strict=True):
            results[place] = result
        return results

    def _move(self, write: Write) -> Result:
        """Make this address the primary one."""
        try:
            there = self.present([write.id]).get(write.id)
            if there is None:
                return Rejected(why="gone")
            if there.get("email") == write.fields["email"]:
                return Applied(record=None)
            return self._made_primary(write)
        except OutcomeUnknown as error:
            return Unknown(message=str(error))
        except (TransientError, AccessError) as error:
            return Rejected(why="busy", message=str(error))
        except SyncdError as error:
            return Unknown(message=str(error))

    def _made_primary(self, write: Write) -> Result:
        address = write.fields["email"]
        if not isinstance(address, str):
            return Rejected(why="invalid", field="email", message="the app holds a text here")
        held = self.session.read(IDENTITIES, {"id": write.id}).doc
        identity = next((each["id"] for each in _identities(held) if _is(each, address)), None)
        if identity is None:
            answer, fault = self.session.write(ADD, {"id": write.id, "value": address})
            if fault is not None:
                return replace(made, field="email") if isinstance(made := result_of(fault), Rejected) else made
            identity = answer.doc["identity"]["id"]
        _, fault = self.session.write(MAKE_PRIMARY, {"id": write.id, "identity": identity}, repeatable=True)
        return (
            Applied(record=None)
            if fault is None
            else Unknown(message="the address was added, but is not the primary one")
        )


def _identities(doc: Any) -> list[dict[str, Any]]:
    found = doc.get("identities") if isinstance(doc, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _is(identity: dict[str, Any], address: str) -> bool:
    return identity.get("type") == "email" and str(identity.get("value")).lower() == address.lower()


CONNECTOR: Final[Connector] = connector(Path(__file__).with_name("manifest.yaml"), "zendesk", Zendesk)
