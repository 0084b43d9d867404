"""What hostile readers found, each as they told it: edits that nobody saw, listings that were believed, looks that were
skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.story import ANN, agreed, given, written


@pytest.mark.parametrize("back", ["what was overwritten", "an opt-in beside old evidence"])
def test_an_edit_back_to_what_was_read_last_is_an_edit(tmp_path: Path, back: str) -> None:
    """The cursor of a file was its digest when it was read; our own write did not move it, so the old bytes looked read."""
    story = given(tmp_path, {"crm": "memory", "desk": "csv"})
    story["crm"].put("1", **ANN)
    evidence = {"consent_at": "2099-01-01T00:00:00Z", "consent_source": "form"} if back.startswith("an opt-in") else {}
    story["desk"].put("7", **ANN, email_consent="opted_in", **evidence)
    story.sync(approve=True)
    story.settle()
    read = story.path("desk").read_bytes()
    story["crm"].put("1", company="Acme", email_consent="opted_out")
    story.sync()
    assert story["desk"].one("ann@x.org")["email_consent"] == "opted_out"

    story.path("desk").write_bytes(read)  # the tool exports again what it held, or somebody takes our write back
    story.settle()

    ann = story.everywhere("ann@x.org")
    assert {app: row["email_consent"] for app, row in ann.items()} == {"crm": "opted_out", "desk": "opted_out"}
    assert ann["desk"].get("company") == "Acme"


def test_a_file_that_was_written_to_is_read_in_full_once_and_costs_nothing_after_that(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "desk": "csv"})
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Acme")
    runs = [story.sync() for _ in range(4)]
    assert [outcome.doc["apps"]["desk"]["read"] for outcome in runs] == [0, 2, 0, 0]
    assert [written(outcome) for outcome in runs] == [1, 0, 0, 0]
