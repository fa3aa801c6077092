"""Is `atomiton check`: all problems of flow files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec

from atomiton_runtime.cli.failures import problem_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.cli.wording import counted
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.runtime import Runtime

_INVALID = 2
_NO_SUCH_TYPE = "FLOW-008"
"""A type that is not there may be one that is broken."""
_PYTHON = ".py"


class CheckDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `check --json` prints."""

    flows: int
    """How many flow files were checked."""
    problems: tuple[Problem, ...]


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH ...]")
@json_option
@pass_installation
def command(installation: Installation, paths: Sequence[str], as_json: bool) -> int:
    """Show all problems of flow files: of PATHs (files, folders or ids of flows), or of the flows folder.

    With the flows folder goes what is wrong with node types of your own (nodes/*.py beside the flows, and
    installed packages); a PATH may also be the file of one.

    The problems are the result, so they go to stdout, as a compiler would write them; the summary goes to
    stderr. Exits 2 if there is a problem. Nothing is run, and no store is opened.
    """
    found: list[Problem] = []
    flows = 0
    with installation.runtime(storage="memory:") as runtime:
        for reference in list(references(paths, installation.places.flows)):
            if reference.endswith(_PYTHON):
                found += _type_problems(Path(reference).expanduser().absolute())
            else:
                flows += 1
                found += _problems(runtime, reference)
        if not paths or any(problem.code == _NO_SUCH_TYPE for problem in found):
            found = [*_all_type_problems(runtime), *found]
    problems = tuple(dict.fromkeys(found))
    _show(CheckDocument(flows=flows, problems=problems), as_json=as_json)
    return _INVALID if problems else 0


def _show(checked: CheckDocument, *, as_json: bool) -> None:
    if as_json:
        print_json(checked)
        return
    for problem in checked.problems:
        click.echo(problem_text(problem))
    summary = f"{counted(checked.flows, 'flow')}, {counted(len(checked.problems), 'problem')}"
    click.echo(click.style(summary, fg="red" if checked.problems else "green"), err=True)


def _all_type_problems(runtime: Runtime) -> Sequence[Problem]:
    runtime.catalogue.names()  # looks at all there are, also those that no flow uses
    return runtime.catalogue.problems


def _type_problems(path: Path) -> Sequence[Problem]:
    # Loaded here: few call it with such a path.
    from atomiton_runtime.nodes.plugin_folder import problems_of_file

    return problems_of_file(path)


def _problems(runtime: Runtime, reference: str) -> Sequence[Problem]:
    try:
        runtime.flow(reference)
    except FlowInvalid as exc:
        return exc.problems
    return ()


def references(paths: Sequence[str], flows: Path) -> Iterator[str]:
    """Yield what names a flow: files as they are, the flow files of folders, ids.

    Raises:
        UsageError: a folder, or the flows folder itself, is not there (CLI-014).
    """
    for text in paths or [str(flows)]:
        path = Path(text).expanduser()
        if path.is_dir():
            yield from _files(path)
        elif not paths:
            raise UsageError(
                "CLI-014",
                f"there is no flows folder {flows}",
                hint="`atomiton new hello` makes it, with a first flow",
            )
        else:
            yield text


def _files(folder: Path) -> list[str]:
    try:
        return sorted(
            str(path) for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith(".")
        )
    except OSError as exc:  # `glob` would take it for an empty folder
        raise UsageError(
            "CLI-014", f"the folder {folder} cannot be read: {exc.strerror}", hint="allow yourself to read it"
        ) from exc
