"""Prints what a run gave: the document for programs, the primary results for people and pipes."""

import sys
from pathlib import Path
from typing import cast

import click
import msgspec

from atomiton_runtime.cli.wording import dim, harmless
from atomiton_runtime.values import BYTES_KEY, FILE_KEY, Value, decode, encode

_SHOWN_LINES = 40
"""Of a result on a terminal; a pipe gets all of it."""
_SHOWN_CHARS = 2000
"""Of such a line."""


def print_json(document: object) -> None:
    """Print a value as JSON in UTF-8, whatever the terminal's encoding is: indented for people, else on one line."""
    written = msgspec.json.encode(document)
    if sys.stdout.isatty():
        written = msgspec.json.format(written, indent=2)
    _write(written + b"\n")


def print_results(outputs: dict[str, dict[str, Value]], sinks: int) -> None:
    """Print the primary results of the sink nodes to stdout.

    One sink: its value; a text as it is, bytes as they are, anything else as JSON, null not at all. Several: one
    JSON object, node id -> value.

    Args:
        outputs: sink node -> port -> value in document form, the primary port first.
        sinks: how many sink nodes the flow has, also those without outputs.
    """
    results = {node: next(iter(ports.values()), None) for node, ports in outputs.items()}
    if sinks != 1:
        print_json(results)
        return
    for value in results.values():
        _print_value(value)


def _print_value(value: Value) -> None:
    value = _whole(value)
    if value is None:
        return
    if isinstance(value, bytes):
        if sys.stdout.isatty():
            click.echo(dim(f"({len(value)} bytes; send them to a file with > FILE)"))
        else:
            _write(value)
        return
    if not sys.stdout.isatty():
        text = value.encode() if isinstance(value, str) else encode(value)
        _write(text if text.endswith(b"\n") else text + b"\n")
        return
    text = value if isinstance(value, str) else msgspec.json.format(encode(value), indent=2).decode()
    lines = harmless(text).rstrip("\n").split("\n")
    for line in lines[:_SHOWN_LINES]:
        click.echo(_cut(line))
    if len(lines) > _SHOWN_LINES:
        click.echo(dim(f"... {len(lines) - _SHOWN_LINES} more lines; a pipe or > FILE gets all"))


def _cut(line: str) -> str:
    """Return a line of a result, or its beginning with a mark: some results are one line of a megabyte."""
    if len(line) <= _SHOWN_CHARS:
        return line
    return line[:_SHOWN_CHARS] + dim(
        f"… {len(line) - _SHOWN_CHARS} more characters; a pipe or > FILE gets all"
    )


def _whole(value: Value) -> Value:
    """Return the value itself where the document only has a marker for it."""
    if isinstance(value, dict) and isinstance(path := value.get(FILE_KEY), str):
        return decode(Path(path).read_bytes())
    if isinstance(value, dict) and BYTES_KEY in value:
        return decode(encode(value))
    return value


def _write(content: bytes) -> None:
    sys.stdout.flush()
    binary = cast("object", getattr(sys.stdout, "buffer", None))
    if binary is None:
        sys.stdout.write(content.decode())
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
