"""Checks the tree of an expression or template: only what is allowed, not too deep; and lists its names."""

import math
from collections.abc import Iterator

from jinja2 import nodes

from atomiton_runtime.flow.filters import FILTERS, TESTS
from atomiton_runtime.flow.limits import MAX_BLOCKS, MAX_DEPTH, Refused
from atomiton_runtime.flow.lookup import MAPPING_HINTS, TEXT_METHODS, did_you_mean
from atomiton_runtime.flow.names import FUNCTIONS, Use, UsedNames

_STATEMENTS = (nodes.Output, nodes.If, nodes.For, nodes.Assign)
_LOOP_FUNCTIONS = frozenset(("cycle", "changed"))


def inspect(tree: nodes.Template) -> UsedNames:
    """Return the names that `tree` uses.

    Raises:
        Refused: it holds what is not allowed (EXPR-005, EXPR-006, EXPR-007).
    """
    uses: dict[Use, None] = {}
    own: set[str] = set()
    with_key: set[int] = set()
    for node in _walk(tree):
        _check(node)
        match node:
            case nodes.Getattr(node=nodes.Name(ctx="load") as name):
                uses[Use(name.name, node.attr)] = None
                with_key.add(id(name))
            case nodes.Getitem(node=nodes.Name(ctx="load") as name, arg=nodes.Const(value=str() as key)):
                uses[Use(name.name, key)] = None
                with_key.add(id(name))
            case nodes.Call(node=nodes.Name(name=function)) if function in FUNCTIONS:
                own.add(function)
            case nodes.Name(ctx="load") if id(node) not in with_key:
                uses[Use(node.name, None)] = None
            case nodes.Name(ctx="store"):
                own.add(node.name)
            case nodes.For():
                own.add("loop")
            case _:
                pass
    return UsedNames(tuple(uses), frozenset(own))


def _walk(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Yield every node, without recursion: the tree may be as deep as its author likes."""
    waiting: list[tuple[nodes.Node, int, int]] = [(node, 0, 0) for node in reversed(tree.body)]
    while waiting:
        node, depth, blocks = waiting.pop()
        if isinstance(node, nodes.If | nodes.For):
            blocks += 1
        if depth > MAX_DEPTH or blocks > MAX_BLOCKS:
            raise Refused("EXPR-005", "it is nested too deep", "spread it over several nodes")
        yield node
        below = depth + 1 if isinstance(node, nodes.Expr) else depth
        waiting.extend((child, below, blocks) for child in reversed(list(node.iter_child_nodes())))


def _check(node: nodes.Node) -> None:
    match node:
        case nodes.Stmt() if not isinstance(node, _STATEMENTS):
            raise _not_allowed(type(node).__name__.lower())
        case nodes.For(recursive=True):
            raise _not_allowed("for ... recursive")
        case nodes.NSRef():
            raise _not_allowed("set a.b")
        case nodes.Const(value=float() as number) if not math.isfinite(number):
            raise Refused("EXPR-001", "a number in it is too large")
        case nodes.CondExpr(expr2=None):
            raise Refused("EXPR-006", "`x if y` needs an `else`", "write `x if y else z`")
        case nodes.Filter(name=str(name)) if name not in FILTERS:
            raise Refused("EXPR-007", f"there is no filter `{name}`", did_you_mean(name, FILTERS))
        case nodes.Test(name=str(name)) if name not in TESTS:
            raise Refused("EXPR-007", f"there is no test `{name}`", did_you_mean(name, TESTS))
        case nodes.Call():
            _check_call(node)
        case _:
            pass


def _check_call(call: nodes.Call) -> None:
    match call.node:
        case nodes.Name(name=name) if name in FUNCTIONS:
            pass
        case nodes.Getattr(node=nodes.Name(name="loop"), attr=attr) if attr in _LOOP_FUNCTIONS:
            pass
        case nodes.Getattr(attr=attr) if attr in TEXT_METHODS:
            pass
        case nodes.Getattr(attr=attr):
            hint = MAPPING_HINTS.get(attr) or did_you_mean(attr, TEXT_METHODS)
            raise Refused("EXPR-007", f"there is no method `{attr}`", hint)
        case nodes.Name(name=name):
            hint = f"write `x | {name}`" if name in FILTERS else None
            raise Refused("EXPR-007", f"there is no function `{name}`", hint)
        case _:
            raise Refused("EXPR-006", "only methods of texts and `range` can be called")


def _not_allowed(what: str) -> Refused:
    return Refused("EXPR-006", f"`{what}` is not available", "there are `for`, `if`, `set` and `raw`")
