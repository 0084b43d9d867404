"""Names: how a report calls a contact, so that people know whom it is about."""

from __future__ import annotations

from syncd.core.state import Contact


def who(contact: Contact) -> str | None:
    """Name somebody as people know them: by the address, else a name, else a number."""
    named = (contact.golden.get(name) for name in ("email", "full_name", "last_name", "phone", "mobile"))
    return next((each for each in named if isinstance(each, str)), None)
