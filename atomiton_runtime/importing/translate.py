"""Turns the file of a flow of the original Atomiton into the text of a flow of ours."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

import msgspec

from atomiton_runtime.importing.draft import Draft
from atomiton_runtime.importing.node_types import type_named
from atomiton_runtime.importing.original import APPEARANCE, OriginalFlow, OriginalNode, read_original
from atomiton_runtime.importing.parameters import translate_parameters
from atomiton_runtime.importing.remarks import Remark, look
from atomiton_runtime.importing.toml_text import comments, toml_text
from atomiton_runtime.importing.wiring import wire
from atomiton_runtime.importing.yaml_file import Data, Document, read_yaml

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_VARIABLE_TYPES = {name: name for name in ("string", "integer", "number", "boolean", "array", "object")}
_KINDS: Mapping[str, type[object] | tuple[type[object], ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that was imported."""

    id: str
    """A name for its file, without suffix."""
    toml: str
    remarks: tuple[Remark, ...]
    """What a person must look at or should know, by line."""


def import_flow(content: bytes, file: str) -> Imported:
    """Return the flow in a YAML or JSON file of the original as TOML.

    Args:
        content: the bytes of the file.
        file: how problems name it.

    Raises:
        FlowInvalid: it cannot be read (IMPORT-001 to IMPORT-006).
    """
    document = read_yaml(content, file)
    flow = read_original(document, file)
    remarks: list[Remark] = []
    drafts = _drafts(flow.nodes, document, texts=_has_cells(flow.nodes))
    drafts = wire(drafts, flow.edges, remarks)
    top: dict[str, Data] = {
        key: text for key, text in (("name", flow.name), ("description", flow.description)) if text
    }
    tables: dict[str, Data] = {
        "variables": _variables(flow, document, remarks),
        "settings": _settings(flow, document, remarks),
    }
    for key, value in (flow.parameters | flow.others).items():
        remarks.append(
            look(f"`{key}` of the flow was not translated", document.line((*flow.path, key)), value)
        )
    head = ["Imported from a flow of the original Atomiton.", *comments(remarks)]
    text = toml_text(top, tables, drafts, head)
    every = sorted([*remarks, *_remarks_of(drafts)], key=lambda remark: remark.line)
    return Imported(id=_plain(flow.name or flow.id, "imported", 64), toml=text, remarks=tuple(every))


def _drafts(nodes: Sequence[OriginalNode], document: Document, *, texts: bool) -> list[Draft]:
    drafts: list[Draft] = []
    taken: set[str] = set()
    for node in nodes:
        id_ = name = _plain(node.id, "node", 90, keep_case=True)
        number = 2
        while id_ in taken:
            id_, number = f"{name}_{number}", number + 1
        taken.add(id_)
        draft = Draft(id=id_, original=node, document=document, edges=node.edges)
        translate_parameters(draft, texts=texts)
        draft.children += _drafts(node.nodes, document, texts=texts)
        drafts.append(draft)
    return drafts


def _plain(text: str, default: str, length: int, *, keep_case: bool = False) -> str:
    """Return a text as a name of letters, digits, `-` and `_`."""
    ascii_ = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", ascii_).strip("-")[:length].strip("-")
    return (plain if keep_case else plain.lower().lstrip("_-")) or default


def _has_cells(nodes: Sequence[OriginalNode]) -> bool:
    for node in nodes:
        ours = type_named(node.type)
        if (ours is not None and ours.name == "spreadsheet") or _has_cells(node.nodes):
            return True
    return False


def _remarks_of(drafts: Sequence[Draft]) -> list[Remark]:
    return [remark for draft in drafts for remark in (*draft.remarks, *_remarks_of(draft.children))]


def _variables(flow: OriginalFlow, document: Document, remarks: list[Remark]) -> dict[str, Data]:
    found: dict[str, Data] = {}
    for name, written in flow.variables.items():
        variable = _variable(written) if _VARIABLE.fullmatch(name) else None
        if variable is None:
            line = document.line((*flow.path, "variables", name))
            remarks.append(look(f"the variable `{name}` was not translated", line, written))
        else:
            found[name] = variable
    return found


def _variable(written: Data) -> Data:
    if not isinstance(written, dict):
        return written
    kind = _VARIABLE_TYPES.get(str(written.get("type", "string")))
    if kind is None or not written.keys() <= {
        "type",
        "defaultValue",
        "default",
        "value",
        "description",
        "required",
        "name",
    }:
        return None
    found: dict[str, Data] = {"type": kind}
    default = next(
        (written[key] for key in ("defaultValue", "default", "value") if written.get(key) is not None), None
    )
    if default is not None:
        if not isinstance(default, _KINDS[kind]) or (kind != "boolean" and isinstance(default, bool)):
            return None
        found["default"] = default
    if isinstance(text := written.get("description"), str) and text:
        found["description"] = text
    return found


def _settings(flow: OriginalFlow, document: Document, remarks: list[Remark]) -> dict[str, Data]:
    # An imported flow runs when a person says so, not because its file has appeared.
    found: dict[str, Data] = {"on_save": "off"}
    for group, written in flow.settings.items():
        entries = written if isinstance(written, dict) else {"": written}
        for key, value in entries.items():
            if group == "ui" or key in APPEARANCE or (group, key, value) == ("runtime", "parallel", True):
                continue
            if (group, key) == ("runtime", "timeout") and isinstance(value, int) and value > 0:
                found["timeout"] = f"{value}ms"
            else:
                where = ".".join(part for part in ("settings", group, key) if part)
                line = document.line((*flow.path, "settings", *(part for part in (group, key) if part)))
                remarks.append(look(f"`{where}` was not translated", line, value))
    return found
