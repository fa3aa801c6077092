"""Is `atomiton import`: turns a flow file of the original Atomiton into one of ours."""

from pathlib import Path

import click

from atomiton_runtime.cli.failures import problem_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.wording import counted
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.importing.remarks import Remark
from atomiton_runtime.importing.translate import import_flow
from atomiton_runtime.importing.yaml_file import MAX_BYTES

_INVALID = 2


@click.command("import")
@click.argument("file", metavar="FILE")
@click.option(
    "--output", metavar="PATH", help="The file to write; without it, <name>.toml in the flows folder."
)
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the flow instead of writing a file.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@pass_installation
def command(installation: Installation, file: str, output: str | None, to_stdout: bool, force: bool) -> int:
    """Turn FILE, a flow of the original Atomiton in YAML or JSON, into one of ours.

    What was not translated is a comment in the new file, with the original text, and a line on stderr:
    nothing is left out silently. Prints the path of the new file. Exits 2 if FILE cannot be read.
    """
    if to_stdout and output is not None:
        raise UsageError("CLI-001", "`--stdout` and `--output` exclude each other")
    try:
        imported = import_flow(_content(file), file)
    except FlowInvalid as exc:
        for problem in exc.problems:
            click.echo(problem_text(problem), err=True)
        return _INVALID
    if to_stdout:
        click.echo(imported.toml, nl=False)
    else:
        path = Path(output).expanduser() if output else installation.places.flows / f"{imported.id}.toml"
        _write(path, imported.toml, force=force)
        click.echo(path)
    for remark in imported.remarks:
        click.echo(_remark_text(file, remark), err=True)
    if imported.remarks:
        work = sum(remark.needs_work for remark in imported.remarks)
        click.echo(f"{counted(len(imported.remarks), 'remark')}, {work} to look at", err=True)
    return 0


def _remark_text(file: str, remark: Remark) -> str:
    word = "look" if remark.needs_work else "note"
    lines = [f"{file}:{remark.line}: {word}[{remark.code}]: {remark.message}"]
    if remark.original is not None:
        lines += [f"  | {line}" for line in remark.original.splitlines()]
    return "\n".join(lines)


def _content(file: str) -> bytes:
    try:
        with Path(file).expanduser().open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as exc:
        raise UsageError("CLI-014", f"{file} cannot be read: {exc.strerror or exc}") from exc


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
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
