"""Tickets, invoices, deals: only read, folded into one value a contact, and told on to other apps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import AccessError, ConfigError
from syncd.http.app import HttpApp
from syncd.http.sandbox import Said, Server
from syncd.kit.suite import caught_up, known, listing, news
from syncd.model import FieldMap
from tests.conformance.vendors import HubSpotWorld, VendorWorld, XeroWorld, ZendeskWorld
from tests.hubs import Hub
from tests.openapi import Document
from tests.test_contracts import OUTSIDE, ZENDESK, loaded


def fold(stream: str, take: str, of: str = "", where: str = "") -> FieldMap:
    """Make the map that the configuration makes of `from`, `take`, `of` and `where`."""
    return FieldMap(path=stream, direction="in", fold={"stream": stream, "take": take, "of": of, "where": where})


OPEN = fold("tickets", "count", where='ticket.status != "closed"')
LAST = fold("tickets", "max", "created_at")


@pytest.fixture
def desk() -> Iterator[ZendeskWorld]:
    with contextlib.closing(ZendeskWorld()) as made:
        yield made


def opened(world: VendorWorld, **fields: FieldMap) -> HttpApp:
    world.mapped = {**world.mapped, **fields}
    app = world.open()
    assert isinstance(app, HttpApp)
    return app


def asked(server: Server, word: str) -> list[str]:
    return [each.path for each in server.asked if word in each.path]


def test_nobody_asks_for_a_stream_that_nobody_folds(desk: ZendeskWorld) -> None:
    id_ = desk.add(email="ada@example.org")
    desk.sandbox.ask(id_)
    app = desk.open()
    news(app, caught_up(app))
    assert asked(desk.server, "tickets") == []


def test_a_listing_tells_what_everybody_has(desk: ZendeskWorld) -> None:
    ada, grace = desk.add(email="ada@example.org"), desk.add(email="grace@example.org")
    for status in ("open", "pending", "closed", "deleted"):
        desk.sandbox.ask(ada, status=status, created_at=f"2024-05-0{len(status) % 9}T10:00:00Z")
    desk.sandbox.clock.pass_seconds(120)
    records = listing(opened(desk, open_tickets=OPEN, last_ticket_at=LAST))
    assert [records[id_].fields["open_tickets"] for id_ in (ada, grace)] == [2, 0]
    assert records[ada].fields["last_ticket_at"] == "2024-05-07T10:00:00Z", "what was deleted does not count"
    assert records[grace].fields["last_ticket_at"] is None
    assert asked(desk.server, "requested") == [], "everybody's tickets are read together"


def test_what_changes_in_a_stream_is_told_of_its_record(desk: ZendeskWorld) -> None:
    ada, grace = desk.add(email="ada@example.org"), desk.add(email="grace@example.org")
    app = opened(desk, open_tickets=OPEN)
    cursor = caught_up(app)
    ticket = desk.sandbox.ask(ada)
    desk.sandbox.clock.pass_seconds(120)
    told, _, cursor = news(app, cursor)
    assert {id_: record.fields.get("open_tickets", "-") for id_, record in told.items()} == {ada: 1} | (
        {grace: "-"} if grace in told else {}
    )
    desk.sandbox.change(ticket, status="closed")
    desk.sandbox.clock.pass_seconds(120)
    told, _, cursor = news(app, cursor)
    assert told[ada].fields["open_tickets"] == 0
    desk.edit(grace, first_name="Grace")
    desk.sandbox.clock.pass_seconds(120)
    told, _, cursor = news(app, cursor)
    assert told[grace].fields["first_name"] == "Grace"
    assert "open_tickets" not in told[grace].fields, "nothing was asked of her tickets, which is not the same as none"
    desk.server.asked.clear()
    assert [page.records for page in app.read(cursor)] == [[]]
    assert len(asked(desk.server, "tickets")) == 1


def test_a_cursor_from_before_somebody_folded_reads_everything_again(desk: ZendeskWorld) -> None:
    cursor = caught_up(desk.open())
    [page] = opened(desk, open_tickets=OPEN).read(cursor)
    assert page.expired


def test_whose_ticket_it_is_may_be_nobody_of_ours(desk: ZendeskWorld) -> None:
    app = opened(desk, open_tickets=OPEN)
    cursor = caught_up(app)
    agent = next(id_ for id_, user in desk.sandbox.users.items() if user["role"] == "agent")
    gone = desk.add(email="ada@example.org")
    for requester in (str(agent), gone, "999"):
        desk.sandbox.ask(requester)
    desk.delete(gone)
    desk.sandbox.clock.pass_seconds(120)
    told, _, _ = news(app, cursor)
    assert told == {}
    assert asked(desk.server, "requested") == []


def test_a_record_that_is_asked_for_meanwhile_says_the_same(desk: ZendeskWorld) -> None:
    """The hub asks again for what a lagging feed shows otherwise than before: without it the news was taken back at once."""
    ada = desk.add(email="ada@example.org")
    app = opened(desk, open_tickets=OPEN)
    cursor = caught_up(app)
    desk.sandbox.ask(ada)
    desk.sandbox.clock.pass_seconds(120)
    for page in app.read(cursor):
        if any("open_tickets" in record.fields for record in page.records):
            assert known(app, ada).fields["open_tickets"] == 1
    assert "open_tickets" not in known(app, ada).fields, "afterwards nobody knows"


def test_many_tickets_of_one_person_come_in_pages(desk: ZendeskWorld) -> None:
    ada = desk.add(email="ada@example.org")
    app = opened(desk, open_tickets=OPEN)
    cursor = caught_up(app)
    for _ in range(130):
        desk.sandbox.ask(ada)
    desk.sandbox.ask(desk.add(email="us@example.net"), requester_id=4)  # of somebody who is no contact
    desk.sandbox.clock.pass_seconds(120)
    told, _, _ = news(app, cursor)
    assert told[ada].fields["open_tickets"] == 130
    assert len(asked(desk.server, "requested")) == 2
    assert listing(app)[ada].fields["open_tickets"] == 130


def test_invoices_are_added_up() -> None:
    with contextlib.closing(XeroWorld()) as world:
        ada, grace = world.add(email="ada@example.org"), world.add(email="grace@example.org")
        ours = 'invoice.kind == "ACCREC"'
        app = opened(
            world,
            unpaid=fold("invoices", "sum", "unpaid", ours),
            greatest=fold("invoices", "max", "total", ours),
            first=fold("invoices", "min", "date", ours),
        )
        world.sandbox.bill(ada, 0.1)
        paid = world.sandbox.bill(ada, 0.2, Date="/Date(1577836800000+0000)/")
        world.sandbox.bill(ada, 900.0, Type="ACCPAY")
        world.sandbox.bill(ada, 5.0, Status="VOIDED")
        fields = listing(app)[ada].fields
        assert (fields["unpaid"], fields["greatest"], fields["first"]) == (0.3, 0.2, "2020-01-01T00:00:00Z")
        assert listing(app)[grace].fields["unpaid"] == 0
        cursor = caught_up(app)
        world.sandbox.clock.pass_seconds(60)
        world.sandbox.rebill(paid, AmountDue=0)
        told, _, _ = news(app, cursor)
        assert told[ada].fields["unpaid"] == 0.1
        assert "unpaid" not in known(app, ada).fields


def test_a_deal_belongs_to_several_and_is_told_by_a_listing() -> None:
    with contextlib.closing(HubSpotWorld()) as world:
        ada, grace = world.add(email="ada@example.org"), world.add(email="grace@example.org")
        world.sandbox.deal(ada, grace, amount="100", hs_is_closed_won="true")
        world.sandbox.deal(ada, amount="2.5", hs_is_closed_won="true")
        world.sandbox.deal(ada, amount="900", hs_is_closed_won="false")
        world.sandbox.deal(amount="7", hs_is_closed_won="true")
        app = opened(world, won=fold("deals", "sum", "amount", 'deal.won == "true"'))
        assert {id_: record.fields["won"] for id_, record in listing(app).items()} == {ada: 102.5, grace: 100}
        cursor = caught_up(app)
        world.sandbox.deal(grace, amount="1", hs_is_closed_won="true")
        world.edit(grace, first_name="Grace")
        told, _, _ = news(app, cursor)
        assert "won" not in told[grace].fields
        assert listing(app)[grace].fields["won"] == 101


DOCUMENTS: dict[str, tuple[Callable[[], VendorWorld], FieldMap, str, dict[str, Any]]] = {
    "zendesk": (
        ZendeskWorld,
        OPEN,
        "zendesk/support.json",
        {"wrong": (*ZENDESK, r"requested: no such operation", r"tickets/cursor: query start_time is missing")},
    ),
    "xero": (XeroWorld, fold("invoices", "sum", "unpaid"), "xero/accounting.json", {"prefix": "/api.xro/2.0"}),
}


@pytest.mark.parametrize("vendor", DOCUMENTS)
def test_streams_are_asked_for_and_answered_as_the_document_says(vendor: str) -> None:
    make, where, name, more = DOCUMENTS[vendor]
    document = Document(loaded(name), **more)
    with contextlib.closing(make()) as world:
        ids = [world.add(email=f"p{n}@example.org") for n in range(3)]
        app = opened(world, lead_score=where)
        problems = document.watch(world.server, OUTSIDE)
        for id_ in ids[:2]:
            world.sandbox.ask(id_) if isinstance(world, ZendeskWorld) else world.sandbox.bill(id_, 12.5)
        cursor = caught_up(app)
        world.sandbox.clock.pass_seconds(120)
        world.sandbox.ask(ids[2]) if isinstance(world, ZendeskWorld) else world.sandbox.bill(ids[2], 7.5)
        world.sandbox.clock.pass_seconds(120)
        assert ids[2] in news(app, cursor)[0]
    assert sorted(set(problems)) == []
    assert any("ickets" in each or "Invoices" in each for each in document.asked)


def test_check_proves_that_a_stream_may_be_read(desk: ZendeskWorld) -> None:
    app = opened(desk, open_tickets=OPEN)
    desk.server.before = lambda each: Said(status=403, doc={"error": "Forbidden"}) if "tickets" in each.path else None
    with pytest.raises(AccessError, match="tickets"):
        app.check()


def test_a_stream_that_there_is_not_is_refused(desk: ZendeskWorld) -> None:
    with pytest.raises(ConfigError, match="there is no stream deals"):
        opened(desk, won=fold("deals", "count"))


# ---- the whole way ------------------------------------------------------------------------------------------------

FIELDS = """fields:
  open_tickets: {from: desk.tickets, take: count, where: 'ticket.status != "closed"'}
  last_ticket_at: {from: desk.tickets, take: max, of: created_at}
