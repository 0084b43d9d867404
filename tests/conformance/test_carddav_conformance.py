"""CardDAV against the suite, on a real server and on one with the peculiarities of others."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from syncd.kit.suite import Check, one
from syncd.kit.writing import TEXTS
from syncd.model import Rejected, Write
from tests.conformance.carddav import RadicaleWorld, TinyWorld
from tests.conformance.putting import every_check, put
from tests.radicale import Server
from tests.tinydav import tiny_dav

SERVERS: dict[str, dict[str, Any]] = {"plain": {}, "cut answers": {"limit": 100}}


@every_check
def test_radicale(check: Check, radicale_server: Server, address_book: str) -> None:
    put("radicale", lambda: RadicaleWorld(radicale_server, address_book), check)


@every_check
@pytest.mark.parametrize("server", SERVERS)
def test_tiny(server: str, check: Check) -> None:
    with tiny_dav(**SERVERS[server]) as dav:
        put(f"tiny {server}", lambda: TinyWorld(dav), check)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:20])
def test_every_text_comes_back_but_for_its_line_ends(text: str, radicale_server: Server, address_book: str) -> None:
    world = RadicaleWorld(radicale_server, address_book)
    with contextlib.closing(world):
        app = world.open()
        id_ = world.add(email="ada@example.org")
        for name in ("notes", "company", "job_title"):
            result = one(app, Write(kind="update", id=id_, fields={name: text}))
            [record] = app.get([id_]).values()
            if isinstance(result, Rejected):
                assert (result.why, result.field) == ("invalid", name)
            else:
                assert record.fields[name] == text.replace("\r\n", "\n")
