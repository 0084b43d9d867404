"""The CardDAV connector: an address book whose vCards are people. See README.md for what it keeps and what it asks.

The client is imported when an app is opened, not before: a run without CardDAV apps does not pay for it.
"""

from __future__ import annotations

from typing import Final

from syncd.connector import App, Connector, Opening
from syncd.model import FieldMap, Setting, Spec

from .places import DEFAULT_PATHS

SPEC: Final = Spec(
    name="carddav",
    summary="a CardDAV address book (RFC 6352): vCard 3 and 4, everything else in a card untouched",
    settings=(
        Setting(
            name="url",
            type="url",
            required=True,
            help="the address book itself, as https://dav.example.org/ada/contacts/",
        ),
    ),
    secrets=(
        Setting(name="username", help="the account"),
        Setting(name="password", help="its password, or one made for this use where the server has such"),
    ),
    fields={name: FieldMap(path=path) for name, path in DEFAULT_PATHS.items()},
    any_path=True,
    create=True,
    update=True,
    incremental=True,
    proven_listing=True,
    versions="opaque",
    lost_update="cas",
    rung="A",
    reports_gone=True,
    network=True,
    write_batch=100,
)


def _open(opening: Opening) -> App:
    from .address_book import AddressBook

    return AddressBook(SPEC, opening)


CONNECTOR: Final = Connector(spec=SPEC, open=_open)
