"""HTTP clients for the tests, and the reactions they raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncd.errors import SyncdError
from syncd.http.client import Client
from tests.wire import Wire

SECRETS = ("hunter2-pw", "YWRhOmh1bnRlcjItcHc=")  # as it is, and as Basic sends it


class Naps(list[float]):
    """Take the place of sleeping."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


OPEN: list[Client] = []


def closing() -> Iterator[None]:
    """What a module's autouse fixture is made of: nothing stays open."""
    yield
    while OPEN:
        OPEN.pop().close()


def client(server: Wire, **more: Any) -> Client:
    settings = {"network": "private", "username": "ada", "password": "hunter2-pw", "sleep": Naps(), **more}
    OPEN.append(Client("crm", f"{server.url}dav/", **settings))
    return OPEN[-1]


def failure(ask: Callable[[], object]) -> SyncdError:
    """Give the reaction that this raises; no part of it may hold a secret or a query."""
    with pytest.raises(SyncdError) as caught:
        ask()
    told = f"{caught.value} {caught.value.detail} {caught.value.args}"
    assert not any(secret in told for secret in (*SECRETS, "token=", "private text"))
    return caught.value
