"""Is `atomiton nodes`: the node types that flows may use."""

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from atomiton_runtime.cli import table
from atomiton_runtime.cli.failures import problem_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.cli.wording import dim, harmless, one_line
from atomiton_runtime.errors import UsageError
from atomiton_runtime.nodes.base import Effect, Example
from atomiton_runtime.nodes.catalogued import BUILT_IN_SOURCE
from atomiton_runtime.nodes.document import example_toml, summary, type_document
from atomiton_runtime.nodes.registry import CataloguedType, NodeCatalogue
from atomiton_runtime.values import to_document

if TYPE_CHECKING:
    from atomiton_runtime.nodes import effects


class NodeTypeDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A node type, as `nodes --json` prints it."""

    name: str
    summary: str
    source: str
    """`built-in`, the path of its file, or its entry point."""
    parameters: dict[str, dict[str, object]]
    """Name -> its JSON Schema, with `description`, `default` and `required`."""
    outputs: dict[str, str]
    """Port -> description, primary first."""
    version: int
    """Raised when the same parameters and input may give another result than before."""
    has_body: bool
    """Whether it has child nodes, under `nodes`; its effects are then those of these."""
    effects: "Answers"
    """What it does to the outside: `pure`, `reads`, `writes`."""
    repeatable: "Answers"
    """Which attempts that a crash cut in two are executed again."""
    examples: tuple["ExampleDocument", ...]


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for executions of a node type."""

    all: tuple[str | bool, ...]
    """Everything that holds for some."""
    decided_by: str | None
    """The parameter on which it depends; null: it holds for all, or depends on several."""
    by_choice: dict[str, tuple[str | bool, ...]]
    """Value of that parameter -> what may hold; more than one: other parameters have a say."""


class ExampleDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A use of a node type."""

    title: str
    toml: str
    """The node, as it stands in a flow."""
    input: object
    files: dict[str, str]
    """What is there before: relative path -> content."""
    outputs: dict[str, object] | None
    """Port -> value; null: it fails with `error`."""
    files_after: dict[str, str]
    error: str | None
    """The code of its failure."""


@click.command()
@click.argument("type_name", metavar="[TYPE]", required=False)
@click.option("--try", "trying", is_flag=True, help="Execute the examples of TYPE, each in a fresh folder.")
@json_option
@pass_installation
def command(installation: Installation, type_name: str | None, trying: bool, as_json: bool) -> int:
    """List the node types; with TYPE, describe one: parameters, outputs, effects and examples.

    They are the built-in ones, those of nodes/*.py beside the flows, and those of installed packages. With --try,
    exits 1 if an example does not do what it says.
    """
    if trying and not type_name:
        raise click.UsageError("--try needs a TYPE")
    catalogue = NodeCatalogue(installation.places.flows)
    types = (_find(catalogue, type_name),) if type_name else catalogue.types()
    if trying:
        return _try(types[0])
    if as_json:
        documents = tuple(_document(each) for each in types)
        print_json(documents[0] if type_name else documents)
    elif type_name:
        _describe(types[0])
    else:
        for line in table.lines([(each.name, _line(each)) for each in types]):
            click.echo(line)
    for problem in catalogue.problems:
        click.echo(problem_text(problem), err=True)
    return 0


def _try(found: CataloguedType) -> int:
    # Loaded here: it brings the whole runtime along.
    from atomiton_runtime.cli.trying import mismatches

    failed = 0
    for example in found.node_type.examples:
        if example.replies:
            click.echo(f"{dim('left out')}  {one_line(example.title)} {dim('(it needs a web server)')}")
            continue
        wrong = mismatches(found, example)
        failed += bool(wrong)
        verdict = click.style("wrong   ", fg="red") if wrong else click.style("ok      ", fg="green")
        click.echo(f"{verdict}  {one_line(example.title)}")
        for each in wrong:
            click.echo(f"          {one_line(each)}")
    return 1 if failed else 0


def _line(found: CataloguedType) -> str:
    """Return what a type does, after where it comes from if it is somebody's own."""
    path = Path(found.source)
    where = f"{path.parent.name}/{path.name}" if path.suffix == ".py" else found.source
    own = "" if found.source == BUILT_IN_SOURCE else f"({where}) "
    return one_line(f"{own}{summary(found)}")


def _find(catalogue: NodeCatalogue, name: str) -> CataloguedType:
    found = catalogue.find(name)
    if found is not None:
        return found
    names = catalogue.names()
    close = [each for each in names if name in each] or difflib.get_close_matches(name, names, n=2)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(names)}"
    raise UsageError("CLI-013", f"there is no node type `{name}`", hint=hint)


def _document(found: CataloguedType) -> NodeTypeDocument:
    # Loaded here: listing names needs neither.
    from atomiton_runtime.nodes import effects
    from atomiton_runtime.nodes.schema import parameter_schemas

    return NodeTypeDocument(
        name=found.name,
        summary=summary(found),
        source=found.source,
        parameters={
            name: {**schema, "required": found.parameters[name].required}
            for name, schema in parameter_schemas(found).items()
        },
        outputs={port.name: port.description for port in found.node_type.ports},
        version=found.node_type.version,
        has_body=found.body not in (None, "flow"),
        effects=_answers(effects.effects(found)),
        repeatable=_answers(effects.repeats(found)),
        examples=tuple(_example(found.name, each) for each in found.node_type.examples),
    )


def _answers(given: "effects.Answers[Effect] | effects.Answers[bool]") -> Answers:
    by_choice: dict[str, tuple[str | bool, ...]] = {
        choice: tuple(sorted(answers)) for choice, answers in given.by_choice.items()
    }
    return Answers(all=tuple(sorted(given.all)), decided_by=given.decided_by, by_choice=by_choice)


def _example(type_name: str, example: Example) -> ExampleDocument:
    return ExampleDocument(
        title=example.title,
        toml=example_toml(type_name, example),
        input=to_document(example.input),
        files=dict(example.files),
        outputs=None
        if example.outputs is None
        else {key: to_document(each) for key, each in example.outputs.items()},
        files_after=dict(example.files_after),
        error=example.error,
    )


def _describe(found: CataloguedType) -> None:
    if not sys.stdout.isatty():
        click.echo(type_document(found).rstrip())
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(harmless(type_document(found, narrow=True).rstrip())))
