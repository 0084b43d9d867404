"""Batches that an app works off after it has answered: asked until they have ended, or until we have waited long enough.

Hard rule: a job that has not ended, and one of which nobody answers, proves nothing of any of its writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.errors import SyncdError
from syncd.http.faults import Answer
from syncd.http.paths import find, shown
from syncd.http.terms import Job

if TYPE_CHECKING:
    from syncd.http.app import HttpApp


class Unfinished(Exception):
    """Nobody knows what has become of it; the text says why."""


def ended(app: HttpApp, job: Job, answer: Answer) -> Answer:
    """Wait for the job that an answer names; give the answer that tells how it ended. Raises Unfinished."""
    id_ = shown(find(answer.doc, job.id.steps))
    waited, again = 0.0, answer.again
    while True:
        if shown(find(answer.doc, job.state.steps)) in job.ended:
            answer.again = again  # it was asked for twice, so that there may be another job
            return answer
        if not id_:
            raise Unfinished("the app took a batch and does not say how to ask for it")
        if waited >= job.most_seconds:
            raise Unfinished(f"the app has not worked a batch off within {job.most_seconds:g} s")
        app.pause(job.every_seconds)
        waited += job.every_seconds
        try:
            answer = app.session.read(job.call, {"job": id_})
        except SyncdError as error:
            raise Unfinished(f"nothing is known of a batch that the app took: {error}") from error
