"""What makes a webhook genuine, vendor by vendor: the sandboxes sign as the vendors' documents say, the manifests check it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.hubspot.sandbox import Sandbox as HubSpot
from connectors.mailchimp.sandbox import Sandbox as Mailchimp
from connectors.mautic.sandbox import Sandbox as Mautic
from connectors.quickbooks.sandbox import Sandbox as QuickBooks
from connectors.xero.sandbox import Sandbox as Xero
from connectors.zendesk.sandbox import Sandbox as Zendesk
from syncd import registry
from syncd.connector import Arrival, Ear, Heard, Opening, Refused, Time
from syncd.errors import ConfigError
from syncd.http.compiling import load_manifest
from syncd.http.sandbox import Clock, Letter, Tells, hmac_of
from tests.test_manifest import GOOD

URL = "https://sync.example.com/hooks/crm"
KEY = "a key of some length"
SECRET = "0123456789abcdef"
SETTINGS = {"tenant": "4711", "audience": "a1b2c3"}


def needs_of(name: str) -> tuple[str, ...]:
    hooking = registry.spec(name).hooking
    assert hooking is not None
    return hooking.needs


def ear(name: str, **secrets: str) -> Ear:
    connector = registry.load(name)
    hooking = connector.spec.hooking
    assert hooking is not None
    assert connector.listen is not None
    given = dict.fromkeys(hooking.needs, SECRET if hooking.path else KEY) | secrets
    return connector.listen(Opening(app="crm", settings=SETTINGS, secrets=given, fields={}, known={}))


def arrived(letter: Letter, **changes: Any) -> Arrival:
    headers = {name.lower(): value for name, value in letter.headers.items()}
    arrival = Arrival(method="POST", url=URL, headers=headers, query={}, body=letter.body)
    return replace(arrival, **changes)


def clock() -> Clock:
    return Clock(now_us=time.time_ns() // 1000)


def _hubspot() -> tuple[Any, str]:
    crm = HubSpot(clock=clock(), hook=(URL, KEY))
    return crm, crm.add({"email": "ann@x.org"})


def _xero() -> tuple[Any, str]:
    books = Xero(clock=clock(), hook=(URL, KEY))
    return books, books.add({"Name": "Ann", "EmailAddress": "ann@x.org"})


def _zendesk() -> tuple[Any, str]:
    desk = Zendesk(clock=clock(), hook=(URL, KEY))
    return desk, desk.add({"name": "Ann", "email": "ann@x.org"})


def _quickbooks() -> tuple[Any, str]:
    books = QuickBooks(clock=clock(), hook=(URL, KEY))
    return books, books.add({"DisplayName": "Ann"})


def _mautic() -> tuple[Any, str]:
    mail = Mautic(clock=clock(), hook=(URL, KEY))
    return mail, mail.add({"email": "ann@x.org"})


SIGNED: Mapping[str, Callable[[], tuple[Any, str]]] = {
    "hubspot": _hubspot, "xero": _xero, "zendesk": _zendesk, "quickbooks": _quickbooks, "mautic": _mautic,
}  # fmt: skip
TIMED = ("hubspot", "zendesk")


def one(sandbox: Tells) -> Letter:
    [letter] = sandbox.letters()
    return letter


@pytest.mark.parametrize("name", SIGNED)
def test_a_signed_webhook_names_its_record(name: str) -> None:
    sandbox, id_ = SIGNED[name]()
    heard = ear(name).hear(arrived(one(sandbox)))
    assert isinstance(heard, Heard)
    assert (heard.ids, heard.something, heard.note, heard.answer) == ((id_,), False, "", "")
    assert (heard.once is not None) == (name in (*TIMED, "xero"))


@pytest.mark.parametrize("name", SIGNED)
def test_whatever_is_changed_on_its_way_is_refused(name: str) -> None:
    sandbox, _ = SIGNED[name]()
    letter = one(sandbox)
    hears = ear(name)
    wrong = [
        arrived(letter, headers={}),
        arrived(
            letter, headers=dict.fromkeys(letter.headers, "") | {k.lower(): f"{v}=" for k, v in letter.headers.items()}
        ),
        arrived(letter, body=letter.body + b" "),
        arrived(letter, body=orjson.dumps(orjson.loads(letter.body), option=orjson.OPT_INDENT_2)),  # the same JSON
        arrived(letter, headers={k.lower(): "\u00e9" for k in letter.headers}),
    ]
    for arrival in wrong:
        said = hears.hear(arrival)
        assert isinstance(said, Refused)
        assert not said.unknown
        assert KEY not in said.why
    assert isinstance(ear(name, **dict.fromkeys(needs_of(name), "another")).hear(arrived(letter)), Refused)
    assert hears.hear(arrived(letter, secret="x")) == Refused(
        why="the end of its address is not the secret one", unknown=True
    )
    assert isinstance(hears.hear(arrived(letter, method="GET")), Refused)


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(("minutes", "genuine"), [(-6, False), (-4, True), (4, True), (6, False)])
def test_the_signed_time_is_near(name: str, minutes: int, genuine: bool) -> None:
    sandbox, _ = SIGNED[name]()
    sandbox.clock.pass_seconds(60 * minutes)
    said = ear(name).hear(arrived(one(sandbox)))
    assert isinstance(said, Heard if genuine else Refused)


def test_hubspot_signs_the_method_and_the_public_address() -> None:
    sandbox, _ = _hubspot()
    letter = one(sandbox)
    for changes in ({"url": "http://127.0.0.1:8080/hooks/crm"}, {"url": f"{URL}?a=b"}, {"method": "PUT"}):
        assert isinstance(ear("hubspot").hear(arrived(letter, **changes)), Refused)


def test_of_hubspots_events_those_of_contacts_count_with_all_that_a_merge_names() -> None:
    events: list[dict[str, Any]] = [
        {"subscriptionType": "company.propertyChange", "objectId": 1},
        {"subscriptionType": "contact.merge", "objectId": 2, "primaryObjectId": 2, "mergedObjectIds": [3, 4], "newObjectId": 5},
        {"subscriptionType": "contact.deletion", "objectId": "not an id"},
        {"subscriptionType": "contact.propertyChange", "objectId": 2, "propertyValue": "secret"},
    ]  # fmt: skip
    sandbox, _ = _hubspot()
    heard = ear("hubspot").hear(arrived(sandbox._letter(events)))
    assert isinstance(heard, Heard)
    assert heard.ids == ("2", "3", "4", "5")
    assert heard.something, "one of them named nobody that can be asked for: the app is read"


def test_xero_tries_right_and_wrong_signatures_before_it_begins() -> None:
    sandbox, _ = _xero()
    right, wrong = sandbox.letter([]), sandbox.letter([], key="wrong")
    heard = ear("xero").hear(arrived(right))
    assert isinstance(heard, Heard)
    assert (heard.ids, heard.something, heard.answer) == ((), False, "")
    assert isinstance(ear("xero").hear(arrived(wrong)), Refused)


def test_of_xeros_events_those_of_our_contacts_count() -> None:
    sandbox, id_ = _xero()
    sandbox.tenant = "another"
    heard = ear("xero").hear(arrived(one(sandbox)))
    assert isinstance(heard, Heard)
    assert (heard.ids, heard.something) == ((), False)
    assert id_


@pytest.mark.parametrize("body", [b"", b"{", b"null", b'"text"', b"<html>", b'{"events": 5}', b"[" * 5000])
def test_what_is_genuine_and_not_understood_makes_us_look(body: bytes) -> None:
    letter = Letter(url=URL, headers={"x-xero-signature": hmac_of(KEY, body)}, body=body)
    heard = ear("xero").hear(arrived(letter))
    assert isinstance(heard, Heard)
    assert heard.something
    assert heard.note


def test_where_a_login_has_told_the_organisation_whatever_comes_may_be_ours() -> None:
    """The ear does not open the store, where that is kept. A hint of somebody else's asks for a record that is not there."""
    connector, needs = registry.load("xero"), dict.fromkeys(needs_of("xero"), KEY)
    assert connector.listen is not None
    hears = connector.listen(Opening(app="crm", settings={"tenant": None}, secrets=needs, fields={}, known={}))
    sandbox, id_ = _xero()
    heard = hears.hear(arrived(one(sandbox)))
    assert isinstance(heard, Heard)
    assert heard.ids == (id_,)


