"""Is the node type `shell-command`."""

import errno
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta

from atomiton_runtime.nodes.base import (
    Effect,
    Example,
    NodeCancelledError,
    NodeContext,
    NodeError,
    NodeType,
    Outside,
    Port,
)
from atomiton_runtime.nodes.content import as_bytes
from atomiton_runtime.nodes.environment import inherited
from atomiton_runtime.nodes.paths import resolved
from atomiton_runtime.nodes.processes import Ended, signal_name, start_tree
from atomiton_runtime.nodes.scalars import Size
from atomiton_runtime.nodes.streams import Capture, converse
from atomiton_runtime.values import Value, preview

Word = str | int | float

_SHOWN_LINES = 10
_SHOWN_CHARS = 80
_NO_SHELLS = frozenset({"nologin", "false", "true"})


class ShellCommandParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `shell-command` takes."""

    program: Annotated[
        Annotated[str, Meta(min_length=1)],
        Meta(
            description=(
                "The program: a name that is looked up in PATH, or a path (with a `/` in it). With "
                "`shell = true`, a script for your login shell."
            )
        ),
    ]
    args: Annotated[
        tuple[Word, ...],
        Meta(
            description="Its arguments, passed on as they are: no quotes needed. A script gets them as $1, $2 ..."
        ),
    ] = ()
    stdin: Annotated[
        Any,
        Meta(
            description="What it reads: text, bytes, or data, which is written as JSON. Without it, nothing."
        ),
    ] = UNSET
    cwd: Annotated[str, Meta(description="The folder it runs in.", min_length=1)] = "."
    env: Annotated[
        dict[str, Word], Meta(description="Environment variables in addition to those of the runtime.")
    ] = {}
    shell: Annotated[
        bool,
        Meta(
            description=(
                "True: `program` is a script for your login shell (the one of $SHELL, called with -c, so without "
                "your profile). Never put values from outside into its text: pass them in `args` or `env`."
            )
        ),
    ] = False
    check: Annotated[bool, Meta(description="True: an exit code other than 0 fails the node.")] = True
    max_output: Annotated[
        Size,
        Meta(
            description="So much of each of stdout and stderr is kept; a line at its end says what was dropped."
        ),
    ] = Size(10 * 1024 * 1024)


class ShellCommand(NodeType):
    """Runs a program, or a script for the shell.

    No shell is involved unless `shell = true`. Output is taken as UTF-8, with U+FFFD for what is none.

    Everything that the command starts belongs to the node: when the command ends, is cancelled or runs into its
    `timeout`, all of its descendants are asked to end (SIGTERM), and killed two seconds later, also those in the
    background or in sessions of their own. To open a window that stays, let another process start it, for
    example `systemd-run --user xdg-open report.pdf`.
    """

    name = "shell-command"
    repeatable = False
    ports = (
        Port("stdout", "What it wrote to its standard output, as text."),
        Port("stderr", "What it wrote to its standard error, as text."),
        Port("exit_code", "Its exit code; with `check = false` also 128 + N when signal N ended it."),
    )
    Parameters = ShellCommandParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="A program with arguments",
            toml='program = "printf"\nargs = ["%s-%s", "a b", 7]',
            outputs={"stdout": "a b-7", "stderr": "", "exit_code": 0},
        ),
        Example(
            title="Filter the input through a program",
            toml='program = "sort"\nargs = ["-r"]\nstdin = "{{ input }}"',
            input="a\nc\nb\n",
            outputs={"stdout": "c\nb\na\n"},
        ),
        Example(
            title="A script, with a value that the shell does not interpret",
            toml='shell = true\nprogram = \'printf "%s" "$1" | wc -c\'\nargs = ["$(date); `id`"]',
            outputs={"exit_code": 0},
        ),
        Example(
            title="An exit code as an answer",
            toml='program = "grep"\nargs = ["-c", "x", "notes.txt"]\ncheck = false',
            files={"notes.txt": "abc\n"},
            outputs={"stdout": "0\n", "exit_code": 1},
        ),
        Example(
            title="The environment of the command",
            toml='shell = true\nprogram = \'printf %s "$GREETING"\'\nenv = { GREETING = "hi" }',
            outputs={"stdout": "hi"},
        ),
        Example(
            title="A program by its path",
            toml='program = "/bin/echo"\nargs = ["hello"]',
            outputs={"stdout": "hello\n"},
        ),
        Example(title="A program that fails", toml='program = "false"', error="SHELL-003"),
        Example(
            title="A program that is not there", toml='program = "no-such-program-here"', error="SHELL-001"
        ),
        Example(
            title="A folder that is not there",
            toml='program = "true"\ncwd = "no-such-folder"',
            error="SHELL-005",
        ),
        Example(title="Arguments are a list", toml='program = "ls"\nargs = "-l"', error="PARAM-002"),
    )

    def effect(self, parameters: ShellCommandParameters) -> Effect:
        """Return `writes`: nobody knows what a program does."""
        del parameters
        return "writes"

    def outside(self, parameters: ShellCommandParameters, context: NodeContext) -> Outside:
        """Return the program, where it is named by its path; what it does, nobody can know before."""
        if parameters.shell:
            return Outside(does="runs a shell script")
        words = " ".join(map(str, (parameters.program, *parameters.args)))
        folder = resolved(parameters.cwd, context.folder, "cwd")
        reads = (_path_of(parameters.program, folder),) if _is_path(parameters.program) else ()
        return Outside(reads=reads, does=preview(f"runs {words}", _SHOWN_CHARS))

    def execute(self, parameters: ShellCommandParameters, context: NodeContext) -> dict[str, Value]:
        """Run the command and return what it printed."""
        context.cancel.raise_if_cancelled()
        folder = _folder(parameters, context)
        environment = {
            **inherited(context.folder),
            **{name: str(value) for name, value in parameters.env.items()},
        }
        command = _command(parameters, folder, environment)
        given = None if parameters.stdin is UNSET else as_bytes(parameters.stdin, "utf-8")
        output, errors = Capture(parameters.max_output), Capture(parameters.max_output)
        try:
            tree = start_tree(command, folder=folder, environment=environment, with_input=given is not None)
        except (OSError, ValueError) as error:
            raise _cannot_start(parameters.program, error) from error
        try:
            context.cancel.on_cancel(tree.end)
            ended = converse(tree, given, output, errors)
        finally:
            tree.close()
        return _outcome(parameters, context, ended, output, errors)


def _outcome(
    parameters: ShellCommandParameters, context: NodeContext, ended: Ended, output: Capture, errors: Capture
) -> dict[str, Value]:
    if ended.left:
        pids = ", ".join(map(str, ended.left))
        message = f"`{parameters.program}` has ended, but it left processes that cannot be ended: {pids}"
        raise NodeError(
            "SHELL-006", message, hint="they may belong to another user (sudo), or hang in the system"
        )
    if context.cancel.cancelled:
        raise NodeCancelledError
    if ended.error is not None:
        raise _cannot_start(parameters.program, OSError(ended.error, os.strerror(ended.error)))
    if parameters.check and (ended.signal or ended.exit_code):
        raise _failure(parameters.program, ended, errors)
    code = ended.exit_code if ended.exit_code is not None else 128 + (ended.signal or 0)
    return {"stdout": output.text(), "stderr": errors.text(), "exit_code": code}


def _failure(program: str, ended: Ended, errors: Capture) -> NodeError:
    said = errors.last_lines(_SHOWN_LINES)
    detail = f":\n{said}" if said else "; it wrote nothing to stderr"
    name = _short(program)
    if ended.signal:
        return NodeError("SHELL-004", f"`{name}` was ended by {signal_name(ended.signal)}{detail}")
    hint = "with check = false, the exit code is an output and no failure"
    return NodeError("SHELL-003", f"`{name}` ended with exit code {ended.exit_code}{detail}", hint=hint)


def _folder(parameters: ShellCommandParameters, context: NodeContext) -> Path:
    folder = resolved(parameters.cwd, context.folder, "cwd")
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise NodeError("SHELL-005", f"the folder to run in {what}: {folder}")
    return folder


def _command(
    parameters: ShellCommandParameters, folder: Path, environment: Mapping[str, str]
) -> Sequence[str]:
    arguments = [str(word) for word in parameters.args]
    if parameters.shell:
        shell = _login_shell(environment)
        if sys.platform == "win32":
            return [shell, "/d", "/c", parameters.program, *arguments]
        return [shell, "-c", parameters.program, Path(shell).name, *arguments]
    return [_program(parameters.program, folder, environment), *arguments]


def _program(program: str, folder: Path, environment: Mapping[str, str]) -> str:
    if _is_path(program):
        return _program_at(_path_of(program, folder), program)
    path = environment.get("PATH", os.defpath)
    found = shutil.which(program, path=path)
    if found is None:
        message = f"there is no program `{_short(program)}`"
        raise NodeError("SHELL-001", message, hint=_suggestion(program, path))
    return str(folder / found)


def _is_path(program: str) -> bool:
    return bool(os.path.dirname(program)) or program.startswith("~")  # noqa: PTH120  # pathlib drops the "./" that matters


def _path_of(program: str, folder: Path) -> Path:
    return resolved(program, folder, "program")


def _program_at(path: Path, program: str) -> str:
    if not path.exists():
        raise NodeError("SHELL-001", f"there is no program `{_short(program)}`: {path} does not exist")
    if not path.is_file() or not os.access(path, os.X_OK):
        hint = "make it executable with `chmod +x`" if path.is_file() else "it is no file"
        raise NodeError("SHELL-002", f"`{_short(program)}` cannot be executed: {path}", hint=hint)
    return str(path)


def _suggestion(program: str, path: str) -> str:
    if any(mark in program for mark in " |;&<>$") and not os.path.isabs(program):  # noqa: PTH117  # text, no path
        return "arguments belong in `args`; for a script, set shell = true"
    from difflib import get_close_matches

    known: set[str] = set()
    for folder in path.split(os.pathsep):
        try:
            known.update(os.listdir(folder or "."))  # noqa: PTH208  # thousands of names, no Path for each
        except OSError:
            continue
    near = get_close_matches(program, sorted(known), 1, cutoff=0.75)
    return f"did you mean `{near[0]}`?" if near else "is it installed, and in a folder of PATH?"


def _login_shell(environment: Mapping[str, str]) -> str:
    if sys.platform == "win32":
        return environment.get("COMSPEC", "cmd.exe")
    shell = environment.get("SHELL", "")
    usable = Path(shell).is_absolute() and Path(shell).name not in _NO_SHELLS and os.access(shell, os.X_OK)
    return shell if usable else "/bin/sh"


def _cannot_start(program: str, error: OSError | ValueError) -> NodeError:
    name = _short(program)
    if isinstance(error, ValueError):
        return NodeError("SHELL-002", f"`{name}` cannot be executed: an argument or variable holds a NUL")
    match error.errno:
        case errno.ENOEXEC:
            hint = "a script needs a first line such as `#!/bin/sh`"
        case errno.E2BIG:
            hint = "the arguments are too long together: pass the data in `stdin`"
        case errno.ENOENT:
            hint = "the interpreter in its first line does not exist"
        case _:
            hint = None
    return NodeError("SHELL-002", f"`{name}` cannot be executed: {error.strerror}", hint=hint)


def _short(program: str) -> str:
    line = " ".join(program.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
