"""The limits of a manifest, compiled: buckets that the vendor states, quotas that answers tell, what operations cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.config.near import choose_from, did_you_mean
from syncd.config.shapes import Spot
from syncd.http.operations import NAMED
from syncd.http.terms import Bucket, Limits, Quota
from syncd.http.vocabulary import LIMIT, LIMITS, QUOTA


def read_limits(spot: Spot, said: Mapping[str, Any]) -> Limits:
    """Compile them; problems are noted in the spot."""
    values = LIMITS.filled(said)
    buckets, quotas = spot.down("buckets").items(), spot.down("quota").items()
    for name in values["cost"]:
        if name not in NAMED:
            spot.down("cost").key_problem(name, _no_operation(name))
    return Limits(
        buckets=tuple(_bucket(at, LIMIT.filled(each)) for at, each in zip(buckets, values["buckets"], strict=False)),
        quota=tuple(_quota(at, QUOTA.filled(each)) for at, each in zip(quotas, values["quota"], strict=False)),
        cost=values["cost"],
        concurrency=values["concurrency"],
        retry_after=tuple(name.lower().encode() for name in values["retry_after"]),
    )


def _bucket(spot: Spot, values: Mapping[str, Any]) -> Bucket:
    if ("requests" in values) == ("tokens" in values):
        spot.problem("needs `requests` or `tokens`, one of both")
    for place, name in zip(spot.down("calls").items(), values.get("calls", []), strict=False):
        if name not in NAMED:
            place.problem(_no_operation(name))
    most = values.get("requests") or values.get("tokens") or 1
    return Bucket(
        most=max(1, most * (100 - values["reserve"]) // 100),
        per_seconds=values["per"],
        calls=frozenset(values.get("calls", ())),
        tokens="tokens" in values,
    )


def _quota(spot: Spot, values: Mapping[str, Any]) -> Quota:
    if ("remaining" in values) == ("used_of" in values):
        spot.problem("needs `remaining` or `used_of`, one of both")
    if values["reserve"] and not {"limit", "most", "used_of"} & values.keys():
        spot.down("reserve").problem("is a share of what? say `limit` or `most`")
    return Quota(
        remaining=_header(values, "remaining"),
        used_of=_header(values, "used_of"),
        limit=_header(values, "limit"),
        most=values.get("most", 0),
        reserve_percent=values["reserve"],
        tokens=values["tokens"],
        reset=_header(values, "reset"),
        reset_in=values["reset_in"],
        window_seconds=values["window"],
        rolling=values["rolling"],
    )


def _header(values: Mapping[str, Any], key: str) -> bytes:
    return str(values.get(key, "")).lower().encode()


def _no_operation(name: str) -> str:
    return f"no operation{did_you_mean(name, NAMED) or f'; there are: {choose_from(NAMED)}'}"
