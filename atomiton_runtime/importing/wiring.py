"""Turns the edges of the original into `input` and `after`, and what hangs on a loop into its body."""

from collections.abc import Iterable, Sequence

from atomiton_runtime.importing.draft import Draft
from atomiton_runtime.importing.node_types import HANDLES, PORTS, WITH_BODY
from atomiton_runtime.importing.original import OriginalEdge
from atomiton_runtime.importing.remarks import Remark, look, note
from atomiton_runtime.importing.spreading import spread

_PRIMARY = (
    None,
    "output",
    "out",
    "result",
    "data",
    "default",
    "source",
    "complete",
    "done",
    "results",
    "success",
)
_ONLY_INPUT = (None, "input", "in", "data", "default", "target")
_ALL_OF_IT = "{{ input }}"
_CONCURRENCY = 5
"""Of a `parallel` of the original that does not say it."""
_OF_ITEMS = (*_PRIMARY[:6], "item", "index", "body", "loop", "each")


def wire(drafts: list[Draft], edges: Sequence[OriginalEdge], remarks: list[Remark]) -> list[Draft]:
    """Return the nodes of one scope with `input` and `after`, those of empty bodies moved into them.

    Args:
        drafts: the nodes; they are changed.
        edges: the lines among them.
        remarks: gets what belongs to no node.
    """
    by_id = {draft.original.id: draft for draft in drafts}
    known = [edge for edge in edges if _is_known(edge, by_id, remarks)]
    known = _without_circles(known, by_id)
    for draft in list(drafts):
        gone = all(each is not draft for each in drafts)  # into the body of a loop before it
        if draft.type in WITH_BODY and not draft.children and not gone:
            known = _fill(draft, drafts, known)
    for draft in drafts:
        draft.children = wire(draft.children, draft.edges, remarks) if draft.children else []
        if draft.type == "parallel":
            _cut_siblings(draft)
        _connect(draft, [edge for edge in known if edge.target == draft.original.id], by_id)
    taken = {draft.id for draft in drafts}
    return [node for draft in drafts for node in (*spread(draft, taken), draft)]


def _is_known(edge: OriginalEdge, by_id: dict[str, Draft], remarks: list[Remark]) -> bool:
    missing = [end for end in (edge.source, edge.target) if end not in by_id]
    if not missing:
        return True
    text = (
        f"an edge from `{edge.source}` to `{edge.target}` was left out: there is no `{missing[0]}` beside it"
    )
    place = by_id.get(edge.target) or by_id.get(edge.source)
    (place.remarks if place else remarks).append(look(text, edge.line))
    return False


def _without_circles(edges: Sequence[OriginalEdge], by_id: dict[str, Draft]) -> list[OriginalEdge]:
    kept: list[OriginalEdge] = []
    after: dict[str, set[str]] = {}
    for edge in edges:
        if edge.source in _reached([edge.target], after):
            text = f"the edge from `{edge.source}` was left out: it closes a circle"
            by_id[edge.target].remarks.append(look(text, edge.line))
        else:
            kept.append(edge)
            after.setdefault(edge.source, set()).add(edge.target)
    return kept


def _reached(starts: Iterable[str], after: dict[str, set[str]]) -> set[str]:
    found, waiting = set[str](), list(starts)
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += after.get(here, ())
    return found


def _fill(draft: Draft, drafts: list[Draft], edges: list[OriginalEdge]) -> list[OriginalEdge]:
    """Move what hangs on an empty loop into it, or take the node out; return the edges that are left."""
    id_ = draft.original.id
    edges = _without_parallel(draft, drafts, edges)
    after: dict[str, set[str]] = {}
    for edge in edges:
        after.setdefault(edge.source, set()).add(edge.target)
    begin = [edge for edge in edges if edge.source == id_ and edge.source_handle in _OF_ITEMS]
    body = _reached([edge.target for edge in begin], after) if draft.type == "loop" else set[str]()
    entering = [edge for edge in edges if edge.target in body and edge.source not in body | {id_}]
    other = [edge for edge in edges if edge.source == id_ and edge not in begin and edge.target in body]
    if not body or entering or other:
        return _take_out(draft, drafts, edges)
    draft.children = [each for each in drafts if each.original.id in body]
    draft.edges = [edge for edge in edges if edge.source in body]
    drafts[:] = [each for each in drafts if each.original.id not in body]
    draft.note("", "the nodes that its items went to are its body now; each gets `item`")
    return [edge for edge in edges if edge.source not in body and edge.target not in body]


def _without_parallel(loop: Draft, drafts: list[Draft], edges: list[OriginalEdge]) -> list[OriginalEdge]:
    """Take out an empty `parallel` that all items of a loop go through: so many of them are worked on at once."""
    id_ = loop.original.id
    begin = {edge.target for edge in edges if edge.source == id_ and edge.source_handle in _OF_ITEMS}
    found = [each for each in drafts if each.original.id in begin]
    if loop.type != "loop" or [each.type for each in found] != ["parallel"] or found[0].children:
        return edges
    parallel = found[0]
    loop.keys["concurrency"] = parallel.keys.get("concurrency", _CONCURRENCY)
    line = parallel.document.line(parallel.original.path)
    loop.remarks.append(note(f"the `parallel` `{parallel.id}` became the `concurrency` of this loop", line))
    loop.remarks += parallel.remarks
    drafts[:] = [each for each in drafts if each is not parallel]
    return _joined(parallel.original.id, edges)


