"""Shows what went wrong, as a compiler would: place, code, message, source line, caret, hint; never a traceback."""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from atomiton_runtime.cli import table
from atomiton_runtime.cli.wording import dim, harmless, one_line
from atomiton_runtime.errors import AtomitonError, ErrorInfo, UsageError, Where

if TYPE_CHECKING:
    # Describes arguments only; a help text is shown without loading the model of flows.
    from atomiton_runtime.flow.problems import Problem

_INTERNAL = "CLI-099"
_EXCERPT_CELLS = 100
_LOG_LIMIT_BYTES = 1024 * 1024


def exit_code(error: AtomitonError) -> int:
    """Return the exit code for an error that ends a command: 2 for the user's, 5 for the store's or the runtime's."""
    return 2 if isinstance(error, UsageError) else 5


def show_error(error: AtomitonError) -> None:
    """Print the error to stderr; of an invalid flow, or of wrong variables, all that is wrong."""
    problems: Sequence[Problem] = getattr(error, "problems", ())
    errors: Sequence[ErrorInfo] = getattr(error, "errors", ())
    lines = [problem_text(problem) for problem in problems] or [error_text(each) for each in errors]
    for text in lines or [error_text(error.info())]:
        _tell(text)


def show_usage_error(error: click.UsageError) -> None:
    """Print what click says against the command line, in the form of our own errors."""
    message, hint = error.message, None
    possibilities: Sequence[str] = getattr(error, "possibilities", None) or ()
    if possibilities:
        hint = f"did you mean {' or '.join(possibilities)}?"
    elif error.ctx is not None:
        hint = f"`{error.ctx.command_path} --help` shows what there is"
    if not hasattr(error, "possibilities"):
        message = error.format_message()
    misfit = isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter)
    code = "CLI-002" if misfit else "CLI-001"
    message = message.rstrip(".").replace("'", "`")
    _tell(error_text(ErrorInfo(code, message[:1].lower() + message[1:], hint=hint)))


def show_fault(fault: Exception, data: Path | None) -> None:
    """Print one line about a fault of atomiton itself to stderr, and keep the rest in a file for the report."""
    kept = _keep(fault, data)
    hint = "please report it, with " + (f"the file {kept}" if kept else "what you did")
    message = one_line(f"a fault of atomiton itself: {type(fault).__name__}: {fault}")
    _tell(error_text(ErrorInfo(_INTERNAL, message, hint=hint)))


def lead_nowhere(stream: TextIO) -> None:
    """Let what the interpreter still writes to the stream at its end vanish without a complaint."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _tell(text: str) -> None:
    """Print to stderr; where that is refused (a full disk), the exit code has to say it all."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        raise
    except OSError:
        lead_nowhere(sys.stderr)


def error_text(error: ErrorInfo, word: str = "error") -> str:
    """Return an error, or a warning, as lines: place, code and message first, then node and hint."""
    lines = [_headline(error.where, error.code, error.message, word)]
    if error.node:
        lines.append(f"  {dim('node:')} {one_line(error.node)}")
    if error.hint:
        lines.append(f"  {dim('hint:')} {_indented(error.hint)}")
    return "\n".join(lines)


def problem_text(problem: "Problem", *, cells: int = _EXCERPT_CELLS) -> str:
    """Return a problem of a flow file as lines: headline, source line, caret, hint.

    Args:
        problem: what is wrong.
        cells: so much of a longer source line is shown, around the caret.
    """
    where = Where(problem.file, problem.line, problem.column)
    lines = [_headline(where, problem.code, problem.message)]
    if problem.source_line.strip():
        lines += _excerpt(problem, cells)
    if problem.hint:
        lines.append(f"  {dim('hint:')} {_indented(problem.hint)}")
    return "\n".join(lines)


def _headline(where: Where | None, code: str, message: str, word: str = "error") -> str:
    place = click.style(f"{nearby(where.file)}:{where.line}:{where.column}: ", bold=True) if where else ""
    head = click.style(f"{word}[{code}]:", fg="red" if word == "error" else "yellow", bold=True)
    return f"{place}{head} {_indented(message)}"


def _indented(text: str) -> str:
    """Return a text that may have several lines, so that nobody takes its lines for errors of their own."""
    return harmless(text.strip()).replace("\n", "\n  ")


def nearby(path: str) -> str:
    """Return the path as the user would type it: relative if it is below the current folder."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path


def _excerpt(problem: "Problem", cells: int) -> list[str]:
    """Return the source line with a caret below; of a long line, what is around the place."""
    column = max(problem.column - 1, 0)
    start = max(column - cells // 2, 0) if len(problem.source_line) > cells else 0
    shown = problem.source_line[start : start + cells].rstrip()
    before = _printable(shown[: column - start])
    marked = shown[column - start : column - start + max(problem.width, 1)]
    number = str(problem.line)
    margin = " " * len(number)
    carets = "^" * max(table.width(_printable(marked)), 1)
    return [
        f"  {dim(f'{margin} |')}",
        f"  {dim(f'{number} |')} {_printable(shown)}",
        f"  {dim(f'{margin} |')} {' ' * table.width(before)}{click.style(carets, fg='red', bold=True)}",
    ]


def _printable(source: str) -> str:
    return harmless(source.replace("\t", "    "))


def _keep(fault: Exception, data: Path | None) -> Path | None:
    if data is None:
        return None
    path = data / "logs" / "faults.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        too_long = path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if too_long else os.O_APPEND)
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n")
            log.writelines(traceback.format_exception(fault))
    except (OSError, ValueError):
        return None
    return path
