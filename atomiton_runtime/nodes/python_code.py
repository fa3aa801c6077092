"""Is the node type `python`."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes.base import Effect, Example, NodeContext, NodeError, NodeType, Outside, Port
from atomiton_runtime.nodes.paths import resolved
from atomiton_runtime.nodes.python_source import Source
from atomiton_runtime.nodes.scalars import IS_CODE, Size
from atomiton_runtime.values import Value, preview

FUNCTION = "run"
"""What `code` defines."""


class PythonParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `python` takes."""

    code: Annotated[
        str | None,
        Meta(
            description="Python that defines `run(input, vars)`. It is taken as it is: no template, so that braces "
            "are Python's own.",
            extra=IS_CODE,
        ),
    ] = None
    file: Annotated[str | None, Meta(description="A Python file, instead of `code`.")] = None
    function: Annotated[
        str | None, Meta(description="The function of `file` that is called; without it, `run`.")
    ] = None
    python: Annotated[
        str | None,
        Meta(
            description="The interpreter, 3.8 or newer: a path, the folder of a virtual environment, or a name on "
            "PATH; without it, the one that the runtime itself runs on."
        ),
    ] = None
    max_memory: Annotated[
        Size | None,
        Meta(
            description="The most address space the process may have; Linux only. Python itself takes about 30 MiB."
        ),
    ] = None


class Python(NodeType):
    """Calls a Python function with the node's input and the flow's variables.

    It runs in a process of its own, which is kept for further calls, with the flow's folder as its working directory
    and the first place for imports. Every call executes the code anew, and reads the modules beside the flow anew.
    What is printed goes to the log of the run. What a call starts and leaves behind ends with it.

    The function takes `input` and `vars`, or only what it names of these, and may be async. It returns what can travel
    between nodes: null, true and false, numbers, texts, bytes, lists and objects; dates and paths become text.
    """

    name = "python"
    repeatable = False
    uses = frozenset({"vars"})
    ports = (
        Port("result", "What the function returned."),
        Port("stdout", "What it printed; at most 10 MiB."),
    )
    Parameters = PythonParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="A few lines of Python",
            toml="code = '''\ndef run(input, vars):\n    print(len(input), \"words\")\n    return sorted(input)\n'''",
            input=["b", "a"],
            outputs={"result": ["a", "b"], "stdout": "2 words\n"},
        ),
        Example(
            title="A function of a file beside the flow",
            toml='file = "prices.py"\nfunction = "total"',
            input=[{"price": 2}, {"price": 3}],
            files={"prices.py": 'def total(input):\n    return sum(row["price"] for row in input)\n'},
            outputs={"result": 5, "stdout": ""},
        ),
        Example(
            title="An exception",
            toml="code = '''\ndef run(input):\n    return 1 / input\n'''",
            input=0,
            error="PYTHON-001",
        ),
        Example(
            title="A result that cannot travel",
            toml="code = '''\ndef run():\n    return {1, 2}\n'''",
            error="PYTHON-004",
        ),
        Example(title="Neither `code` nor `file`", toml="", error="PARAM-007"),
        Example(title="Code that is no Python", toml="code = 'def run(input) return 1'", error="PYTHON-002"),
    )

    def __init__(self) -> None:
        self._pool: Any = None

    def effect(self, parameters: PythonParameters) -> Effect:
        """Return `writes`: nobody knows what a function does."""
        del parameters
        return "writes"

    def outside(self, parameters: PythonParameters, context: NodeContext) -> Outside:
        """Return the file of the function; what the function does, nobody can know before."""
        if parameters.code is not None:
            return Outside(does=f"calls {FUNCTION}()")
        does = preview(f"calls {_function(parameters)}() of {parameters.file}")
        return Outside(reads=(_file(parameters, context),), does=does)

    def complaints(self, parameters: Mapping[str, Any]) -> Sequence[Complaint]:
        """Return what is missing or not used, and where the code is no Python."""
        code, file = parameters.get("code"), parameters.get("file")
        if code is None and file is None:
            message = "one of `code` and `file` is needed"
            return [Complaint(code="PARAM-007", message=message, hint="`code` defines `run(input, vars)`")]
        if code is not None and file is not None:
            message = "`code` and `file` cannot be used together"
            return [Complaint(code="PARAM-007", message=message, path=("file",), hint="leave one out")]
        found: list[Complaint] = []
        if code is not None and parameters.get("function") is not None:
            message = f"`function` is used with `file`; `code` defines `{FUNCTION}`"
            found.append(
                Complaint(code="PARAM-007", message=message, path=("function",), hint="leave it out")
            )
        # Another interpreter may know another Python.
        if isinstance(code, str) and parameters.get("python") is None:
            found.extend(_syntax_complaints(code))
        return found

    def execute(self, parameters: PythonParameters, context: NodeContext) -> dict[str, Value]:
        """Call the function."""
        from atomiton_runtime.nodes import python_process

        if self._pool is None:
            self._pool = python_process.new_pool()
        return python_process.execute(
            self._pool,
            context,
            _source(parameters, context),
            interpreter=_interpreter(parameters, context),
            max_memory=int(parameters.max_memory or 0),
        )

    def close(self) -> None:
        """End the processes that wait for calls."""
        if self._pool is not None:
            self._pool.close()


def _source(parameters: PythonParameters, context: NodeContext) -> Source:
    if parameters.code is not None:
        lines = context.code_lines.get("code", ())
        return Source(
            code=parameters.code, file=context.flow_path or "<code>", lines=lines, function=FUNCTION
        )
    path = _file(parameters, context)
    try:
        code = path.read_bytes()
    except OSError as error:
        message = f"`file` cannot be read: {path}: {error.strerror}"
        hint = "paths are relative to the flow's folder"
        raise NodeError("PYTHON-005", message, hint=hint) from error
    return Source(code=code, file=str(path), function=_function(parameters))


def _file(parameters: PythonParameters, context: NodeContext) -> Path:
    return resolved(parameters.file or "", context.folder, "file")


def _function(parameters: PythonParameters) -> str:
    return parameters.function or FUNCTION


def _interpreter(parameters: PythonParameters, context: NodeContext) -> str:
    if parameters.python is None:
        return sys.executable
    text = parameters.python
    if os.sep not in text and "/" not in text:
        on_path = shutil.which(text)
        if on_path is not None:
            return on_path
    path = resolved(text, context.folder, "python")
    for candidate in (path / "bin" / "python", path / "Scripts" / "python.exe", path):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            # Not `resolve()`: by its link a virtual environment is known.
            return str(candidate)
    raise NodeError(
        "PYTHON-006",
        f"`python` is no interpreter: {text}",
        hint=f"looked on PATH and at {path}; give a path, a folder of a virtual environment, or leave it out",
    )


def _syntax_complaints(code: str) -> list[Complaint]:
    try:
        compile(code, "<code>", "exec", dont_inherit=True)
    except SyntaxError as error:
        place = (max(error.lineno or 1, 1), max(error.offset or 1, 1))
        return [_no_python(f"the code is no Python: {error.msg}", place)]
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return [_no_python(f"the code is no Python: {error}", None)]
    return []


def _no_python(message: str, within: tuple[int, int] | None) -> Complaint:
    return Complaint(code="PYTHON-002", message=message, path=("code",), within=within)
