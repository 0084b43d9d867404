"""CEL, the expressions of the configuration. The only module that knows the library.

Hard rule: checked when the configuration is loaded, so that a typo is found with its column and not at three at night.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from syncd.config.near import did_you_mean

CHARS_MAX: Final = 2_000


def problem(expression: str, fields: Iterable[str], *, name: str = "contact") -> str | None:
    """Say what is wrong with a yes/no expression over a contact, or what else is called `name`; None if nothing is."""
    try:
        from cel_expr_python import cel
    except ImportError:
        return "not supported here: the library for expressions (cel-expr-python) is not installed"
    if len(expression) > CHARS_MAX:
        return f"an expression has at most {CHARS_MAX} characters"
    names = set(fields)
    for each in re.findall(
        rf"\b{name}\.([A-Za-z_][A-Za-z0-9_]*)\b(?!\s*\()", re.sub(r"'[^']*'|\"[^\"]*\"", "''", expression)
    ):
        if each not in names:
            return f"{name} has no such field{did_you_mean(each, names)}"
    try:
        compiled = cel.NewEnv(variables={name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}).compile(expression)
    except RuntimeError as error:
        return _said(str(error))
    if compiled.return_type().name() not in ("BOOL", "DYN"):
        return "the expression must say true or false"
    return None


def predicate(expression: str, fields: Iterable[str], *, name: str = "contact") -> Callable[[Mapping[str, Any]], bool]:
    """Compile a checked expression to a question about a contact's values (or those of a `name`); blank and unknown fields are null.

    An expression that fails for some contact (a comparison with null) says no.
    """
    from cel_expr_python import cel

    names = tuple(fields)
    compiled = cel.NewEnv(variables={name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}).compile(expression)

    def ask(values: Mapping[str, Any]) -> bool:
        try:
            answer = compiled.eval(data={name: {each: values.get(each) for each in names}})
        except RuntimeError:
            return False
        return answer.value() is True

    return ask


def _said(message: str) -> str:
    """Keep place and cause of the library's message, without its copy of the expression."""
    found = re.search(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)", message)
    if not found:
        return "no valid expression"
    cause = re.split(r" expecting \{| \(in container", found[3])[0]
    return f"line {found[1]}, column {found[2]} of the expression: {cause}"