def test_mautic_tells_of_a_removal_by_the_id_beside_the_contact() -> None:
    sandbox, id_ = _mautic()
    sandbox.letters()
    sandbox.delete(id_)
    heard = ear("mautic").hear(arrived(one(sandbox)))
    assert isinstance(heard, Heard)
    assert heard.ids == (id_,)


def test_mailchimp_signs_nothing_so_its_address_is_secret_and_it_only_makes_us_look() -> None:
    news = Mailchimp(clock=clock())
    news.webhooks.append({"url": f"{URL}/{SECRET}", "sources": {"api": False}})
    news.add("ann@x.org")
    letter = one(news)
    hears = ear("mailchimp")
    assert hears.hear(arrived(letter, secret=SECRET)) == Heard(something=True)
    assert hears.hear(arrived(letter, secret=SECRET, method="GET", body=b"")) == Heard()
    for secret in ("", SECRET[:-1], f"{SECRET}x", "\u00e9"):
        said = hears.hear(arrived(letter, secret=secret))
        assert isinstance(said, Refused)
        assert said.unknown
    campaign = letter.body.replace(b"type=subscribe", b"type=campaign")
    assert hears.hear(arrived(letter, secret=SECRET, body=campaign)) == Heard()
    for body in (b"\xff", b"a=1&a[b]=2", b"&&&;"):
        heard = hears.hear(arrived(letter, secret=SECRET, body=body))
        assert isinstance(heard, Heard)
        assert heard.something


