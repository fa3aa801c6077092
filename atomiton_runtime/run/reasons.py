"""Says in words why a node is executed: what of its key is not as it was."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from atomiton_runtime.flow.model import ListInput, Node, SingleInput, TableInput
from atomiton_runtime.run.reuse import changed_parts, shown_part

NEVER = 'it has `reuse = "never"`'
LOOKS = "only looking again tells whether its result still holds"
FIRST = "it has no result yet"
UNKNOWN = "what its earlier result depends on is not known"


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reason why a node is executed."""

    message: str
    part: str = ""
    """The part of its key that changed; empty: none did."""
    line: int | None = None
    """Where in the flow's file, counted from 1."""


def reasons(before: Mapping[str, str] | None, after: Mapping[str, str], node: Node) -> tuple[Reason, ...]:
    """Return what of a key is not as it was.

    Args:
        before: the parts of the key of the last result; None: there is none.
        after: those of the key that it has now.
        node: as it is written now.
    """
    if before is None:
        return (Reason(message=FIRST),)
    return tuple(
        Reason(message=_words(name, before.get(name), after.get(name), node), part=name)
        for name in changed_parts(before, after)
    )


def key_path(part: str, node_path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return where in the flow's file a part of a node's key is written; None: it is not."""
    kind, _, name = part.partition(" ")
    match kind:
        case "parameter":
            return (*node_path, name)
        case "type" | "input":
            return (*node_path, kind)
        case "body":
            return (*node_path, "nodes")
        case "name" if name.startswith("vars."):
            return ("variables", name.removeprefix("vars."))
        case _:
            return None


def _words(part: str, before: str | None, after: str | None, node: Node) -> str:
    kind, _, name = part.partition(" ")
    match kind:
        case "parameter":
            return _change(f"parameter `{name}`", before, after)
        case "type":
            return f"its type was {before} and is {after}"
        case "name":
            return _name_words(name, before, after)
        case "input":
            return _input_words(name, before, after, node)
        case "reads":
            return (
                f"{_short(name)} was changed"
                if before and after
                else f"it reads {_short(name)} {_now(after)}"
            )
        case "item" | "index" | "outer":
            return "it is given another item" if kind == "item" else f"`{kind}` is another one"
        case "body":
            return "the nodes within were changed"
        case "flow":
            return (
                f"the flow {_short(name)} was changed"
                if before and after
                else f"it calls {_short(name)} {_now(after)}"
            )
        case _:
            return LOOKS


def _name_words(name: str, before: str | None, after: str | None) -> str:
    root, _, key = name.partition(".")
    if root in ("now", "run"):
        return f"it uses `{name}`, which is another one each time"
    words = {"vars": "variable", "env": "environment variable", "secrets": "secret"}.get(root)
    if words is None or not key:
        return _change(f"`{name}`", before, after)
    return _change(f"{words} `{key}`", before, after)


def _input_words(label: str, before: str | None, after: str | None, node: Node) -> str:
    source = _source_of(label, node)
    if before is None or after is None:
        return "it takes other inputs"
    return "its input is another one" if source is None else f"the result of {source} is another one"


def _source_of(label: str, node: Node) -> str | None:
    """Return the port that an input comes from, as it is written; None: from no port."""
    match node.input:
        case SingleInput(ref):
            return str(ref.node)
        case ListInput(refs) if label.isdecimal() and int(label) < len(refs):
            return str(refs[int(label)].node)
        case TableInput(named):
            return next((str(ref.node) for name, ref in named if name == label), None)
        case _:
            return None


def _change(what: str, before: str | None, after: str | None) -> str:
    old, new = shown_part(before), shown_part(after)
    if before is None:
        return f"{what} is new" if new is None else f"{what} is new: {new}"
    if after is None:
        return f"{what} is gone" if old is None else f"{what} is gone, it was {old}"
    if old is None and new is None:
        return f"{what} was changed"
    return f"{what} {old or '(something longer)'} -> {new or '(something longer)'}"


def _now(after: str | None) -> str:
    return "now" if after else "no more"


def _short(path: str) -> str:
    """Return the end of a path: its folder is that of the flow, mostly."""
    return "/".join(Path(path).parts[-2:])
