"""Faults of the sound engine that came up while mutants were looked for, as stories (tests/sim/FAULTS.md)."""

from __future__ import annotations

from pathlib import Path

from tests.story import agreed


def test_a_record_is_found_by_the_address_that_syncd_gave_it(tmp_path: Path) -> None:
    """The index knew it by its address of before only: where the first record went and came back, it got a second one."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    crm, news = story["crm"], story["news"]
    crm.put(crm.id_of("ann@x.org"), email="ann@new.org")
    story.sync()
    assert news.one("ann@new.org")
    crm.remove(crm.id_of("ann@new.org"))
    story.settle()
    before = len(news.rows())
    crm.put("again", email="ann@new.org")
    story.settle()
    assert len(news.rows()) == before
    assert story.contact("crm", "again") == story.contact("news", news.id_of("ann@new.org"))
