"""CardDAV against the suite, on a real server and on one with the peculiarities of others."""

from __future__ import annotations

import contextlib

import pytest

from connectors.carddav.world import WORLDS
from syncd.kit.suite import Check, one
from syncd.kit.writing import TEXTS
from syncd.model import Rejected, Write
from tests.conformance.carddav import RadicaleWorld
from tests.conformance.putting import every_check, put
from tests.radicale import Server


@every_check
def test_radicale(check: Check, radicale_server: Server, address_book: str) -> None:
    put("radicale", lambda: RadicaleWorld(radicale_server, address_book), check)


@every_check
@pytest.mark.parametrize("server", WORLDS)
def test_stand_in(server: str, check: Check) -> None:
    put(f"carddav {server}", WORLDS[server], check)


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
