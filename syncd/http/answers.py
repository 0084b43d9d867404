"""What the answer to a write, or to a batch of them, says of each. Hard rule: what is not told of is Unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from syncd.errors import SyncdError
from syncd.http.faults import Answer, Fault, judge, result_of
from syncd.http.paths import find, shown
from syncd.http.terms import Batch
from syncd.model import Applied, Raw, Rejected, Result, Unknown, Write

if TYPE_CHECKING:
    from syncd.http.app import HttpApp


@dataclass(slots=True, kw_only=True)
class Pending:
    """One write on its way. Not frozen: it is filled in step by step."""

    place: int
    write: Write
    present: Any = None
    """The record as the app shows it now, where the write needs that."""
    version: str | None = None
    key: str = ""
    """Names this write and no other; where the vendor keeps such keys, the same write twice is done once."""
    fields: Mapping[str, Raw] | None = None
    """What is left to be written, where a part has been done already."""
    doc: dict[str, Any] | None = None


def fault_result(app: HttpApp, each: Pending, fault: Fault) -> Result:
    """Say what a fault means to this write; fill in what the app did not tell: which field, who is in the way."""
    result = result_of(fault)
    if not isinstance(result, Rejected):
        return result
    if result.field is None and fault.member:
        result = replace(result, field=_field_at(app, fault.member))
    if result.why == "exists" and result.existing is None and result.field is not None:
        result = replace(result, existing=_in_the_way(app, result.field, each.write.fields.get(result.field)))
    return result


def _field_at(app: HttpApp, member: str) -> str | None:
    """Name the field that a vendor calls so."""
    wanted = member.casefold()
    for name, known in app.known.items():
        steps = [step for step in known.field.path.steps if isinstance(step, str)]
        if wanted in {known.field.path.text.casefold(), steps[-1].casefold(), steps[0].casefold()}:
            return name
    return None


def _in_the_way(app: HttpApp, field: str, value: Raw) -> str | None:
    if value is None or app.manifest.find is None or field not in app.manifest.find.fields:
        return None
    try:
        found = app.find(field, value)
    except SyncdError:
        return None
    return found[0].id if len(found) == 1 else None


def batch_results(
    app: HttpApp, batch: Batch, some: Sequence[Pending], answer: Answer, made: Callable[[Pending, Any, str], Result]
) -> list[Result]:
    """Read the answer to a batch, in the order of the writes.

    Where it was asked for again, a refusal of a single write proves nothing: that write may have been done the first time.
    """
    told = _by_place(batch, some, answer)
    refused = _errors(batch, some, answer)
    results: list[Result] = []
    for n, each in enumerate(some):
        if n in told:
            results.append(_one(app, batch, each, answer, told[n], made))
        elif n in refused:
            fault = judge(_status(refused[n], answer.status), answer, app.manifest.rules, refused[n])
            results.append(fault_result(app, each, fault) if fault else Unknown(message="an error without a meaning"))
        elif each.write.kind == "archive" and batch.results.items is None and batch.results.errors is None:
            results.append(Applied(record=None))
        else:
            results.append(Unknown(message="the answer does not tell of this write"))
    if answer.again:
        doubt = "refused when it was asked for again; the first answer was lost"
        return [Unknown(message=doubt) if isinstance(each, Rejected) else each for each in results]
    return results


def _by_place(batch: Batch, some: Sequence[Pending], answer: Answer) -> dict[int, Any]:
    """Find out which result belongs to which write."""
    where = batch.results
    items = find(answer.doc, where.items.steps) if where.items is not None else None
    if not isinstance(items, list):
        return {}
    if where.by is None:
        return dict(enumerate(items)) if len(items) == len(some) else {}
    places = _names(batch, some)
    return {places[name]: item for item in items if (name := _spelled(find(item, where.by.steps), batch)) in places}


def _errors(batch: Batch, some: Sequence[Pending], answer: Answer) -> dict[int, Any]:
    where = batch.results
    if where.errors is None:
        return {}
    places = _names(batch, some)
    found: dict[int, Any] = {}
    errors = find(answer.doc, where.errors.steps)
    for error in errors if isinstance(errors, list) else []:
        for path in where.errors_by:
            named = find(error, path.steps)
            for name in named if isinstance(named, list) else [named]:
                if _spelled(name, batch) in places:
                    found[places[_spelled(name, batch)]] = error
    return found


def _spelled(name: Any, batch: Batch) -> str:
    return shown(name).strip().casefold() if batch.results.field is not None else shown(name)


def _names(batch: Batch, some: Sequence[Pending]) -> dict[str, int]:
    """By what a result may name its write; two writes of one name have none."""
    field = batch.results.field
    if field is not None:
        values = [_spelled(each.write.fields.get(field), batch) for each in some]
        return {value: n for n, value in enumerate(values) if value and values.count(value) == 1}
    keys = {each.key: n for n, each in enumerate(some)}
    return {**keys, **{each.write.id: n for n, each in enumerate(some) if each.write.id}}


def _status(part: Any, otherwise: int) -> int:
    status = part.get("status") if isinstance(part, dict) else None
    return status if type(status) is int else (400 if 200 <= otherwise < 300 else otherwise)


def _one(
    app: HttpApp, batch: Batch, each: Pending, answer: Answer, part: Any, made: Callable[[Pending, Any, str], Result]
) -> Result:
    where = batch.results
    status = answer.status
    if where.status is not None:
        said = find(part, where.status.steps)
        if type(said) is not int:
            return Unknown(message="a result without its status")
        status = said
    fault = judge(status, answer, app.manifest.rules, part)
    if fault is not None:
        return fault_result(app, each, fault)
    item = find(part, where.answer.steps) if where.answer is not None else None
    id_ = shown(find(part, where.id.steps)) if where.id is not None else ""
    if each.write.kind == "archive" or (item is None and not id_ and each.write.kind == "update"):
        return Applied(record=None)
    return made(each, item, id_)
