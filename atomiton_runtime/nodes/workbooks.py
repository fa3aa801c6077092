"""Reads the cells of a workbook in a process of its own, and ends that process whatever happens."""

import contextlib
import io
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeError
from atomiton_runtime.nodes.environment import without_secrets
from atomiton_runtime.nodes.processes import Ended, ProcessTree, own_program, start_tree
from atomiton_runtime.nodes.tables import Cells
from atomiton_runtime.nodes.workbook_process import MAX_MEMORY_BYTES, Request, Said

_PIECE_BYTES = 1024 * 1024


def read_workbook(file: BinaryIO, source: str, request: Request, cancel: CancelToken) -> Generator[Cells]:
    """Yield the cells of each row; close the generator and nothing is left of the process.

    Args:
        file: the workbook, at its beginning.
        source: what messages call it.
        request: what to read.
        cancel: when it is set, the process is ended at once.

    Raises:
        NodeError: it cannot be read (SHEET-001 to SHEET-006), or the process broke or needed too much (SHEET-010).
        NodeCancelledError: `cancel` was set.
    """
    try:
        tree = start_tree(
            _command(request), folder=Path.cwd(), environment=without_secrets(), with_input=True
        )
    except OSError as error:
        raise _no_process(source, error.strerror or str(error)) from error
    try:
        cancel.on_cancel(tree.end)
        _feed(tree, file)
        yield from _rows(tree, source)
    finally:
        tree.close()
        if cancel.cancelled:
            raise NodeCancelledError  # Whatever else went wrong did so because of it.


def _command(request: Request) -> list[str]:
    return own_program("atomiton_runtime.nodes.workbook_process", msgspec.json.encode(request).decode())


def _feed(tree: ProcessTree, file: BinaryIO) -> None:
    # It reads everything before it writes anything, so neither waits for the other.
    with contextlib.suppress(BrokenPipeError), cast(BinaryIO, tree.input) as to_process:
        while piece := memoryview(file.read(_PIECE_BYTES)):
            while piece:
                piece = piece[to_process.write(piece) :]


def _rows(tree: ProcessTree, source: str) -> Iterator[Cells]:
    decoder = msgspec.json.Decoder(Said)
    output = io.BufferedReader(cast(io.RawIOBase, tree.output), _PIECE_BYTES)
    try:
        for line in output:
            # A line that was cut off has no end: its writer was ended in the middle.
            said = decoder.decode(line) if line.endswith(b"\n") else Said()
            if said.refused is not None:
                refused = said.refused
                raise NodeError(refused.code, f"{source} {refused.message}", hint=refused.hint)
            if said.done:
                return
            yield from said.rows
    finally:
        output.detach()
    raise _broke(source, tree.ended())


def _broke(source: str, ended: Ended) -> NodeError:
    if ended.error is not None:
        return _no_process(source, os.strerror(ended.error))
    how = f"by {signal.Signals(ended.signal).name}" if ended.signal else f"with exit code {ended.exit_code}"
    limit = MAX_MEMORY_BYTES // 1024**3
    message = f"{source} cannot be read: its reader was ended {how}"
    hint = (
        f"it is damaged, or needs more than {limit} GiB of memory: is there a stray value far from the table?"
    )
    return NodeError("SHEET-010", message, hint=hint)


def _no_process(source: str, words: str) -> NodeError:
    return NodeError("SHEET-010", f"{source} cannot be read: the process for it did not start: {words}")
