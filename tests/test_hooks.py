"""Webhooks over real HTTP: the real daemon, the vendors' sandboxes, and letters that come twice, late, forged or never."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.hubspot.sandbox import Sandbox as HubSpot
from connectors.mailchimp.sandbox import Sandbox as Mailchimp
from syncd.http.sandbox import Clock, Courier, Letter, Server, post, serving
from syncd.web.hooks import BODY_MAX
from tests.hubs import Hub, until
from tests.test_daemon import events, running, stopped

KEY, CANARY, SECRET = "the app's secret", "Canary-4242", "0123456789abcdef-XYZ"
QUIET = "poll: 1h"
MORE = f"network: private, {QUIET}, hooks: true"


def earlier_clock() -> Clock:
    """Give a clock that begins two minutes ago: it can be set to now, as signed times are compared with ours, and no vendor's
    clock goes back further than reads overlap.
    """
    return Clock(now_us=time.time_ns() // 1000 - 120_000_000)


@dataclass(slots=True, kw_only=True)
class Shop:
    """A CRM that sends webhooks, a file that follows, and the daemon between them."""

    hub: Hub
    crm: HubSpot
    server: Server
    courier: Courier
    daemon: subprocess.Popen[bytes]
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/crm"

    def file(self, email: str) -> dict[str, str]:
        return self.hub.rows("news").get(email, {})

    def arrives(self, what: Callable[[], object], why: str) -> None:
        until(what, why, alive=self.daemon)


def port_of(hub: Hub, daemon: subprocess.Popen[bytes]) -> int:
    until(lambda: events(hub, event="listening"), "it listens", alive=daemon)
    return int(events(hub, event="listening")[0]["port"])


def crm_of(hub: Hub, server: Server, more: str = MORE) -> None:
    for secret, value in (("token", "token"), ("app_secret", KEY)):
        (hub.folder / secret).write_text(value)
    secrets = "secrets: {token: 'file:token', app_secret: 'file:app_secret'}"
    hub.app("crm", f"{{connector: hubspot, settings: {{url: '{server.url}'}}, {secrets}, {more}}}")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Ten people in the CRM, known to the file as well."""
    hub, crm = Hub(tmp_path), HubSpot(clock=earlier_clock())
    with serving(crm) as server:
        for n in range(10):
            crm.add({"email": f"p{n}@example.com", "firstname": f"First{n}"})
        crm_of(hub, server)
        hub.csv("news", [], more=f", {QUIET}")
        hub.configure("guards: {updates: '100%', unlinks: '100%'}\n")
        crm.clock.pass_seconds(60)
        hub.synced()
        crm.clock.now_us = time.time_ns() // 1000
        with running(hub, env={"SYNCD_BIND_ADDRESS": "127.0.0.1:0"}) as daemon:
            port = port_of(hub, daemon)
            until(lambda: len(events(hub, event="pass", kind="poll")) == 2, "the first pass", alive=daemon)
            crm.hook = (f"http://127.0.0.1:{port}/hooks/crm", KEY)
            courier = Courier(crm)
            crm.letters()  # what was there before is not told
            server.asked.clear()
            yield Shop(hub=hub, crm=crm, server=server, courier=courier, daemon=daemon, port=port)


def test_an_edit_travels_by_its_webhook_alone(shop: Shop) -> None:
    id_ = next(iter(shop.crm.contacts))
    shop.crm.edit(str(id_), {"firstname": CANARY})
    assert shop.courier.deliver() == [200]
    shop.arrives(lambda: shop.file("p0@example.com")["first_name"] == CANARY, "the edit")
    assert [asked.path for asked in shop.server.asked] == [f"/crm/v3/objects/contacts/{id_}"]
    shop.arrives(lambda: events(shop.hub, event="pass", app="crm", kind="hints"), "it is told")
    assert stopped(shop.daemon) == 0
    assert CANARY not in (shop.hub.folder / "err").read_text()


def test_copies_losses_and_disorder_end_in_what_the_app_holds(shop: Shop) -> None:
    """BEHAVIOURS 65, 19 and 51: what webhooks did not tell a poll finds, and it is counted."""
    shop.courier.copies, shop.courier.shuffled = 0.5, True
    ids = [str(id_) for id_ in shop.crm.contacts]
    for round_ in range(3):
        for id_ in ids:
            shop.crm.edit(id_, {"firstname": f"Round{round_}-{id_}"})
            assert set(shop.courier.deliver()) <= {200}
    new = shop.crm.add({"email": "new@example.com", "firstname": "New"})
    shop.courier.deliver()
    wanted = {f"p{n}@example.com": f"Round2-{id_}" for n, id_ in enumerate(ids)} | {"new@example.com": "New"}
    shop.arrives(lambda: {email: row["first_name"] for email, row in shop.hub.rows("news").items()} == wanted, "all")
    shop.crm.archive(ids[0])
    shop.courier.deliver()
    shop.arrives(lambda: shop.hub.json("status")["apps"]["crm"]["linked"] == 10, "the removal")
    shop.courier.lost = 1.0
    shop.crm.edit(new, {"firstname": "Silent"})
    assert shop.courier.deliver() == []
    shop.crm.clock.pass_seconds(60)
    assert shop.hub.run("sync").code in (0, 3)  # beside the daemon: a poll
    assert shop.file("new@example.com")["first_name"] == "Silent"


