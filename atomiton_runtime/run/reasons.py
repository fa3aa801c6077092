"""Says in words why a node is executed: what of its key is not as it was."""

from collections.abc import Mapping, Sequence
from typing import cast

from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.model import ListInput, Node, SingleInput, TableInput
from atomiton_runtime.run.definition_difference import KeyChanged
from atomiton_runtime.run.pieces import arrow, step, worded
from atomiton_runtime.run.reason import FIRST, LOOKS, Reason
from atomiton_runtime.run.reuse import changed_parts, shown_part
from atomiton_runtime.values import Value

Edits = Sequence[tuple[KeyPath, KeyChanged]]
"""What differs between two texts of a flow's file, each with its path."""
_MOST_EDITS = 3
"""So many edits of one parameter, or body, are told."""
_UNSHOWN = "(something longer)"


def reasons(
    before: Mapping[str, str] | None,
    after: Mapping[str, str],
    node: Node,
    *,
    written_at: tuple[str, ...] = (),
    edits: Edits = (),
) -> tuple[Reason, ...]:
    """Return what of a key is not as it was.

    Args:
        before: the parts of the key of the last result; None: there is none.
        after: those of the key that it has now.
        node: as it is written now.
        written_at: the keys that lead to the node in the flow's file: `("nodes", "each", "nodes", "resize")`.
        edits: of the file since that result; they say more of what the parts do not show.
    """
    if before is None:
        return (Reason(message=FIRST),)
    found: list[Reason] = []
    for name in changed_parts(before, after):
        key = key_path(name, written_at)
        known = _edited(name, key, edits) if _is_hidden(name, before.get(name), after.get(name)) else ()
        words = _words(name, before.get(name), after.get(name), node)
        found += known or (Reason(message=words, part=name, key=key),)
    return tuple(found)


def key_path(part: str, written_at: tuple[str, ...]) -> tuple[str, ...]:
    """Return where in the flow's file a part of a node's key is written; empty: nowhere."""
    kind, _, name = part.partition(" ")
    match kind:
        case "parameter":
            return (*written_at, name)
        case "type" | "input":
            return (*written_at, kind)
        case "body":
            return (*written_at, "nodes")
        case "name" if name.startswith("vars."):
            return ("variables", name.removeprefix("vars."))
        case _:
            return ()


# -- what the parts of a key show --------------------------------------------------------------------------------


def _words(part: str, before: str | None, after: str | None, node: Node) -> str:
    kind, _, name = part.partition(" ")
    match kind:
        case "parameter":
            return _change(f"parameter `{name}`", before, after)
        case "type":
            return _type_words(before or "", after or "")
        case "name":
            return _name_words(name, before, after)
        case "input":
            return _input_words(name, before, after, node)
        case "reads":
            return f"{name} was changed" if before and after else f"it reads {name} {_now(after)}"
        case "item":
            return "it is given another item"
        case "index" | "outer":
            return f"`{kind}` is another one"
        case "body":
            return "the nodes within were changed"
        case "flow":
            changed = before and after
            return f"the flow {name} was changed" if changed else f"it calls {name} {_now(after)}"
        case _:
            return LOOKS


def _type_words(before: str, after: str) -> str:
    """Return the names of types; what else tells two versions of one apart says nothing to a reader."""
    old, new = before.partition(" ")[0], after.partition(" ")[0]
    return f"its type {new} is another version" if old == new else f"its type was {old} and is {new}"


def _name_words(name: str, before: str | None, after: str | None) -> str:
    root, _, key = name.partition(".")
    if root in ("now", "run"):
        return f"it uses `{name}`, which is another one each time"
    words = {"vars": "variable", "env": "environment variable", "secrets": "secret"}.get(root)
    return _change(f"{words} `{key}`" if words and key else f"`{name}`", before, after)


def _input_words(label: str, before: str | None, after: str | None, node: Node) -> str:
    if before is None or after is None:
        return "it takes other inputs"
    source = _source_of(label, node)
    return "its input is another one" if source is None else f"the result of {source} is another one"


def _source_of(label: str, node: Node) -> str | None:
    """Return the node that an input comes from; None: from none, or not from one that is written now."""
    match node.input:
        case SingleInput(ref):
            return str(ref.node)
        case ListInput(refs):
            return str(refs[int(label)].node) if label.isdecimal() and int(label) < len(refs) else None
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
    return f"{what} {old or _UNSHOWN} -> {new or _UNSHOWN}"


def _now(after: str | None) -> str:
    return "now" if after else "no more"


# -- what the edits of the file show -----------------------------------------------------------------------------


def _is_hidden(part: str, before: str | None, after: str | None) -> bool:
    """Return whether the texts of a part do not show all that has changed, but the file may."""
    if part == "body":
        return True
    if not part.startswith("parameter "):
        return False
    return any(text is not None and shown_part(text) is None for text in (before, after))


def _edited(part: str, key: tuple[str, ...], edits: Edits) -> tuple[Reason, ...]:
    """Return the edits at a key of the file, and below it, as reasons; none: it is as it was."""
    found = [(path, edit) for path, edit in edits if path[: len(key)] == key]
    told = tuple(
        Reason(message=_edit_words(path, edit, part, len(key)), part=part, key=tuple(map(str, path)))
        for path, edit in found[:_MOST_EDITS]
    )
    more = len(found) - len(told)
    return (*told, Reason(message=f"and {more} more", part=part, key=key)) if more else told


def _edit_words(path: KeyPath, edit: KeyChanged, part: str, depth: int) -> str:
    below = ""
    for name in path[depth if part == "body" else depth - 1 :]:
        below = step(below, str(name)) if name != "nodes" or part != "body" else below
    what = f"parameter `{below}`"
    if part == "body":
        what = f"within it `{below}`" if below else "what is within it"
    match edit.side:
        case "added":
            return f"{what} is new: {worded(cast(Value, edit.new))}"
        case "removed":
            return f"{what} is gone, it was {worded(cast(Value, edit.old))}"
        case _:
            return f"{what} {arrow(cast(Value, edit.old), cast(Value, edit.new))}"
