"""Says where in the source of a plug-in a fault is, as the problems of flow files do."""

import ast
import re
import tokenize
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import CodeType, TracebackType

import msgspec

from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.nodes.declaration import DeclarationProblem

_SHOWN_CHARS = 300
_LINE_END = re.compile(r"\r\n|\r|\n")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with a plug-in, in words for whoever wrote it."""

    message: str
    line: int = 1
    """Counted from 1, as are the columns."""
    column: int = 1
    width: int = 1
    """Characters to underline."""
    hint: str | None = None
    code: str = "NODE-001"


class PluginBroken(Exception):
    """A plug-in cannot be used; it carries all that is known to be wrong with it."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def file_problems(faults: Sequence[Fault], path: Path, source: bytes) -> tuple[Problem, ...]:
    """Return the faults of a file beside the flows as problems, each with its source line."""
    lines = _LINE_END.split(_text(source))
    return tuple(
        Problem(
            code=fault.code,
            message=fault.message,
            file=str(path),
            line=fault.line,
            column=fault.column,
            source_line=lines[fault.line - 1] if fault.line <= len(lines) else "",
            width=fault.width,
            hint=fault.hint,
        )
        for fault in faults
    )


def text_fault(source: bytes) -> Fault | None:
    """Return what keeps a source from being text at all; Python itself does not always say so, or not where."""
    nul = source.find(b"\0")
    if nul >= 0:
        return _byte_fault(source, nul, "it holds a NUL byte, so it is no text")
    try:
        source.decode(_encoding(source))
    except UnicodeDecodeError as error:
        message = f"it is not {error.encoding.upper()}: there is the byte 0x{source[error.start]:02x}"
        return _byte_fault(source, error.start, message, hint="save it as UTF-8")
    return None


def _byte_fault(source: bytes, at: int, message: str, hint: str | None = None) -> Fault:
    before = source[:at]
    line_start = before.rfind(b"\n") + 1
    column = _characters(before[line_start:]) + 1
    return Fault(message=message, line=before.count(b"\n") + 1, column=column, hint=hint)


def raised_fault(error: BaseException, path: str, source: bytes) -> Fault:
    """Return the fault for an exception that executing the file raised: at the line of the file that led to it."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return _syntax_fault(error)
    message = f"it cannot be executed: {words(error)}"
    place = _last_place(error.__traceback__, path)
    if place is None:
        return Fault(message=message)
    line, start, end = place
    text = next(islice(source.splitlines(), line - 1, None), b"")
    column = _characters(text[:start])
    return Fault(
        message=message, line=line, column=column + 1, width=max(_characters(text[:end]) - column, 1)
    )


def words(error: BaseException) -> str:
    """Return an exception in one line, whatever a stranger's exception does when it is asked for its text."""
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  # see above
        return name
    shown = text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
    return f"{name}: {shown}" if shown else name


def last_file(error: BaseException) -> tuple[str, int] | None:
    """Return the Python file and line where an exception was raised, or None when that was in none."""
    found: tuple[str, int] | None = None
    for frame in _frames(error.__traceback__):
        name = frame.tb_frame.f_code.co_filename
        if not name.startswith("<"):
            found = name, frame.tb_lineno
    return found


class SourcePlaces:
    """Finds classes and their attributes in a source."""

    def __init__(self, source: bytes) -> None:
        """Read a source; one that is no Python has no places."""
        try:
            self._classes = {
                each.name: each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.ClassDef)
            }
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self._classes = {}
        self._lines = source.splitlines()

    def class_fault(self, name: str, message: str, hint: str | None = None) -> Fault:
        """Return a fault at the name of a class."""
        found = self._classes.get(name)
        if found is None:
            return Fault(message=message, hint=hint)
        column = found.col_offset + len("class ") + 1
        return Fault(message=message, line=found.lineno, column=column, width=len(name), hint=hint)

    def declaration_fault(self, declared: type, problem: DeclarationProblem) -> Fault:
        """Return a fault at the parameter or attribute that a declaration's problem is about, else at the class."""
        parameters: object = getattr(declared, "Parameters", None)
        if problem.parameter and isinstance(parameters, type):
            return self.attribute_fault(parameters.__name__, problem.parameter, problem.message)
        return self.attribute_fault(declared.__name__, problem.attribute, problem.message)

    def attribute_fault(
        self, class_name: str, attribute: str, message: str, hint: str | None = None
    ) -> Fault:
        """Return a fault at the line where a class sets an attribute, else at the class."""
        found = self._attribute(class_name, attribute)
        if found is None:
            return self.class_fault(class_name, message, hint)
        end = found.end_col_offset if found.end_lineno == found.lineno else None
        text = self._lines[found.lineno - 1]
        start = _characters(text[: found.col_offset])
        width = max(_characters(text[:end].rstrip()) - start, 1)
        return Fault(message=message, line=found.lineno, column=start + 1, width=width, hint=hint)

    def _attribute(self, class_name: str, name: str) -> ast.stmt | None:
        body = self._classes[class_name].body if class_name in self._classes else []
        for statement in body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            if isinstance(statement, ast.AnnAssign):
                targets = [statement.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return statement
        return None


def _syntax_fault(error: SyntaxError) -> Fault:
    column = max(error.offset or 1, 1)
    same_line = error.end_lineno == error.lineno and error.end_offset
    width = max((error.end_offset or column) - column, 1) if same_line else 1
    message = f"it is not valid Python: {type(error).__name__}: {error.msg}"
    return Fault(message=message, line=max(error.lineno or 1, 1), column=column, width=width)


def _last_place(trace: TracebackType | None, path: str) -> tuple[int, int, int] | None:
    """Return line, first byte and end of the expression of `path` that was being executed last."""
    found: tuple[int, int, int] | None = None
    for frame in _frames(trace):
        code = frame.tb_frame.f_code
        if code.co_filename == path:
            start, end = _columns(code, frame.tb_lasti, frame.tb_lineno)
            found = frame.tb_lineno, start, end
    return found


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _columns(code: CodeType, instruction: int, line: int) -> tuple[int, int]:
    start_line, end_line, start, end = next(islice(code.co_positions(), instruction // 2, None))
    if start_line != line or start is None or end is None:
        return 0, 1
    return start, end if end_line == line else start + 1


def _characters(raw: bytes) -> int:
    return len(raw.decode("utf-8", "replace"))


def _text(source: bytes) -> str:
    return source.decode(_encoding(source), "replace").removeprefix("\ufeff")


def _encoding(source: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(source).readline)
    except SyntaxError:  # the first lines are no text, or name an unknown encoding: Python says so as well
        return "utf-8"
    return encoding


def file_fault(message: str, hint: str | None = None) -> PluginBroken:
    """Return what to raise for a file that cannot even be read."""
    return PluginBroken(Fault(message=message, hint=hint))


def short_path(path: Path) -> str:
    """Return how a message calls a file beside the flows: `nodes/shout.py`."""
    return f"{path.parent.name}/{path.name}"
