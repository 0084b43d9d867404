"""The connectors to open systems against the suite, each on the running server."""

from __future__ import annotations

from syncd.kit.suite import Check
from tests.conformance.peers import LdapWorld, MailmanWorld, RoundupWorld, TrytonWorld
from tests.conformance.putting import every_check, put
from tests.peers.mailman import Mailman
from tests.peers.roundup import Roundup
from tests.peers.slapd import Slapd
from tests.peers.tryton import Tryton

TELEPHONED = {
    "a_create_makes_what_was_asked": "test_a_new_member_is_on_the_list_and_gets_no_mails",
    "an_update_changes_the_named_fields_only": "test_a_name_is_changed_and_nothing_else",
    "none_clears": "test_a_name_is_cleared_in_both_places",
    "a_full_batch_is_taken": "test_a_full_batch_is_taken",
}
"""Checks that write a telephone number, which Mailman has no place for -> what asks the same in tests/test_mailman.py."""


@every_check
def test_roundup(check: Check, tracker: Roundup) -> None:
    put("roundup", lambda: RoundupWorld(tracker), check)


@every_check
def test_mailman(check: Check, mailing_list: Mailman) -> None:
    if check.name not in TELEPHONED:
        put("mailman", lambda: MailmanWorld(mailing_list), check)


@every_check
def test_tryton(check: Check, books: Tryton) -> None:
    put("tryton", lambda: TrytonWorld(books), check)


@every_check
def test_ldap(check: Check, directory: Slapd) -> None:
    put("ldap", lambda: LdapWorld(directory), check)
