"""Carries out a call of a `python` node in a warm process, and says what its failures mean for the flow's author."""

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from atomiton_runtime.errors import Where
from atomiton_runtime.nodes.base import NodeCancelledError, NodeContext, NodeError
from atomiton_runtime.nodes.environment import inherited
from atomiton_runtime.nodes.processes import Ended, signal_name
from atomiton_runtime.nodes.python_call import START_S, Answer, Prints, call
from atomiton_runtime.nodes.python_source import Source
from atomiton_runtime.nodes.python_workers import PythonWorker, WorkerKey, start_worker
from atomiton_runtime.nodes.warm_processes import Leash, WorkerPool
from atomiton_runtime.values import Value, decode, encode


class Failure(msgspec.Struct, kw_only=True):
    """An error as `python_worker` describes it."""

    kind: str
    message: str
    type: str = ""
    hint: str | None = None
    frames: list[tuple[str, int, str, str]] = []
    """File, line, function and source line, outermost first."""
    causes: list[dict[str, str]] = []


def new_pool() -> WorkerPool[PythonWorker]:
    """Return a pool of workers, without any."""
    return WorkerPool(start_worker)


def execute(
    pool: WorkerPool[PythonWorker], context: NodeContext, source: Source, *, interpreter: str, max_memory: int
) -> dict[str, Value]:
    """Return the outputs of a call.

    Raises:
        NodeError: the function, or its process, failed (PYTHON-...).
        NodeCancelledError: the attempt was told to stop, and its process is gone.
    """
    request = _request(source, context)
    key = WorkerKey(
        interpreter, str(context.folder), max_memory, frozenset(inherited(context.folder).items())
    )
    prints = Prints(context.log)
    while True:
        context.cancel.raise_if_cancelled()
        worker = _taken(pool, key)
        warm = worker.ready
        answer = _called(pool, worker, request, prints, context)
        if not (warm and answer.ended is not None and not answer.begun):
            break
        # It had died while it was idle: nothing of this call has begun, so another one may have it.
    prints.end()
    context.cancel.raise_if_cancelled()
    if answer.result is not None:
        return {"result": decode(answer.result), "stdout": prints.output.text()}
    if answer.error is not None:
        failure = msgspec.json.decode(answer.error, type=Failure)
        raise _failed(failure, source, max_memory)
    raise _died(answer, prints, interpreter, max_memory)


def _taken(pool: WorkerPool[PythonWorker], key: WorkerKey) -> PythonWorker:
    try:
        return pool.take(key)
    except OSError as error:
        message = f"{key.interpreter} cannot be started: {error.strerror or error}"
        raise NodeError("PYTHON-006", message) from error


def _called(
    pool: WorkerPool[PythonWorker], worker: PythonWorker, request: bytes, prints: Prints, context: NodeContext
) -> Answer:
    leash = Leash(worker, context.cancel)
    try:
        answer = call(worker, request, prints)
        leash.let_go()
    except BaseException:
        leash.let_go()
        worker.close()
        raise
    if context.cancel.cancelled:
        worker.close()
        raise NodeCancelledError
    # What the code has started and left behind ends with the call.
    if answer.dirty or answer.ended is not None or answer.late or not worker.tree.is_alone():
        answer.ended = worker.close()
    else:
        pool.give_back(worker)
    return answer


def _request(source: Source, context: NodeContext) -> bytes:
    first = source.lines[0] if source.lines and _follow(source.lines) else 1
    return encode(
        {
            "code": source.code,
            "file": source.file,
            "first_line": first,
            "function": source.function,
            "input": context.input,
            "vars": dict(cast("Mapping[str, Value]", context.scope.names.get("vars", {}))),
        }
    )


def _follow(lines: Sequence[int]) -> bool:
    return list(lines) == list(range(lines[0], lines[0] + len(lines)))


# -- failures ------------------------------------------------------------------------------------------------

_CODES = {
    "exception": "PYTHON-001",
    "no-function": "PYTHON-003",
    "signature": "PYTHON-003",
    "value": "PYTHON-004",
    "too-large": "PYTHON-004",
    "memory": "PYTHON-007",
}


def _failed(failure: Failure, source: Source, max_memory: int) -> NodeError:
    frames = [_placed(frame, source) for frame in failure.frames]
    hint = failure.hint
    message = failure.message
    if failure.kind == "exception":
        message = f"{failure.type}: {message}" if message else failure.type
        message += "".join(f"\n  caused by {each['type']}: {each['message']}" for each in failure.causes)
    elif failure.kind == "memory":
        limit = f" with `max_memory` = {max_memory:,} bytes" if max_memory else ""
        message = f"the code ran out of memory{limit}"
        hint = hint or "raise `max_memory`, or work on less at once"
    if failure.kind == "no-function" and source.function == "run":
        hint = "define `def run(input, vars):`"
    message += "".join(
        f"\n  line {line}, in {name}: {text}" if name else f"\n  line {line}: {text}"
        for _, line, name, text in frames
        if line
    )
    error = NodeError(_CODES.get(failure.kind, "PYTHON-001"), message, hint=hint)
    if frames:
        file, line, _, _ = frames[-1]
        error.where = Where(file, line, 1)
    return error


def _placed(frame: tuple[str, int, str, str], source: Source) -> tuple[str, int, str, str]:
    """Return a frame with the line of the file in which the code is written."""
    file, line, name, text = frame
    if file != source.file or not source.lines or _follow(source.lines):
        return frame
    return file, source.lines[min(line, len(source.lines)) - 1], name, text


def _died(answer: Answer, prints: Prints, interpreter: str, max_memory: int) -> NodeError:
    said = prints.errors.last_lines(5)
    shown = f": {said}" if said else ""
    if answer.late:
        return NodeError("PYTHON-006", f"{interpreter} was not ready within {START_S:g} s{shown}")
    ended = answer.ended or Ended()
    if not answer.begun and not answer.ready:
        return NodeError(
            "PYTHON-006", f"{interpreter} cannot execute nodes{shown}", hint="it must be Python 3.8 or newer"
        )
    if ended.signal is not None:
        hint = (
            "a fault in a library written in C, or too little memory"
            if not max_memory
            else "see `max_memory`"
        )
        return NodeError(
            "PYTHON-008", f"the process was ended by {signal_name(ended.signal)}{shown}", hint=hint
        )
    return NodeError(
        "PYTHON-008",
        f"the code ended its process with exit code {ended.exit_code}{shown}",
        hint="return from the function instead",
    )
