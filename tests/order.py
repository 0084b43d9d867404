"""What reads source text for whatever could make two runs of the same history differ: clocks, chance, the order of sets.

Sets of texts are walked in another order in every process. Types are guessed from the text: a set is a set display or
comprehension, a call of `set` or `frozenset`, what set operators make of one, and every name, attribute, parameter or
function that is annotated as one in the files looked at. Guesses of names are by name only, wherever it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

SOURCES: Final = frozenset({"time", "random", "uuid", "secrets", "threading", "tempfile", "socket"})
"""Modules that nobody may import."""
CALLS: Final = {
    ("os", "urandom"), ("os", "getpid"), ("os", "listdir"), ("os", "scandir"), ("datetime", "now"),
    ("datetime", "utcnow"), ("date", "today"), ("datetime", "today"),
}  # fmt: skip
SALTED: Final = frozenset({"hash", "id"})
"""Builtins whose answer is another one in every process."""
SETS: Final = frozenset({"set", "frozenset", "Set", "AbstractSet", "MutableSet"})
MAPS: Final = frozenset({"dict", "Mapping", "MutableMapping", "defaultdict"})
OPERATORS: Final = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
METHODS: Final = frozenset({"union", "intersection", "difference", "symmetric_difference"})
SAFE: Final = frozenset({"sorted", "set", "frozenset", "len", "any", "all", "sum", "min", "max", "bool"})
"""What makes the same of a set in whatever order it is walked (`min` and `max` by a key: of equals, any)."""
WALKERS: Final = frozenset({"list", "tuple", "enumerate", "iter", "map", "filter", "zip", "reversed"})


class Finding(NamedTuple):
    """Something that could differ, and where."""

    place: str
    function: str
    line: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.place}:{self.function}"


@dataclass(slots=True)
class Names:
    """What is known to be a set, by name."""

    functions: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    """Functions of the same name that make something else."""
    attributes: dict[str, set[str]] = field(default_factory=dict)
    """Name -> files in which some class has it and it is a set."""
    plain: dict[str, set[str]] = field(default_factory=dict)
    """Name -> files in which some class has it and it is something else."""
    maps: set[str] = field(default_factory=set)
    """Attributes that are mappings to sets."""

    def is_set(self, attribute: str, place: str) -> bool:
        """Guess by the classes of the same file first."""
        sets, plain = self.attributes.get(attribute, set()), self.plain.get(attribute, set())
        return place in sets or (bool(sets) and place not in plain)


def findings(root: Path, rooms: Iterable[str]) -> list[Finding]:
    """Read all files of some folders."""
    trees = {
        path.relative_to(root).as_posix(): ast.parse(path.read_text("utf-8"))
        for room in rooms
        for path in sorted((root / room).glob("*.py"))
    }
    names = Names()
    for place, tree in trees.items():
        _learn(place, tree, names)
    names.functions -= names.others
    return [found for place, tree in trees.items() for found in _Reader(place, names).read(tree)]


def _learn(place: str, tree: ast.AST, names: Names) -> None:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name, returns=returns) | ast.AsyncFunctionDef(name=name, returns=returns):
                is_property = any(isinstance(d, ast.Name) and "property" in d.id for d in node.decorator_list)
                if is_property:
                    (names.attributes if _is_set_type(returns) else names.plain).setdefault(name, set()).add(place)
                elif _is_set_type(returns):
                    names.functions.add(name)
                else:
                    names.others.add(name)
            case ast.ClassDef(body=body):
                for part in body:
                    if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                        _learn_attribute(place, part.target.id, part.annotation, names)
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name), annotation=kind):
                _learn_attribute(place, name, kind, names)


def _learn_attribute(place: str, name: str, kind: ast.expr, names: Names) -> None:
    known = names.attributes if _is_set_type(kind) else names.plain
    known.setdefault(name, set()).add(place)
    if _is_map_of_sets(kind):
        names.maps.add(name)


def _is_set_type(kind: ast.expr | None) -> bool:
    match kind:
        case ast.Subscript(value=inner):
            return _is_set_type(inner)
        case ast.BinOp(left=left, right=right, op=ast.BitOr()):
            return _is_set_type(left) or _is_set_type(right)
    return isinstance(kind, ast.Name) and kind.id in SETS


def _is_map_of_sets(kind: ast.expr | None) -> bool:
    match kind:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Tuple(elts=[_, inner])) if name in MAPS:
            return _is_set_type(inner)
    return False


class _Reader:
    """Reads one file, function by function."""

    def __init__(self, place: str, names: Names) -> None:
        self._place, self._names, self._found = place, names, list[Finding]()

    def read(self, tree: ast.Module) -> list[Finding]:
        self._scope(tree, "<module>", set(), set())
        return self._found

    def _scope(self, scope: ast.AST, name: str, sets: set[str], maps: set[str]) -> None:
        sets, maps = {*sets}, {*maps}
        if isinstance(scope, Function | ast.Lambda):
            _take_parameters(scope.args, sets, maps)
        nodes = list(_own(scope))
        for node in nodes:
            self._assigned(node, sets, maps)
        for node in nodes:
            for line, text in (*_sources(node), *self._walks(node, sets, maps)):
                self._found.append(Finding(self._place, name, line, text))
            if isinstance(node, Function | ast.ClassDef | ast.Lambda):
                inner = name if isinstance(node, ast.Lambda) else node.name
                self._scope(node, inner, sets, maps)

    def _assigned(self, node: ast.AST, sets: set[str], maps: set[str]) -> None:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind):
                sets |= {name} if _is_set_type(kind) else set()
                maps |= {name} if _is_map_of_sets(kind) else set()
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                for target, value in zip(targets, values, strict=False):
                    self._bound(target, value, sets, maps)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bound(target, value, sets, maps)
            case ast.NamedExpr(target=target, value=value):
                self._bound(target, value, sets, maps)
            case ast.For(target=target, iter=walked) | ast.comprehension(target=target, iter=walked):
                self._unpacked(target, walked, sets, maps)

    def _bound(self, target: ast.expr, value: ast.expr, sets: set[str], maps: set[str]) -> None:
        if isinstance(target, ast.Name) and self._is_set(value, sets, maps):
            sets.add(target.id)

    def _unpacked(self, target: ast.expr, walked: ast.expr, sets: set[str], maps: set[str]) -> None:
        """`for key, value in m.items()` and `for value in m.values()` of a mapping to sets."""
        match walked:
            case ast.Call(func=ast.Attribute(attr="items" | "values" as how, value=base)) if self._is_map(base, maps):
                if how == "items" and isinstance(target, ast.Tuple):
                    target = target.elts[-1]
                if isinstance(target, ast.Name):
                    sets.add(target.id)

    def _is_map(self, node: ast.expr, maps: set[str]) -> bool:
        match node:
            case ast.Name(id=name):
                return name in maps
            case ast.Attribute(attr=name):
                return name in self._names.maps
        return False

    def _is_set(self, node: ast.expr, sets: set[str], maps: set[str]) -> bool:
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return name in sets
            case ast.Attribute(attr=name):
                return self._names.is_set(name, self._place)
            case ast.Call(func=ast.Name(id=name)):
                return name in SETS or name in self._names.functions
            case ast.Call(func=ast.Attribute(attr=name, value=base)):
                if name in METHODS or (name == "copy" and self._is_set(base, sets, maps)):
                    return True
                return name in self._names.functions or (name == "get" and self._is_map(base, maps))
            case ast.Subscript(value=base):
                return self._is_map(base, maps)
            case ast.BinOp(left=left, right=right, op=op) if isinstance(op, OPERATORS):
                return any(self._is_set(side, sets, maps) or _is_keys(side) for side in (left, right))
            case ast.IfExp(body=body, orelse=other):
                return self._is_set(body, sets, maps) or self._is_set(other, sets, maps)
            case ast.BoolOp(values=values):
                return any(self._is_set(value, sets, maps) for value in values)
            case ast.NamedExpr(value=value):
                return self._is_set(value, sets, maps)
        return False

    def _walks(self, node: ast.AST, sets: set[str], maps: set[str]) -> Iterator[tuple[int, str]]:
        """List where a set is walked by what keeps its order."""

        def unordered(expr: ast.expr) -> bool:
            return self._is_set(expr, sets, maps)

        match node:
            case ast.For(iter=walked) if unordered(walked):
                yield node.lineno, f"for ... in {ast.unparse(walked)}"
            case ast.ListComp(generators=parts) | ast.DictComp(generators=parts):
                yield from ((node.lineno, ast.unparse(node)) for part in parts if unordered(part.iter))
            case ast.GeneratorExp(generators=parts) if not getattr(node, "safe", False):
                yield from ((node.lineno, ast.unparse(node)) for part in parts if unordered(part.iter))
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                stars = (part for part in parts if isinstance(part, ast.Starred))
                yield from ((node.lineno, ast.unparse(node)) for part in stars if unordered(part.value))
            case ast.Call(func=func, args=args):
                yield from ((node.lineno, text) for text in _calls(node, func, args, unordered))


def _calls(node: ast.Call, func: ast.expr, args: list[ast.expr], unordered: object) -> Iterator[str]:
    assert callable(unordered)
    text = ast.unparse(node)
    match func:
        case ast.Name(id=name) if name in SAFE:
            return
        case ast.Name(id=name) if name in WALKERS:
            yield from (text for arg in args if unordered(arg))
        case ast.Attribute(attr="join" | "fromkeys" | "extend"):
            yield from (text for arg in args if unordered(arg))
        case ast.Attribute(attr="pop", value=base) if not args and unordered(base):
            yield text
        case ast.Attribute(value=ast.Name(id="tx") | ast.Attribute(attr="tx")):  # a store answers in the order asked
            yield from (text for arg in args if unordered(arg))
    yield from (text for arg in args if isinstance(arg, ast.Starred) and unordered(arg.value))


def _is_keys(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items")


def _take_parameters(args: ast.arguments, sets: set[str], maps: set[str]) -> None:
    for each in (*args.posonlyargs, *args.args, *args.kwonlyargs):
        sets -= {each.arg}
        maps -= {each.arg}
        sets |= {each.arg} if _is_set_type(each.annotation) else set()
        maps |= {each.arg} if _is_map_of_sets(each.annotation) else set()


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Walk a scope without what is inside the scopes in it; mark what is given to a function that asks for no order."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAFE:
            for arg in node.args:
                arg.safe = True  # type: ignore[attr-defined]
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            yield from _own(node)


def _sources(node: ast.AST) -> Iterator[tuple[int, str]]:
    """List clocks, chance, and what is salted."""
    match node:
        case ast.Import(names=names):
            yield from ((node.lineno, f"import {n.name}") for n in names if n.name.split(".")[0] in SOURCES)
        case ast.ImportFrom(module=str(module)) if module.split(".")[0] in SOURCES:
            yield node.lineno, f"from {module} import ..."
        case ast.Attribute(value=ast.Name(id=base), attr=name) if (base, name) in CALLS:
            yield node.lineno, f"{base}.{name}"
        case ast.Call(func=ast.Name(id=name)) if name in SALTED:
            yield node.lineno, f"{name}()"