def test_a_webhook_that_is_not_genuine_is_refused_without_a_word(shop: Shop) -> None:
    id_ = next(iter(shop.crm.contacts))
    shop.crm.edit(str(id_), {"firstname": CANARY})
    [right] = shop.crm.letters()
    old = dict(right.headers)
    wrong = [
        replace(right, headers={}),
        replace(right, headers={**old, "X-HubSpot-Signature-v3": "none"}),
        replace(right, body=right.body.replace(b"contact", b"Contact")),
        replace(
            right, headers={**old, "X-HubSpot-Request-Timestamp": str(int(old["X-HubSpot-Request-Timestamp"]) + 1)}
        ),
        replace(right, url=f"{right.url}/more"),
    ]
    assert [post(each) for each in wrong] == [401, 401, 401, 401, 404]
    assert post(replace(right, url=right.url.replace("/crm", "/news"))) == 404
    assert post(replace(right, url=right.url.replace("/crm", "/nobody"))) == 404
    shop.crm.clock.pass_seconds(-360)
    shop.crm.edit(str(list(shop.crm.contacts)[1]), {"firstname": "Old"})
    [late] = shop.crm.letters()
    assert post(late) == 401
    assert post(replace(right, body=b"x" * (BODY_MAX + 1))) == 413
    assert shop.server.asked == [], "nothing was asked for"
    assert post(right) == 200
    assert post(right) == 200  # the vendor did not hear the answer and sends it again: once is enough
    shop.arrives(lambda: shop.file("p0@example.com")["first_name"] == CANARY, "the genuine one")
    shop.arrives(lambda: events(shop.hub, event="hook repeated"), "the repetition is noticed")
    assert stopped(shop.daemon) == 0
    assert len([asked for asked in shop.server.asked if asked.method == "GET"]) == 1
    reasons = {event["message"].split(":")[0] for event in events(shop.hub, event="hook refused", app="crm")}
    assert reasons == {
        "it has no x-hubspot-signature-v3", "its signature is wrong", "the end of its address is not the secret one",
        "it was signed too long ago", f"it is larger than {BODY_MAX >> 20} MiB",
    }  # fmt: skip
    log = (shop.hub.folder / "err").read_text()
    assert CANARY not in log
    assert KEY not in log


def test_status_tells_how_webhooks_do(shop: Shop) -> None:
    id_ = next(iter(shop.crm.contacts))
    shop.crm.edit(str(id_), {"firstname": "Zoe"})
    shop.courier.deliver()
    shop.arrives(lambda: shop.file("p0@example.com")["first_name"] == "Zoe", "the edit")
    hooks = shop.hub.json("status")["apps"]["crm"]["hooks"]
    assert hooks.pop("last_age_seconds") < 60
    assert hooks == {"seen": 1, "waiting": 0, "missed": 0, "silent": False}
    assert "crm: webhooks: 1 came, the last " in shop.hub.run("status").out
    assert "hooks" not in shop.hub.json("status")["apps"]["news"]


