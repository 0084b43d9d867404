"""What the tests of `ldap` share: writes and their results, and what happens while one of them is on its way."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from connectors.ldap.world import World as LdapWorld
from syncd import registry
from syncd.connector import App
from syncd.kit.worlds import opening
from syncd.model import Applied, Record, Rejected, Result, Write

MODIFY: Final = 0x66
ADD: Final = 0x68


def update(id_: str, **fields: Any) -> Write:
    return Write(kind="update", id=id_, fields=fields)


def refused(result: Result) -> Rejected:
    assert isinstance(result, Rejected), result
    return result


def applied(result: Result) -> Record:
    assert isinstance(result, Applied), result
    assert result.record is not None
    return result.record


def mails(world: LdapWorld, id_: str) -> list[str]:
    return [each.decode() for each in world.branch.one(id_)["mail"]]


@contextlib.contextmanager
def meanwhile(world: LdapWorld, kind: int, *, do: Callable[[], object]) -> Iterator[None]:
    """Do something as soon as a request of this kind is on its way, before it arrives."""
    done = threading.Event()

    def passing(data: bytes) -> None:
        if not done.is_set() and kind in data[:12]:
            done.set()
            do()

    world.passing = passing
    yield
    world.passing = lambda data: None
    assert done.is_set(), "no such request was sent"


def connect(settings: dict[str, Any], **more: Any) -> App:
    connector = registry.load("ldap")
    return connector.open(opening(connector, settings, **{"network": "private", **more}))
