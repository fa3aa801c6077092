"""Writes an imported flow as TOML: values by tomli_w, and a comment above each node for what a person must know."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import tomli_w

from atomiton_runtime.importing.draft import Draft
from atomiton_runtime.importing.remarks import Remark
from atomiton_runtime.importing.yaml_file import Data


def toml_text(
    top: Mapping[str, Data], tables: Mapping[str, Data], nodes: Sequence[Draft], head: Sequence[str]
) -> str:
    """Return the text of a flow file.

    Args:
        top: keys of the flow itself.
        tables: `variables` and `settings`.
        nodes: its nodes.
        head: comment lines for the beginning, without `#`.
    """
    blocks = ["".join(f"# {_visible(line)}\n" for line in head) + _dumped(top)]
    blocks += [_dumped({name: table}) for name, table in tables.items() if table]
    blocks += _node_blocks(nodes, ("nodes",))
    return "\n".join(blocks)


def comments(remarks: Iterable[Remark]) -> list[str]:
    """Return the lines of comments for remarks, without `#`."""
    lines: list[str] = []
    for remark in remarks:
        word = "look" if remark.needs_work else "note"
        lines.append(f"{word}: line {remark.line}: {remark.message}")
        if remark.original is not None:
            lines += [f"  | {line}" for line in remark.original.splitlines()]
    return lines


def _node_blocks(nodes: Sequence[Draft], path: tuple[str, ...]) -> list[str]:
    blocks: list[str] = []
    for node in nodes:
        here = (*path, node.id)
        table: Data = node.keys
        for part in reversed(here):
            table = {part: table}
        assert isinstance(table, dict)
        said = "".join(f"# {_visible(line)}".rstrip() + "\n" for line in comments(node.remarks))
        blocks.append(said + _dumped(table))
        blocks += _node_blocks(node.children, (*here, "nodes"))
    return blocks


def _dumped(table: Mapping[str, Data]) -> str:
    return tomli_w.dumps(table, multiline_strings=True)


def _visible(text: str) -> str:
    # A control character is no part of a comment; a mark that turns the direction of writing would hide one.
    return "".join(
        char
        if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or char == "\t"
        else repr(char)[1:-1]
        for char in text
    )
