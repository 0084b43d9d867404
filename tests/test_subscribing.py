"""Vendors are told once where their webhooks go, and the operator once when none come any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from syncd.connector import App
from syncd.engine.kept import KeptApps
from syncd.engine.runs import close
from syncd.engine.setup import make_hub
from syncd.engine.subscribing import Subscriptions
from syncd.errors import AccessError, SyncdError, TransientError
from syncd.store.tx import Tx
from tests.story import Story, agreed

HERE = "https://sync.example.org/"
ADDRESS = "https://sync.example.org/hooks/crm"


class Vendor:
    """An app whose vendor can be told where webhooks go."""

    def __init__(self, *known: str, error: SyncdError | None = None) -> None:
        self.known, self.error = [*known], error
        self.asked: list[tuple[str, str]] = []

    def over(self, app: App) -> Any:
        self.app = app
        return self

    def subscribed(self, url: str) -> bool:
        self.asked.append(("subscribed", url))
        return url in self.known

    def subscribe(self, url: str) -> None:
        self.asked.append(("subscribe", url))
        if self.error is not None:
            raise self.error
        self.known.append(url)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return agreed(tmp_path, {"crm": "memory", "news": "memory"}, app_crm={"hooks": True})


def looked_after(
    story: Story, vendor: Vendor, arranged: Subscriptions, *, broken: bool = False
) -> list[Mapping[str, Any]]:
    """Do what the daemon does after a pass; give what it logged."""
    with story.session() as session:

        def load(app: Any) -> Any:
            real = session.load(app)
            return replace(real, open=lambda opening: vendor.over(real.open(opening))) if app.name == "crm" else real

        kept = KeptApps(load)
        hub = make_hub(session.world, session.config, kept.load)
        apps = list(hub.apps.values())
        if broken:
            apps[0].error = TransientError("down")
        try:
            with capture_logs() as logs:
                arranged.look_after(hub, apps, session.config, kept)
        finally:
            close(hub)
    return [{name: value for name, value in log.items() if name != "log_level"} for log in logs]


def test_a_vendor_is_told_once_where_webhooks_go(story: Story) -> None:
    vendor, arranged = Vendor(), Subscriptions(HERE)
    assert looked_after(story, vendor, arranged) == [{"event": "subscribed", "app": "crm"}]
    assert vendor.asked == [("subscribed", ADDRESS), ("subscribe", ADDRESS)]
    assert looked_after(story, vendor, arranged) == []
    assert len(vendor.asked) == 2, "what is arranged is not asked for again"
    assert looked_after(story, vendor, Subscriptions(HERE)) == []
    assert vendor.asked[2:] == [("subscribed", ADDRESS)], "a new process asks, and finds it there"


def test_where_nobody_can_reach_us_nobody_is_told(story: Story) -> None:
    vendor = Vendor()
    assert looked_after(story, vendor, Subscriptions("")) == []
    assert looked_after(story, vendor, Subscriptions(HERE), broken=True) == [], "an app that failed is left alone"
    assert vendor.asked == []


def test_a_vendor_that_is_out_of_reach_is_told_with_the_next_pass(story: Story) -> None:
    vendor, arranged = Vendor(error=TransientError("down")), Subscriptions(HERE)
    assert looked_after(story, vendor, arranged) == []
    vendor.error = None
    assert looked_after(story, vendor, arranged) == [{"event": "subscribed", "app": "crm"}]


def test_a_vendor_that_refuses_is_told_of_once(story: Story) -> None:
    vendor, arranged = Vendor(error=AccessError("not on this plan")), Subscriptions(HERE)
    assert looked_after(story, vendor, arranged) == [
        {
            "event": "not subscribed",
            "app": "crm",
            "message": "not on this plan",
            "remedy": "syncd check tells the address; give it to the vendor by hand",
        }
    ]
    assert looked_after(story, vendor, arranged) == []
    assert [what for what, _ in vendor.asked] == ["subscribed", "subscribe"]


def found_without_a_webhook(story: Story, times: int) -> None:
    """Let a read find so many changes that no webhook ever names."""

    def step(tx: Tx) -> None:
        tx.note_found(1, [f"r{number}" for number in range(times)], story.clock.now_ms)
        assert tx.count_missed(1, story.clock.now_ms + 1) == times

    story.ask(step)


def test_silence_is_told_once_and_again_after_it_was_broken(story: Story) -> None:
    vendor, arranged = Vendor(ADDRESS), Subscriptions(HERE)
    assert looked_after(story, vendor, arranged) == []
    found_without_a_webhook(story, 3)
    remedy = "the changes were found by polling; see whether the vendor still sends, and to which address"
    silent = {"event": "webhooks are silent", "app": "crm", "missed": 3, "remedy": remedy}
    assert looked_after(story, vendor, arranged) == [silent]
    assert looked_after(story, vendor, arranged) == []
    story.ask(lambda tx: tx.hear(1, ["101"], story.clock.now_ms, story.clock.now_ms))
    assert looked_after(story, vendor, arranged) == [], "one came"
    found_without_a_webhook(story, 2)
    assert looked_after(story, vendor, arranged) == [], "two may be late"
    found_without_a_webhook(story, 1)
    assert looked_after(story, vendor, arranged) == [silent]