def _take_out(draft: Draft, drafts: list[Draft], edges: list[OriginalEdge]) -> list[OriginalEdge]:
    """Take out a node whose body is empty, and connect what was before it with what was after it."""
    id_ = draft.original.id
    others = [each for each in drafts if each is not draft]
    if not others:
        draft.look("", f"a `{draft.type}` needs nodes inside, and there are none")
        return edges
    behind = [edge for edge in edges if edge.source == id_]
    drafts[:] = others
    place = next((each for each in drafts if behind and each.original.id == behind[0].target), drafts[0])
    text = f"the `{draft.original.type}` `{id_}` was left out: there are no nodes inside it"
    place.remarks.append(
        look(text, draft.document.line(draft.original.path), draft.original.parameters or None)
    )
    place.remarks += [remark for remark in draft.remarks if remark.needs_work]
    return _joined(id_, edges)


def _joined(id_: str, edges: Sequence[OriginalEdge]) -> list[OriginalEdge]:
    """Return the edges without a node: what came into it goes to where it led."""
    return [edge for edge in edges if id_ not in (edge.source, edge.target)] + [
        OriginalEdge(
            source=first.source,
            source_handle=first.source_handle,
            target=second.target,
            target_handle=second.target_handle,
            line=second.line,
        )
        for first in edges
        for second in edges
        if first.target == second.source == id_
    ]


def _cut_siblings(draft: Draft) -> None:
    ids = {child.id for child in draft.children}
    for child in draft.children:
        named = {key: child.keys.pop(key) for key in ("input", "after") if key in child.keys}
        if named and ids:
            text = "nodes inside a `parallel` cannot wait for each other: put them into a `group`"
            child.remarks.append(look(text, child.document.line(child.original.path), named))


def _connect(draft: Draft, incoming: Sequence[OriginalEdge], by_id: dict[str, Draft]) -> None:
    after = [edge for edge in incoming if edge.target_handle == "trigger"]
    inputs = [edge for edge in incoming if edge.target_handle != "trigger"]
    first: dict[str, object] = {"type": draft.keys.pop("type")}
    for key in ("name", "description"):
        if key in draft.keys:
            first[key] = draft.keys.pop(key)
    if inputs:
        first["input"] = _input(draft, inputs, by_id)
    if after:
        names = list(dict.fromkeys(by_id[edge.source].id for edge in after))
        first["after"] = names[0] if len(names) == 1 else names
    draft.keys = {**first, **draft.keys}  # pyright: ignore[reportAttributeAccessIssue]  # all of them are data
    if len(inputs) == 1:
        _adapt(draft, by_id[inputs[0].source])


def _input(draft: Draft, edges: Sequence[OriginalEdge], by_id: dict[str, Draft]) -> object:
    references = [_reference(draft, edge, by_id[edge.source]) for edge in edges]
    if len(edges) == 1:
        return references[0]
    handles = [edge.target_handle for edge in edges]
    if len(set(handles)) == len(edges) and not set(handles) & set(_ONLY_INPUT):
        return dict(zip((str(handle) for handle in handles), references, strict=True))
    draft.remarks.append(
        note("several edges end here: the input is the list of what they bring", edges[0].line)
    )
    return references


def _reference(draft: Draft, edge: OriginalEdge, source: Draft) -> str:
    if edge.source_handle == "error":
        return f"{source.id}.error"
    ports = PORTS.get(source.type, frozenset())
    for port in (edge.source_handle, HANDLES.get(edge.source_handle or "")):
        if port in ports:
            return f"{source.id}.{port}"
    if edge.source_handle not in _PRIMARY:
        text = f"the output `{edge.source_handle}` of `{edge.source}` is none of ours: the main one is taken"
        draft.remarks.append(look(text, edge.line))
    return source.id


def _adapt(draft: Draft, source: Draft) -> None:
    """Let a node take what its source gives here, where the original gave something else."""
    if draft.type == "transform" and source.type == "edit-fields" and not draft.parts:
        draft.keys["data"] = ["{{ input }}"]
        draft.single = True
        draft.remarks.append(note("one object comes in: the result is a list of one", draft.line("")))
    elif draft.type == "file-system" and source.single and draft.keys.get("operation") in ("write", "append"):
        if draft.keys.get("content", _ALL_OF_IT) == _ALL_OF_IT:
            draft.keys["content"] = "{{ input[0] }}"
    elif draft.type == "file-system" and source.type == "image" and draft.keys.get("operation") == "write":
        _copy_instead(draft)


def _copy_instead(draft: Draft) -> None:
    """Let a node copy a file that is there already, where the original wrote an image from memory."""
    path = str(draft.keys.pop("path", ""))
    for key in ("content", "encoding", "overwrite"):
        draft.keys.pop(key, None)
    a_file = "." in path.rsplit("/", 1)[-1].strip(".") or path.endswith("}}")
    target = path if a_file else f"{path.rstrip('/')}/"
    draft.keys |= {"operation": "copy", "path": _ALL_OF_IT, "target": target}
    draft.remarks.append(note("the image is a file already: it is copied", draft.line("operation")))
