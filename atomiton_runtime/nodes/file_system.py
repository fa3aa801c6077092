"""Is the node type `file-system`."""

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes import files
from atomiton_runtime.nodes.base import Effect, Example, NodeContext, NodeError, NodeType, Outside, Port
from atomiton_runtime.nodes.content import BINARY, as_bytes, as_text, is_text_encoding
from atomiton_runtime.nodes.file_errors import explained
from atomiton_runtime.nodes.listing import listed, printable
from atomiton_runtime.nodes.paths import refuse_to_remove, resolved
from atomiton_runtime.nodes.together import Taken, unfit
from atomiton_runtime.values import Value, preview

Operation = Literal["read", "write", "append", "list", "exists", "create", "delete", "copy", "move"]

MAX_READ_BYTES = 256 * 1024 * 1024
"""A larger file is not read into a value."""

_TAKES: Mapping[str, Taken] = {
    "read": Taken(optional=("encoding",)),
    "write": Taken(optional=("content", "encoding", "overwrite", "create_folders")),
    "append": Taken(optional=("content", "encoding", "create_folders")),
    "list": Taken(optional=("pattern", "recursive")),
    "exists": Taken(),
    "create": Taken(optional=("create_folders",)),
    "delete": Taken(optional=("recursive",)),
    "copy": Taken(needed=("target",), optional=("recursive", "overwrite", "create_folders")),
    "move": Taken(needed=("target",), optional=("overwrite", "create_folders")),
}


class FileSystemParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `file-system` takes."""

    operation: Annotated[
        Operation,
        Meta(
            description=(
                "`read` gives the content of a file; `write` makes `content` the whole content of a file, `append` "
                "adds it to the end; `list` gives what is in a folder, sorted by path; `exists` says whether there "
                "is something at `path`; `create` makes a folder (one that is there is fine); `delete` removes a "
                "file, a link or a folder (one that is not there is fine: `result` says so); `copy` and `move` "
                "take it to `target`."
            )
        ),
    ]
    path: Annotated[
        str,
        Meta(
            description="The file or folder, relative to the flow's folder; `~` is your home.", min_length=1
        ),
    ]
    content: Annotated[
        Any,
        Meta(
            description=(
                "write, append: text, bytes, or data, which is written as indented JSON. Without it, the input."
            )
        ),
    ] = UNSET
    target: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="copy, move: the new path; with a `/` at its end, the folder that it goes into."),
    ] = None
    pattern: Annotated[
        str,
        Meta(
            description=(
                "list: what the name must be like, with `*`, `?` and `[abc]`; with a `/` in it, what the path below "
                "the folder must be like."
            ),
            min_length=1,
        ),
    ] = "*"
    recursive: Annotated[
        bool,
        Meta(
            description=(
                "list: also what is in the folders below; delete, copy: also a folder with something in it. "
                "Links to folders are never followed."
            )
        ),
    ] = False
    encoding: Annotated[
        str, Meta(description='The text encoding by name, or "binary": bytes as they are.', min_length=1)
    ] = "utf-8"
    overwrite: Annotated[
        bool, Meta(description="write, copy, move: false fails when there is something already.")
    ] = True
    create_folders: Annotated[
        bool, Meta(description="Whether missing folders on the way to the new file are created.")
    ] = True


class FileSystem(NodeType):
    """Reads, writes, lists, copies, moves and removes files and folders.

    A file that is written appears whole or not at all, and a file that is replaced keeps its permissions.
    Links are followed when reading and writing; `delete` and `move` concern the link itself, never what it leads
    to. The root of the file system, your home folder, the flow's folder and their parents are never removed.
    """

    name = "file-system"
    repeatable = False
    ports = (
        Port(
            "result",
            "read: the content; list: objects `{name, path, type, size_bytes, modified_at}` with `type` file, "
            "folder, link or other; exists: true or false; delete: whether there was something; else the path.",
        ),
        Port("path", "The absolute path that was worked on; copy, move: the new one."),
        Port("size_bytes", "The size of the file or of all files; null for nothing and for a single folder."),
    )
    Parameters = FileSystemParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Read a text",
            toml='operation = "read"\npath = "notes/today.txt"',
            files={"notes/today.txt": "buy milk\n"},
            outputs={"result": "buy milk\n", "size_bytes": 9},
        ),
        Example(
            title="Read bytes",
            toml='operation = "read"\npath = "a.bin"\nencoding = "binary"',
            files={"a.bin": "abc"},
            outputs={"result": b"abc"},
        ),
        Example(
            title="Write the input as JSON, in a folder that is made on the way",
            toml='operation = "write"\npath = "out/totals.json"',
            input={"total": 3},
            outputs={"size_bytes": 17},
            files_after={"out/totals.json": '{\n  "total": 3\n}\n'},
        ),
        Example(
            title="Write a text, unless there is one",
            toml='operation = "write"\npath = "a.txt"\ncontent = "new"\noverwrite = false',
            files={"a.txt": "old"},
            error="FILE-002",
            files_after={"a.txt": "old"},
        ),
        Example(
            title="Add a line to a log",
            toml='operation = "append"\npath = "log.txt"\ncontent = "{{ input }} done\\n"',
            input="backup",
            files={"log.txt": "first\n"},
            outputs={"size_bytes": 18},
            files_after={"log.txt": "first\nbackup done\n"},
        ),
        Example(
            title="Is it there?",
            toml='operation = "exists"\npath = "a.txt"',
            outputs={"result": False, "size_bytes": None},
        ),
        Example(
            title="Make a folder",
            toml='operation = "create"\npath = "2026/november"',
            outputs={"size_bytes": None},
        ),
        Example(
            title="All Markdown files, also in the folders below",
            toml='operation = "list"\npath = "."\npattern = "*.md"\nrecursive = true',
            files={"a.md": "1", "b.txt": "22", "sub/c.md": "333"},
            outputs={"size_bytes": 4},
        ),
        Example(
            title="Keep a copy under another name",
            toml='operation = "copy"\npath = "a.txt"\ntarget = "backup/a.old"',
            files={"a.txt": "abc"},
            files_after={"a.txt": "abc", "backup/a.old": "abc"},
            outputs={"size_bytes": 3},
        ),
        Example(
            title="Move into a folder",
            toml='operation = "move"\npath = "a.txt"\ntarget = "done/"',
            files={"a.txt": "abc"},
            files_after={"done/a.txt": "abc"},
            outputs={"size_bytes": 3},
        ),
        Example(
            title="Remove a folder with all that is in it",
            toml='operation = "delete"\npath = "old"\nrecursive = true',
            files={"old/a/b.txt": "abcd"},
            outputs={"result": True, "size_bytes": 4},
        ),
        Example(
            title="What is not there cannot be read",
            toml='operation = "read"\npath = "missing.txt"',
            error="FILE-001",
        ),
        Example(
            title="A folder with something in it stays, unless recursive",
            toml='operation = "delete"\npath = "old"',
            files={"old/a.txt": "x"},
            files_after={"old/a.txt": "x"},
            error="FILE-014",
        ),
        Example(
            title="The flow's own folder is not removed",
            toml='operation = "delete"\npath = "."\nrecursive = true',
            error="FILE-011",
        ),
        Example(title="A copy needs a target", toml='operation = "copy"\npath = "a"', error="PARAM-007"),
        Example(title="No path", toml='operation = "read"', error="PARAM-005"),
    )

    def effect(self, parameters: FileSystemParameters) -> Effect:
        """Return `reads` for read, list and exists, `writes` for all others."""
        return "reads" if parameters.operation in ("read", "list", "exists") else "writes"

    def outside(self, parameters: FileSystemParameters, context: NodeContext) -> Outside:
        """Return the file that is read, or those that are written or gone; list and exists must look again."""
        path = resolved(parameters.path, context.folder, "path")
        match parameters.operation:
            case "read":
                return Outside(reads=(path,))
            case "list" | "exists":
                return Outside(looks=True)
            case "copy" | "move":
                target = _target(parameters, path, context)
                left = (path, target) if parameters.operation == "move" else (target,)
                return Outside(reads=(path,), leaves=left, does=_doing(parameters))
            case "write" | "append" | "create" | "delete":
                return Outside(leaves=(path,), does=_doing(parameters))

    def may_repeat(self, parameters: FileSystemParameters) -> bool:
        """Return whether a second time gives what the first one gave: not for append and move, for example."""
        if parameters.operation in ("write", "copy"):
            return parameters.overwrite
        return parameters.operation in ("read", "list", "exists", "create")

    def complaints(self, parameters: Mapping[str, Any]) -> Sequence[Complaint]:
        """Return what the operation lacks or would not use, and an encoding that does not exist."""
        encoding = parameters.get("encoding")
        if not isinstance(encoding, str) or encoding == BINARY or is_text_encoding(encoding):
            return unfit(parameters, _TAKES)
        hint = 'for example "utf-8", "latin-1", "cp1252", "utf-16", or "binary"'
        wrong = Complaint(
            code="PARAM-004", message=f'there is no encoding "{encoding}"', path=("encoding",), hint=hint
        )
        return (*unfit(parameters, _TAKES), wrong)

    def execute(self, parameters: FileSystemParameters, context: NodeContext) -> dict[str, Value]:
        """Do what `operation` says."""
        context.cancel.raise_if_cancelled()
        path = resolved(parameters.path, context.folder, "path")
        try:
            return _OPERATIONS[parameters.operation](parameters, path, context)
        except OSError as error:
            raise explained(error, path) from error


def _read(parameters: FileSystemParameters, path: Path, context: NodeContext) -> dict[str, Value]:
    del context
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        files.require_file(status, path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_READ_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_READ_BYTES:
        message = f"{path} has {status.st_size} bytes, and only {MAX_READ_BYTES} can be read into a value"
        raise NodeError("FILE-013", message, hint="let a program work on it: `shell-command`")
    content = data if parameters.encoding == BINARY else as_text(data, parameters.encoding, str(path))
    return _outputs(content, path, len(data))


def _write(parameters: FileSystemParameters, path: Path, context: NodeContext) -> dict[str, Value]:
    content = _content(parameters, context)
    _make_folders(path.parent, parameters)
    if parameters.operation == "append":
        files.append(path, content)
    else:
        files.write_whole(path, content, overwrite=parameters.overwrite)
    return _outputs(str(path), path, path.stat().st_size)


def _content(parameters: FileSystemParameters, context: NodeContext) -> bytes:
    value: Value = context.input if parameters.content is UNSET else parameters.content
    if value is None:
        source = "the input" if parameters.content is UNSET else "`content`"
        hint = (
            'write the word null with content = "null"' if context.has_input else "give `content` or `input`"
        )
        raise NodeError("FILE-010", f"there is nothing to write: {source} is null", hint=hint)
    return as_bytes(value, parameters.encoding)


def _make_folders(folder: Path, parameters: FileSystemParameters) -> None:
    if parameters.create_folders:
        _mkdir(folder, parents=True)
    elif not folder.is_dir():
        hint = "create_folders = true makes it"
        raise NodeError("FILE-001", f"the folder {folder} does not exist", hint=hint)


def _mkdir(folder: Path, *, parents: bool) -> None:
    try:
        folder.mkdir(parents=parents, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def _list(parameters: FileSystemParameters, path: Path, context: NodeContext) -> dict[str, Value]:
    pulse = context.cancel.raise_if_cancelled
    found = listed(path, parameters.pattern, recursive=parameters.recursive, pulse=pulse)
    total = sum(entry.size_bytes or 0 for entry in found)
    return _outputs([entry.value() for entry in found], path, total)


def _exists(parameters: FileSystemParameters, path: Path, context: NodeContext) -> dict[str, Value]:
    del parameters, context
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _outputs(False, path, None)
    return _outputs(True, path, status.st_size if stat.S_ISREG(status.st_mode) else None)


def _create(parameters: FileSystemParameters, path: Path, context: NodeContext) -> dict[str, Value]:
    del context
    _mkdir(path, parents=parameters.create_folders)
    return _outputs(str(path), path, None)


def _delete(parameters: FileSystemParameters, path: Path, context: NodeContext) -> dict[str, Value]:
    refuse_to_remove(path, context.folder)
    if not os.path.lexists(path):
        return _outputs(False, path, None)
    try:
        size = files.remove(path, recursive=parameters.recursive, pulse=context.cancel.raise_if_cancelled)
    except OSError as error:
        hint = "recursive = true removes what is in it" if error.errno == errno.ENOTEMPTY else None
        raise explained(error, path, hint=hint) from error
    return _outputs(True, path, size)


def _take(parameters: FileSystemParameters, path: Path, context: NodeContext) -> dict[str, Value]:
    target = _target(parameters, path, context)
    moving = parameters.operation == "move"
    is_folder = stat.S_ISDIR(path.lstat().st_mode)
    _refuse_onto_itself(path, target, parameters.operation)
    if moving:
        refuse_to_remove(path, context.folder)
    elif is_folder and not parameters.recursive:
        raise NodeError("FILE-003", f"{path} is a folder", hint="recursive = true copies what is in it")
    _make_folders(target.parent, parameters)
    act = files.move if moving else files.copy
    act(path, target, overwrite=parameters.overwrite, pulse=context.cancel.raise_if_cancelled)
    size = files.tree_size(target, context.cancel.raise_if_cancelled)
    return _outputs(str(target), target, size)


def _target(parameters: FileSystemParameters, path: Path, context: NodeContext) -> Path:
    assert parameters.target is not None
    target = resolved(parameters.target, context.folder, "target")
    return target / path.name if parameters.target.endswith(("/", os.sep)) else target


def _refuse_onto_itself(path: Path, target: Path, operation: str) -> None:
    real, real_target = Path(os.path.realpath(path.parent)) / path.name, Path(os.path.realpath(target))
    same = real == real_target or (target.exists() and not path.is_symlink() and path.samefile(target))
    if same or real in real_target.parents:
        where = "onto" if same else "into"
        raise NodeError("FILE-012", f"{path} cannot be {_PAST[operation]} {where} itself: {target}")


def _outputs(result: Value, path: Path, size_bytes: int | None) -> dict[str, Value]:
    return {"result": result, "path": printable(str(path)), "size_bytes": size_bytes}


def _doing(parameters: FileSystemParameters) -> str:
    verb = {"append": "appends to", "copy": "copies"}.get(parameters.operation, f"{parameters.operation}s")
    to = f" to {parameters.target}" if parameters.target is not None else ""
    return preview(f"{verb} {parameters.path}{to}")


_PAST = {"copy": "copied", "move": "moved"}
_Act: TypeAlias = Callable[[FileSystemParameters, Path, NodeContext], dict[str, Value]]
_OPERATIONS: Mapping[str, _Act] = {
    "read": _read,
    "write": _write,
    "append": _write,
    "list": _list,
    "exists": _exists,
    "create": _create,
    "delete": _delete,
    "copy": _take,
    "move": _take,
}