@pytest.mark.parametrize("secret", ["short", "0123456789abcdef/..", "0123456789 abcdef"])
def test_a_secret_that_cannot_end_an_address_is_told(secret: str) -> None:
    with pytest.raises(ConfigError, match="hook_secret") as caught:
        ear("mailchimp", hook_secret=secret)
    assert secret not in str(caught.value)


# -- manifests

HOOKS = """
hooks:
  how: by hand
  sign: {header: X-Signature, key: "{token}", over: "v0:{timestamp}:{body}", hash: sha512, encoding: hex, prefix: "v0=",
         timestamp: {header: X-Time, format: unix, window: 10m}}
  items: data[0:]
  ids: [id, merged]
  challenge: {at: challenge}
"""


def made(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "manifest.yaml"
    file.write_text(GOOD + text)
    return load_manifest(file, "test")


def test_other_vendors_are_said_in_the_same_words(tmp_path: Path) -> None:
    import hashlib
    import hmac

    from syncd.http.hooks import HookEar

    hooks = made(tmp_path, HOOKS).hooks
    time = Time(now=lambda: 1_000.0)
    opening = Opening(app="a", settings={}, secrets={"token": KEY}, fields={}, known={}, time=time)
    hears = HookEar(hooks, None, opening)

    def sent(doc: Any) -> Heard | Refused:
        body = orjson.dumps(doc)
        signature = "v0=" + hmac.new(KEY.encode(), b"v0:1500:" + body, hashlib.sha512).hexdigest()
        return hears.hear(
            Arrival(method="POST", url="", headers={"x-signature": signature, "x-time": "1500"}, query={}, body=body)
        )

    heard = sent({"data": [{"id": 1, "merged": ["2", ["3"], None, True]}, {"id": "1"}]})
    assert isinstance(heard, Heard)
    assert heard.ids == ("1", "2", "3")
    heard = sent({"challenge": "say this"})
    assert isinstance(heard, Heard)
    assert heard.answer == "say this"
    for odd in ("<script>\n", "x" * 501, "\u00e9"):
        heard = sent({"challenge": odd})
        assert isinstance(heard, Heard)
        assert heard.answer == ""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('key: "{token}"', "key: constant", "is made of secrets, nothing else"),
        ('key: "{token}"', 'key: "{region}"', "is made of secrets, nothing else"),
        ("v0:{timestamp}:{body}", "{timestamp}", "holds {body}, and may hold"),
        ("v0:{timestamp}:{body}", "{body}{host}{timestamp}", "holds {body}, and may hold"),
        ("v0:{timestamp}:{body}", "{body}", "a time that is not signed proves nothing"),
        ("sign: {", "path: region\n  x_sign: {", 'unknown key'),
        ("how: by hand", "path: nothing\n  how: by hand", "no such secret"),
        ("ids: [id, merged]", 'ids: [id]\n  only: [{path: t, is: ["{nobody}"]}]', "nothing is called {nobody} here"),
    ],
)  # fmt: skip
def test_what_could_not_be_believed_does_not_compile(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in HOOKS
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, HOOKS.replace(old, new))
    assert complaint in "\n".join(problem.message for problem in caught.value.problems)


def test_webhooks_that_anybody_could_send_are_not_described(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, "hooks: {how: by hand, ids: [id]}\n")
    assert "anybody could send them" in caught.value.problems[0].message
