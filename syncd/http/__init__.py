"""The closed world of HTTP connectors: which places may be reached, how, and what their answers mean."""

import sys

# httpx brings a command line, which imports click, rich and pygments: a fifth of what its import takes, and of a start.
# An entry that is None makes Python say "not installed", and httpx does without it. `syncd.http.client` imports it.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # what the language means by it, typeshed does not know