"""


def shop(tmp_path: Path, desk: ZendeskWorld, fields: str = FIELDS) -> Hub:
    hub = Hub(tmp_path)
    (tmp_path / "token").write_text("token")
    said = f"settings: {{url: '{desk.server.url}/api/v2', agent: agent@example.com}}, secrets: {{token: file:token}}"
    hub.app("desk", f"{{connector: zendesk, network: private, {said}}}")
    columns = ("id", "email", "full_name", "open_tickets", "last_ticket_at")
    hub.csv(
        "crm", [{"id": str(n), "email": f"p{n}@example.org", "full_name": f"P{n}"} for n in (1, 2)], columns=columns
    )
    hub.configure(fields)
    return hub


def test_the_crm_shows_what_the_helpdesk_knows_and_cannot_change_it(tmp_path: Path, desk: ZendeskWorld) -> None:
    ids = [desk.sandbox.add({"name": f"P{n}", "email": f"p{n}@example.org"}) for n in (1, 2)]
    ticket = desk.sandbox.ask(ids[0], created_at="2024-05-01T10:00:00Z")
    desk.sandbox.clock.pass_seconds(300)
    hub = shop(tmp_path, desk)
    hub.synced()
    assert rows(hub) == {"p1@example.org": ("1", "2024-05-01T10:00:00Z"), "p2@example.org": ("0", "")}
    desk.sandbox.change(ticket, status="closed")
    desk.sandbox.ask(ids[1], created_at="2024-05-02T10:00:00Z")
    desk.sandbox.clock.pass_seconds(300)
    assert hub.run("sync").code == 0
    assert rows(hub) == {
        "p1@example.org": ("0", "2024-05-01T10:00:00Z"),
        "p2@example.org": ("1", "2024-05-02T10:00:00Z"),
    }
    desk.sandbox.edit(ids[1], {"name": "Another"})  # of whose tickets nothing is asked
    text = (tmp_path / "crm.csv").read_text().replace(",1,2024-05-02T10:00:00Z", ",99,2024-05-02T10:00:00Z")
    (tmp_path / "crm.csv").write_text(text)
    desk.sandbox.clock.pass_seconds(300)
    desk.server.asked.clear()
    assert hub.run("sync").code == 0
    assert rows(hub)["p2@example.org"] == ("1", "2024-05-02T10:00:00Z"), "what the helpdesk owns is written back"
    assert hub.rows("crm")["p2@example.org"]["full_name"] == "Another"
    assert {each.method for each in desk.server.asked} == {"GET"}
    said = hub.json("sync")
    assert said["outcome"] == "in_sync"


def rows(hub: Hub) -> dict[str, Any]:
    return {email: (row["open_tickets"], row["last_ticket_at"]) for email, row in hub.rows("crm").items()}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{from: desk.ticket, take: count}", "fields.x.from: desk has no such stream; there are: tickets"),
        ("{from: dsk.tickets, take: count}", 'fields.x.from: no such app, did you mean "desk"?'),
        ("{from: crm.tickets, take: count}", "fields.x.from: crm has no such stream; there are: none"),
        ("{from: tickets, take: count}", "fields.x.from: expected an app and a stream of it, such as desk.tickets"),
        ("{from: desk.tickets}", "fields.x: needs `take`: count, max, min, sum"),
        ("{from: desk.tickets, take: max}", "fields.x: needs `of`: created_at, priority, status, type, updated_at"),
        ("{from: desk.tickets, take: max, of: created}", 'fields.x.of: no such field, did you mean "created_at"?'),
        ("{from: desk.tickets, take: sum, of: status}", "fields.x.of: is no number, so that it has no sum"),
        ("{from: desk.tickets, take: count, of: status}", "fields.x: count has no `of`"),
        ("{from: desk.tickets, take: count, where: ticket.state == 1}", "fields.x.where: ticket has no such field"),
        ("{from: desk.tickets, take: count, where: ticket.status ==}", "fields.x.where: line 1, column"),
        (
            "{from: desk.tickets, take: count, policy: latest}",
            "fields.x.policy: desk owns what is folded out of its tickets",
        ),
        ("{type: number, take: count}", "fields.x.take: belongs to a field that is folded out of a stream"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_told(tmp_path: Path, desk: ZendeskWorld, said: str, told: str) -> None:
    err = shop(tmp_path, desk, f"fields: {{x: {said}}}\n").run("check", "--offline").err
    assert told in err, err


def test_a_folded_field_lies_nowhere_else_in_its_app(tmp_path: Path, desk: ZendeskWorld) -> None:
    hub = shop(tmp_path, desk)
    hub.app("desk", hub.apps["desk"][:-1] + ", fields: {open_tickets: {path: user_fields.company}}}")
    assert "apps.desk.fields.open_tickets: is folded out of desk.tickets" in hub.run("check", "--offline").err
