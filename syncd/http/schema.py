"""The vocabulary of manifests as JSON Schema (draft 2020-12), for editors: `python -m syncd.http.schema` prints it."""

from __future__ import annotations

import sys

import orjson

from syncd.config.shapes import JsonSchema
from syncd.http.vocabulary import MANIFEST


def schema() -> JsonSchema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "syncd connector manifest",
        **MANIFEST.schema(),
    }


def text() -> bytes:
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    sys.stdout.buffer.write(text())
