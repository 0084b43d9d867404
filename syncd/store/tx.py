"""One transaction, in the engine's words. Every statement takes a page, never one row at a time; none commits.

Each part is a module of its own, with its statements, which are built once. Whatever is read in an order that decides
anything says so (ORDER BY).
"""

from __future__ import annotations

from syncd.store.consents import Consents
from syncd.store.contacts import Contacts
from syncd.store.hints import Hints
from syncd.store.intents import Intents, NewRow
from syncd.store.journal import Journal
from syncd.store.listings import Listings
from syncd.store.records import Mark, Records
from syncd.store.runs import AppState, Runs


class Tx(Runs, Records, Listings, Hints, Contacts, Intents, Consents, Journal):
    """A transaction that is under way."""


__all__ = ["AppState", "Mark", "NewRow", "Tx"]
