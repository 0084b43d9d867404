"""What the documents of commands are made of."""

from __future__ import annotations

from typing import Any

from msgspec import Meta, Struct


def says(text: str) -> Meta:
    """Say what a key means."""
    return Meta(description=text)


class Doc(Struct, kw_only=True, forbid_unknown_fields=True):
    """One JSON object. A key whose default is UNSET is there only where it has something to tell."""


Value = Any
"""A contact's or an app's value: a text, a number, true or false, a list of these, a map of texts, or null (blank)."""
