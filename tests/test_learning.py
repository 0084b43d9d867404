"""What a login tells besides its tokens: the company it is for, which nobody has to look up and type in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.xero.sandbox import Sandbox as Xero
from syncd.http.sandbox import Said, serving
from tests.hubs import person
from tests.logins import Account, account, agree, fetched
from tests.test_manifest import GOOD, problems

TOLD = {"quickbooks": "realm", "xero": "tenant"}
every_vendor = pytest.mark.parametrize("vendor", TOLD)


def logged_in(there: Account, *words: str) -> tuple[int, str]:
    """Go the whole way of a person; give the command's exit code and all that it said."""
    waiting = there.auth(*words)
    fetched(agree(waiting.page()))
    return waiting.end()


@every_vendor
def test_the_login_tells_the_setting_and_a_sync_needs_no_more(tmp_path: Path, vendor: str) -> None:
    with account(tmp_path, vendor) as there:
        there.hub.csv("list", [person(1)])
        before = there.hub.run("check")
        assert before.code == 5
        assert f"{TOLD[vendor]} is not known" in before.out
        code, said = logged_in(there)
        assert code == 0, said
        assert f"{TOLD[vendor]} is 4711" in said
        assert there.hub.run("sync", "--approve").code == 0
        assert there.hub.json("status")["apps"]["crm"]["linked"] == 1
        there.sandbox.clock.pass_seconds(7200)
        there.sandbox.login.tokens.clear()  # and what the login told outlives the tokens
        for _ in range(2):
            assert there.hub.run("check").code == 0


@every_vendor
def test_the_document_says_it(tmp_path: Path, vendor: str) -> None:
    with account(tmp_path, vendor) as there:
        waiting = there.auth("--json")
        fetched(agree(waiting.page()))
        assert waiting.end()[0] == 0
        assert f'"settings":{{"{TOLD[vendor]}":"4711"}}' in waiting.out.read_text()


@every_vendor
def test_what_the_operator_says_counts_and_a_login_for_another_one_is_refused(tmp_path: Path, vendor: str) -> None:
    with account(tmp_path, vendor, settings={TOLD[vendor]: "1234"}) as there:
        code, said = logged_in(there)
        assert code == 5, said
        assert f"the setting {TOLD[vendor]} names another" in said
        assert "nobody has logged in yet" in there.hub.run("check").out, "nothing of it is kept"
    (tmp_path / "same").mkdir()
    with account(tmp_path / "same", vendor, settings={TOLD[vendor]: "4711"}) as there:
        assert logged_in(there)[0] == 0
        assert there.hub.run("check").code == 0


@every_vendor
def test_a_login_for_another_company_is_another_account_and_is_held(tmp_path: Path, vendor: str) -> None:
    with account(tmp_path, vendor) as there:
        there.hub.csv("list", [person(1)])
        assert logged_in(there)[0] == 0
        assert there.hub.run("sync", "--approve").code == 0
        setattr(there.sandbox, TOLD[vendor], "4712")
        there.sandbox.login.adds = dict.fromkeys(there.sandbox.login.adds, "4712")
        assert logged_in(there)[0] == 0
        said = there.hub.run("sync")
        assert said.code == 4, said
        assert "another account" in said.out + said.err


def test_a_login_for_several_organisations_asks_which_one_and_is_kept(tmp_path: Path) -> None:
    with account(tmp_path) as there:
        there.sandbox.others = {"4713": "Other Ltd"}
        code, said = logged_in(there)
        assert code == 2, said
        assert "tenant: 4711 (Demo Company)" in said
        assert "4713 (Other Ltd)" in said
        there.hub.apps["crm"] = there.hub.apps["crm"].replace("settings: {", 'settings: {tenant: "4711", ')
        there.hub.configure()
        assert there.hub.run("check").code == 0, "the login itself was kept"


def test_a_practice_is_no_organisation_and_nobody_is_asked(tmp_path: Path) -> None:
    with account(tmp_path) as there:
        there.sandbox.practices = {"4700": "Accountants LLP"}
        code, said = logged_in(there)
        assert code == 0, said
        assert "tenant is 4711" in said


@pytest.mark.parametrize(
    ("doc", "code", "message"),
    [
        ([], 5, "is for no account"),
        ({"a": "list is expected"}, 3, "is not told"),
        ([{"tenantName": "Demo"}], 3, "is not told"),
        ([{"tenantId": "4711\nx"}], 3, "is not told"),
        (b"<html>log in</html>", 3, "a login page or a proxy"),
    ],
)
def test_a_vendor_that_tells_nothing_of_use_is_no_login(tmp_path: Path, doc: Any, code: int, message: str) -> None:
    with account(tmp_path) as there:
        kind = {"Content-Type": "text/html"} if isinstance(doc, bytes) else {}
        instead = Said(doc=doc, headers=kind)
        there.server.after = lambda asked, said: instead if asked.path == "/connections" else said
        ended, said = logged_in(there)
    assert (ended, message in said) == (code, True), said


def test_a_redirect_without_the_realm_is_no_login(tmp_path: Path) -> None:
    with account(tmp_path, "quickbooks") as there:
        there.sandbox.login.adds = {}
        code, said = logged_in(there)
        assert code == 3, said
        assert "realm is not told" in said
        assert there.hub.run("check").code == 5


def test_the_sandbox_of_xero_lists_the_connections_of_a_token_only() -> None:
    sandbox = Xero()
    with serving(sandbox) as server:
        assert fetched(f"{server.url}/connections")[0] == 401


# The words --------------------------------------------------------------------------------------------------------------

AUTH = """
auth:
  oauth2:
    grant: refresh_token
    url: "{url}/token"
    client_id: "{token}"
    authorize: {url: "{url}/page", learns: {LEARNS}}
"""


@pytest.mark.parametrize(
    ("learns", "message"),
    [
        ("{nobody: {query: realmId}}", 'no setting is called "nobody"'),
        ("{url: {query: realmId}}", "is required: what a login tells need not be said before"),
        ("{region: {}}", "needs the key"),
        ("{region: {query: a, url: 'https://example.com/', value: b}}", "not both"),
        ("{region: {url: 'https://example.com/'}}", '"value"'),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(learns: str, message: str, tmp_path: Path) -> None:
    manifest = GOOD.replace('auth: {bearer: "{token}"}', AUTH.replace("{LEARNS}", learns).strip())
    assert manifest != GOOD
    found = problems(tmp_path, manifest)
    assert any(message in each for each in found), found