def test_what_is_no_webhook_at_all_harms_nobody(shop: Shop) -> None:
    def said(text: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", shop.port), timeout=30) as wire:
            wire.sendall(text)
            return wire.recv(100)

    for text in (b"\x00\xff\r\n\r\n", b"POST /hooks/crm HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
                 b"POST /hooks/crm HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"):  # fmt: skip
        assert said(text).startswith((b"HTTP/1.1 4", b"")), text[:30]
    assert said(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 404")
    assert said(b"PUT /hooks/crm HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").startswith(b"HTTP/1.1 405")
    slow = [socket.create_connection(("127.0.0.1", shop.port)) for _ in range(50)]
    for wire in slow:
        wire.sendall(b"POST /hooks/crm HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[")
    id_ = next(iter(shop.crm.contacts))
    shop.crm.edit(str(id_), {"firstname": "Zoe"})
    assert shop.courier.deliver() == [200]
    shop.arrives(lambda: shop.file("p0@example.com")["first_name"] == "Zoe", "the edit")
    for wire in slow:
        wire.close()
    assert stopped(shop.daemon) == 0
    assert not events(shop.hub, level="error")


def test_it_dies_after_its_answer_and_the_webhook_is_not_lost(shop: Shop) -> None:
    ids = [str(id_) for id_ in shop.crm.contacts]
    (shop.hub.folder / "news.csv").rename(shop.hub.folder / "away.csv")  # nothing can be written yet
    for id_ in ids:
        shop.crm.edit(id_, {"firstname": f"Kept-{id_}"})
        assert shop.courier.deliver() == [200]
    shop.daemon.kill()
    shop.daemon.wait(30)
    (shop.hub.folder / "away.csv").rename(shop.hub.folder / "news.csv")
    with running(shop.hub, env={"SYNCD_BIND_ADDRESS": "127.0.0.1:0"}) as daemon:
        until(
            lambda: {row["first_name"] for row in shop.hub.rows("news").values()} == {f"Kept-{id_}" for id_ in ids},
            "all of them",
            alive=daemon,
        )


def test_an_address_that_is_taken_or_missing_is_told_before_anything_starts(tmp_path: Path) -> None:
    hub, crm = Hub(tmp_path), HubSpot(clock=earlier_clock())
    with serving(crm) as server:
        crm_of(hub, server)
        hub.csv("news", [])
        said = hub.run("run", env={"SYNCD_BIND_ADDRESS": f"127.0.0.1:{server.port}"})
    assert said.code == 2
    assert f"SYNCD_BIND_ADDRESS: 127.0.0.1:{server.port} cannot be listened on: " in said.err


# -- Mailchimp: a secret address, a question before the first one, and no ids


def test_an_unsigned_vendor_is_subscribed_by_its_api_and_only_makes_us_look(tmp_path: Path) -> None:
    hub, news = Hub(tmp_path), Mailchimp(clock=earlier_clock())
    with serving(news) as server, contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
        free.close()
        for secret, value in (("api_key", "key-us19"), ("hook_secret", SECRET)):
            (tmp_path / secret).write_text(value)
        hub.app(
            "news",
            f"{{connector: mailchimp, settings: {{url: '{server.url}/3.0', audience: a1b2c3}}, {MORE}, "
            "secrets: {api_key: 'file:api_key', hook_secret: 'file:hook_secret'}}",
        )
        hub.csv("crm", [], more=f", {QUIET}")
        member = news.add("Ann@example.com", {"FNAME": "Ann"})
        news.clock.pass_seconds(60)
        hub.synced()
        news.clock.now_us = time.time_ns() // 1000
        public = f"http://127.0.0.1:{port}"
        env = {"SYNCD_BIND_ADDRESS": f"127.0.0.1:{port}", "SYNCD_PUBLIC_URL": public}
        told = hub.run("check", env=env).out
        assert f"{public}/hooks/news/<hook_secret>" in told
        assert SECRET not in told
        with running(hub, env=env) as daemon:
            until(lambda: news.webhooks, "it is subscribed", alive=daemon)
            assert news.webhooks[0]["url"] == f"{public}/hooks/news/{SECRET}"
            courier = Courier(news)
            news.letters()
            news.edit(member, FNAME="Anna")
            news.clock.pass_seconds(3)  # a whole second is visible when it is over
            [letter] = news.letters()
            assert post(replace(letter, url=f"{public}/hooks/news/{SECRET[:-1]}")) == 404
            assert post(replace(letter, url=f"{public}/hooks/news")) == 404
            assert post(letter) == 200
            until(lambda: hub.rows("crm")["ann@example.com"]["first_name"] == "Anna", "the edit", alive=daemon)
            assert courier.deliver() == []
            assert stopped(daemon) == 0
        log = (tmp_path / "err").read_text()
        assert SECRET not in log
        assert "example.com" not in log
        with running(hub, env=env) as daemon:
            until(lambda: events(hub, event="pass", app="news"), "it begins again", alive=daemon)
            assert len(news.webhooks) == 1
            assert stopped(daemon) == 0


# -- many at once


def test_forty_changes_a_second_are_all_written(shop: Shop) -> None:
    ids = [str(id_) for id_ in shop.crm.contacts]
    statuses: list[int] = []

    def deliver(letters: list[Letter]) -> None:
        wire = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=30)
        for letter in letters:
            wire.request("POST", "/hooks/crm", letter.body, dict(letter.headers))
            answer = wire.getresponse()
            answer.read()
            statuses.append(answer.status)
        wire.close()

    letters: list[list[Letter]] = [[], [], []]
    for n in range(120):
        with shop.server.lock:
            shop.crm.edit(ids[n % 10], {"firstname": f"N{n}"})
            letters[n % 3] += shop.crm.letters()
    threads = [threading.Thread(target=deliver, args=(each,)) for each in letters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 120
    wanted: dict[str, Any] = {f"p{n}@example.com": f"N{110 + n}" for n in range(10)}
    shop.arrives(lambda: {email: row["first_name"] for email, row in shop.hub.rows("news").items()} == wanted, "all")
    assert shop.hub.json("status")["apps"]["crm"]["hooks"]["seen"] == 120
