"""What a connector in Python beside a manifest may use for a step of its own: requests, texts, what a fault means."""

from syncd.http.faults import Answer, Fault, result_of
from syncd.http.paths import compile_path, find
from syncd.http.terms import Call, Listing, Paging
from syncd.http.texts import compile_text

__all__ = ["Answer", "Call", "Fault", "Listing", "Paging", "compile_path", "compile_text", "find", "result_of"]
