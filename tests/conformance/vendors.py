"""The worlds of the connectors in YAML, by name: each an account on its sandbox, over real HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from connectors.brevo.world import World as BrevoWorld
from connectors.fakeapi.world import World as FakeApiWorld
from connectors.freshdesk.world import World as FreshdeskWorld
from connectors.hubspot.world import World as HubSpotWorld
from connectors.mailchimp.world import World as MailchimpWorld
from connectors.mautic.world import World as MauticWorld
from connectors.pipedrive.world import World as PipedriveWorld
from connectors.quickbooks.world import World as QuickBooksWorld
from connectors.xero.world import World as XeroWorld
from connectors.zendesk.world import World as ZendeskWorld
from syncd.http.sandbox import Asked, Said
from syncd.kit.worlds import ApiWorld

__all__ = (
    "BrevoWorld",
    "FakeApiWorld",
    "FreshdeskWorld",
    "HubSpotWorld",
    "MailchimpWorld",
    "MauticWorld",
    "PipedriveWorld",
    "QuickBooksWorld",
    "VendorWorld",
    "XeroWorld",
    "ZendeskWorld",
    "statuses_of",
)

VendorWorld: TypeAlias = ApiWorld[Any]

VENDORS: dict[str, Callable[[], VendorWorld]] = {
    "brevo": BrevoWorld,
    "fakeapi": FakeApiWorld,
    "freshdesk": FreshdeskWorld,
    "hubspot": HubSpotWorld,
    "mailchimp": MailchimpWorld,
    "mautic": MauticWorld,
    "pipedrive": PipedriveWorld,
    "quickbooks": QuickBooksWorld,
    "xero": XeroWorld,
    "zendesk": ZendeskWorld,
}


def statuses_of(world: VendorWorld) -> list[int]:
    """Give the list into which the status of every answer is put from now on."""
    statuses: list[int] = []

    def seen(_: Asked, said: Said) -> Said:
        statuses.append(said.status)
        return said

    world.server.after = seen
    return statuses
