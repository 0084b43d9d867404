"""The connectors to open systems against the suite, each on the running server."""

from __future__ import annotations

from connectors.ldap.server import Slapd
from connectors.ldap.world import World as LdapWorld
from connectors.mailman.server import Mailman
from connectors.mailman.world import World as MailmanWorld
from connectors.roundup.server import Roundup
from connectors.roundup.world import World as RoundupWorld
from connectors.tryton.server import Tryton
from connectors.tryton.world import World as TrytonWorld
from syncd.kit.suite import Check
from tests.conformance.putting import every_check, put


@every_check
def test_roundup(check: Check, tracker: Roundup) -> None:
    put("roundup", lambda: RoundupWorld(tracker), check)


@every_check
def test_mailman(check: Check, mailing_list: Mailman) -> None:
    put("mailman", lambda: MailmanWorld(mailing_list), check)


@every_check
def test_tryton(check: Check, books: Tryton) -> None:
    put("tryton", lambda: TrytonWorld(books), check)


@every_check
def test_ldap(check: Check, directory: Slapd) -> None:
    put("ldap", lambda: LdapWorld(directory), check)
