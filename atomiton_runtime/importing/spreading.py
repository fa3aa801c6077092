"""Spreads an original node over the several nodes that its code became, and connects these."""

from atomiton_runtime.importing.draft import Draft
from atomiton_runtime.importing.parts import OWN, Part, resolved
from atomiton_runtime.importing.yaml_file import Data


def spread(draft: Draft, taken: set[str]) -> list[Draft]:
    """Return the nodes that come before `draft`, whose own keys and input are completed.

    Args:
        draft: connected: its `input` is what the original node took.
        taken: the ids of its scope; those of the new nodes are added.
    """
    own = draft.keys.get("input")
    found: list[Draft] = []
    ids: dict[str, str] = {}
    if not isinstance(own, str) and any(
        OWN in reads and len(reads) > 1 for reads in (draft.reads, *(part.reads for part in draft.parts))
    ):
        # What is no single reference has no place in a table of references: a node of its own passes it on.
        passing = Part(name="input", reads=(OWN,), keys={"type": "transform", "operation": "slice"})
        found.append(_node(draft, passing, own, ids, taken))
        own = ids["input"]
    for part in draft.parts:
        found.append(_node(draft, part, own, ids, taken))
    after = draft.keys.get("after")
    for each in found if after is not None else ():
        each.keys["after"] = after
    if draft.parts or len(draft.reads) > 1:
        draft.keys = _connected(draft.keys, draft.reads, own, ids)
    else:
        draft.keys = {key: resolved(value, {OWN: "input"}) for key, value in draft.keys.items()}
    return found


def _node(draft: Draft, part: Part, own: Data, ids: dict[str, str], taken: set[str]) -> Draft:
    name = id_ = f"{draft.id[:80]}-{part.name}"
    number = 2
    while id_ in taken:
        id_, number = f"{name}_{number}", number + 1
    taken.add(id_)
    keys = _connected(part.keys, part.reads, own, ids)
    ids[part.name] = id_
    node = Draft(id=id_, original=draft.original, document=draft.document, keys=keys)
    node.children = body_of(node, part)
    return node


def body_of(draft: Draft, part: Part) -> list[Draft]:
    """Return the body of a part: one node, or none."""
    if part.child is None:
        return []
    child = Draft(id="fields", original=draft.original, document=draft.document, keys=part.child)
    return [child]


def _connected(
    keys: dict[str, Data], reads: tuple[str, ...], own: Data, ids: dict[str, str]
) -> dict[str, Data]:
    """Return the keys of a node with its input, and its references as expressions over that."""
    sources = {name: own if name == OWN else ids[name] for name in reads}
    if len(reads) == 1:
        names = {reads[0]: "input"}
        source = sources[reads[0]]
    else:
        labels = {name: "data" if name == OWN else name.replace("-", "_") for name in reads}
        names = {name: f"input.{label}" for name, label in labels.items()}
        source = {labels[name]: each for name, each in sources.items()}
    found = {key: resolved(value, names) for key, value in keys.items() if key != "input"}
    if source is None:
        return found
    head = {key: found.pop(key) for key in ("type", "name", "description") if key in found}
    return {**head, "input": source, **found}
