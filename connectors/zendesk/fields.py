"""What a user field of Zendesk takes, and how the account refuses what it does not."""

from __future__ import annotations

from typing import Any

from syncd.http.sandbox import Refusal, Said


class Refused(Refusal):
    def __init__(self, status: int, error: str, details: dict[str, Any] | None = None, **headers: str) -> None:
        super().__init__(error)
        more = {"details": details} if details else {}
        self.said = Said(status=status, doc={"error": error, "description": error, **more}, headers=headers)


def held_by(own: dict[str, Any], value: Any) -> bool:
    """Say whether a user field takes this value; null clears any."""
    match own["type"]:
        case _ if value is None:
            return True
        case "checkbox":
            return isinstance(value, bool)
        case "integer":
            return type(value) is int
        case "decimal":
            return type(value) in {int, float}
        case "dropdown":
            return value in {each["value"] for each in own["custom_field_options"]}
    return isinstance(value, str)
