"""Is `atomiton import`: turns a flow file of the original Atomiton into one of ours."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import msgspec

from atomiton_runtime.cli.failures import problem_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.cli.wording import counted
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.importing.remarks import Remark
from atomiton_runtime.importing.translate import Imported, import_flow
from atomiton_runtime.importing.yaml_file import MAX_BYTES
from atomiton_runtime.nodes.registry import NodeCatalogue

_INVALID = 2


class ImportDocument(msgspec.Struct, frozen=True):
    """What `import --json` prints."""

    path: str | None
    """The file that was written; null with `--stdout`."""
    toml: str
    remarks: tuple[Remark, ...]
    problems: tuple[Problem, ...]
    """What is wrong with the new flow."""


@click.command("import")
@click.argument("file", metavar="FILE")
@click.option(
    "--output", metavar="PATH", help="The file to write; without it, <name>.toml in the flows folder."
)
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the flow instead of writing a file.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
@pass_installation
def command(
    installation: Installation,
    file: str,
    output: str | None,
    to_stdout: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Turn FILE, a flow of the original Atomiton in YAML or JSON, into one of ours.

    What was not translated is a comment in the new file, with the original text, and a line on stderr:
    nothing is left out silently. The new flow is checked as `atomiton check` does. Prints its path; exits 2 if
    FILE cannot be read, and if the new flow has problems, which you can then mend in it. FILE `-` is stdin.
    """
    if to_stdout and output is not None:
        raise UsageError("CLI-001", "`--stdout` and `--output` exclude each other")
    try:
        imported = import_flow(_content(file), file)
    except FlowInvalid as exc:
        _show_problems(exc.problems)
        return _INVALID
    path = Path(output).expanduser() if output else installation.places.flows / f"{imported.id}.toml"
    if not to_stdout:
        _write(path, imported.toml, force=force)
    problems = _problems(imported, path)
    if as_json:
        written = None if to_stdout else str(path)
        print_json(ImportDocument(written, imported.toml, imported.remarks, problems))
    else:
        click.echo(imported.toml if to_stdout else path, nl=not to_stdout)
        _show_remarks(file, imported.remarks)
        _show_problems(problems)
    return _INVALID if problems else 0


def _problems(imported: Imported, path: Path) -> tuple[Problem, ...]:
    """Return what is wrong with the new flow where it stands; flows that it calls are not looked at."""
    loaded = load_flow(imported.toml.encode(), path, NodeCatalogue(path.parent))
    return loaded if isinstance(loaded, tuple) else ()


def _show_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        click.echo(problem_text(problem), err=True)


def _show_remarks(file: str, remarks: Sequence[Remark]) -> None:
    for remark in remarks:
        click.echo(_remark_text(file, remark), err=True)
    if remarks:
        work = sum(remark.needs_work for remark in remarks)
        click.echo(f"{counted(len(remarks), 'remark')}, {work} to look at", err=True)


def _remark_text(file: str, remark: Remark) -> str:
    word = "look" if remark.needs_work else "note"
    lines = [f"{file}:{remark.line}: {word}[{remark.code}]: {remark.message}"]
    if remark.original is not None:
        lines += [f"  | {line}" for line in remark.original.splitlines()]
    return "\n".join(lines)


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(file).expanduser().open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as exc:
        raise UsageError("CLI-019", f"{file} cannot be read: {exc.strerror or exc}") from exc


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write the whole text or nothing."""
    # What replaces a file is written beside it first; its name is not that of a flow.
    target = path.with_name(f".{path.name}.new") if force else path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if force else "x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                target.unlink(missing_ok=True)
                raise
        if force:
            target.replace(path)
    except FileExistsError as exc:
        if not path.exists():  # a file stands where a folder should be
            raise UsageError("CLI-012", f"{path} cannot be written: its folder cannot be made") from exc
        raise UsageError(
            "CLI-010",
            f"{path} exists already",
            hint="choose another name with --output, or replace it with --force",
        ) from exc
    except OSError as exc:
        raise UsageError("CLI-012", f"{path} cannot be written: {exc.strerror or exc}") from exc
