"""What a manifest says, in words for people: how it reads and writes, what it is allowed, what is peculiar.

Only what is written in the manifest is told; what it claims of the app is in its `Spec`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncd.http.terms import Bucket, Manifest, Paging, Quota, Since, Writing

SECOND_US: Final = 1_000_000
PAGERS: Final = {
    "": "in one answer",
    "cursor": "by a cursor",
    "header": "by a cursor in a header",
    "next_url": "by the address of the next page",
    "link": "by a Link header",
    "offset": "by offsets",
    "number": "by page numbers",
    "last": "by key",
}


def reading(manifest: Manifest) -> str:
    """Say how everything, and what changed, is read."""
    parts = [f"everything {_pages(manifest.list.page)}"]
    if manifest.changes is not None:
        parts.append(f"what changed {_pages(manifest.changes.listing.page)}{_since(manifest.changes.since)}")
    if manifest.deleted is not None:
        every = manifest.deleted.every_us // SECOND_US
        parts.append(f"what is deleted in a listing of its own{f', every {_span(every)}' if every else ''}")
    if manifest.streams:
        told = [
            f"`{name}`{'' if each.changes is not None else ' (by sweeps)'}" for name, each in manifest.streams.items()
        ]
        parts.append(f"beside records, where somebody folds it, {', '.join(told)}")
    return "; ".join(parts)


def writing(manifest: Manifest) -> str:
    """Say how each kind of write is done."""
    return "; ".join(f"{name} {_done(each)}" for name, each in _kinds(manifest)) or "nothing is written"


def limits(manifest: Manifest) -> str:
    """Say what may be asked how often."""
    parts = [*map(_bucket, manifest.limits.buckets), *map(_quota, manifest.limits.quota)]
    return "; ".join(parts) or "none is known; a refusal says how long to wait"


def consent(manifest: Manifest) -> str:
    """Say who may be opted in or out."""
    parts = []
    for name, field in manifest.fields.items():
        if field.consent is not None:
            up = "opted in by evidence only" if field.consent.opt_in is not None else "never opted in"
            carried = {"body": "in its body", "before": "before it is made", "after": "after it is made"}
            parts.append(
                f"`{name}`: opted out by a request of its own, {up}; a new record's opt-out is told "
                f"{carried[field.consent.with_create]}"
            )
    return "; ".join(parts) or "none is written"


def quirks(manifest: Manifest) -> Iterator[str]:
    """List what is peculiar in it, a sentence each."""
    if manifest.shape.blank == "":
        yield "A field is cleared by an empty text."
    for name, each in _kinds(manifest):
        if each.keep:
            yield f"To {name} erases what is not sent, so that this is sent again: {', '.join(each.keep)}."
        if each.look_first:
            yield f"To {name} would also change what is archived or merged, so the record is read before."
        if each.unless_found:
            yield f"Before a create `{each.unless_found}` is looked up: the app would change whom it finds, or make a second one."
        for fill in each.fill:
            yield f"A new record needs `{fill.path.text}`, which is made of what is known."
    if manifest.changes is not None and manifest.changes.since.cap is not None:
        yield f"An answer of {manifest.changes.since.cap} changes may be cut; then syncd asks for less, or for everything."
    if manifest.changes is not None and manifest.changes.since.forget_us is not None:
        days = manifest.changes.since.forget_us // SECOND_US
        yield f"After {_span(days)} without a read everything is read again."


def _kinds(manifest: Manifest) -> list[tuple[str, Writing]]:
    kinds = (("create", manifest.create), ("update", manifest.update), ("archive", manifest.archive))
    return [(name, each) for name, each in kinds if each is not None]


def _pages(page: Paging) -> str:
    return f"{PAGERS[page.by]}, {page.size} at a time" if page.by else PAGERS[page.by]


def _since(since: Since) -> str:
    if since.token is not None:
        return ", since the app's own mark"
    if since.next is not None:
        return ", up to when the app says it is complete"
    if since.ordered:
        return f", oldest first by `{since.stamp.text if since.stamp else 'stamp'}`"
    back = since.overlap_us // SECOND_US
    return f", since the last read{f' and {_span(back)} before' if back else ''}"


def _done(each: Writing) -> str:
    how = [f"{each.batch.size} at once"] if each.batch is not None else ["one by one"]
    if each.batch is not None and each.batch.job is not None:
        how.append("as a job that is asked for until it has ended")
    if "version" in each.names:
        how.append("with the version that was read")
    if each.repeatable:
        how.append("asked for again where the answer was lost")
    return f"({', '.join(how)})"


def _bucket(each: Bucket) -> str:
    what = f" of {', '.join(sorted(each.calls))}" if each.calls else ""
    return f"{each.most} {'tokens' if each.tokens else 'requests'}{what} in {_span(each.per_seconds)}"


def _quota(each: Quota) -> str:
    reserve = f", less {each.reserve_percent} % for others" if each.reserve_percent else ""
    return f"what `{(each.remaining or each.used_of).decode()}` says is left{reserve}"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
