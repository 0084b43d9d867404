"""What a fresh user found, each as he told it: words that were not true, values that were sure of too much."""

from __future__ import annotations

from pathlib import Path

from syncd.ops.explain import POLICIES
from tests.story import agreed


def test_asking_means_asking_where_apps_disagree(tmp_path: Path) -> None:
    """Fault: the words promised that a person decides, whatever is edited."""
    assert POLICIES["ask"].endswith("an edit that nobody contradicts travels")
    story = agreed(tmp_path, fields={"company": {"policy": "ask"}})
    crm, books = story["crm"], story["books"]
    crm.put(crm.id_of("bob@x.org"), company="Acme Ltd")
    story.settle()
    assert {row["company"] for row in story.everywhere("bob@x.org").values()} == {"Acme Ltd"}

    crm.put(crm.id_of("bob@x.org"), company="One")
    books.put(books.id_of("bob@x.org"), company="Two")
    story.settle()
    assert [(case["kind"], case["field"]) for case in story.cases()] == [("conflict", "company")]
