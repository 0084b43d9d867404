"""Consent: the latches, and the log of what closed and opened them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson
from sqlalchemy import select

from syncd.core.consent import Event, Evidence, Latch
from syncd.store import codec
from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.base import Base
from syncd.store.bulk import Keyed, inserting

_L = s.latch.c
_LATCHES = Keyed(
    select(_L.subject, _L.channel, _L.out_ms, _L.in_ms, _L.app, _L.doc).order_by(_L.subject, _L.channel), _L.subject
)
_ANY_LATCH = Query(select(_L.subject).limit(1))
_SAVE_LATCH = inserting(s.latch, "channel subject out_ms in_ms app doc", clash="changes")
_LOG_CONSENT = inserting(s.consent_log, "run at_ms channel subject state app doc")


class Consents(Base):
    """What a transaction does with latches."""

    def has_latches(self) -> bool:
        """Tell whether anybody ever opted out or in."""
        return _ANY_LATCH.row(self._c) is not None

    def latches(self, subjects: Iterable[bytes]) -> dict[bytes, dict[str, Latch]]:
        found: dict[bytes, dict[str, Latch]] = {}
        for subject, channel, out_ms, in_ms, app, doc in _LATCHES.find(self._c, list(subjects)):
            evidence = Evidence(**orjson.loads(doc)) if doc else None
            latch = Latch(out_ms=out_ms, in_ms=in_ms, evidence=evidence, app=app)
            found.setdefault(subject, {})[channel] = latch
        return found

    def save_latches(self, latches: Mapping[tuple[str, bytes], Latch]) -> None:
        rows = [
            {
                "channel": channel,
                "subject": subject,
                "out_ms": latch.out_ms,
                "in_ms": latch.in_ms,
                "app": latch.app,
                "doc": _evidence_doc(latch.evidence),
            }
            for (channel, subject), latch in sorted(latches.items())
        ]
        _SAVE_LATCH.run(self._c, rows)

    def log_consent(self, run: int, now_ms: int, events: Iterable[tuple[bytes, Event]]) -> None:
        rows = [
            {
                "run": run,
                "at_ms": now_ms,
                "channel": event.channel,
                "subject": subject,
                "state": event.state,
                "app": event.app,
                "doc": _evidence_doc(event.evidence),
            }
            for subject, event in events
        ]
        _LOG_CONSENT.run(self._c, rows)


def _evidence_doc(evidence: Evidence | None) -> bytes | None:
    if evidence is None:
        return None
    return codec.dump({"at": evidence.at, "at_ms": evidence.at_ms, "source": evidence.source})
