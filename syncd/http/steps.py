"""What a connector in Python beside a manifest may use for a step of its own: requests, texts, what a fault means."""

from syncd.http.faults import result_of
from syncd.http.terms import Call
from syncd.http.texts import compile_text

__all__ = ["Call", "compile_text", "result_of"]
