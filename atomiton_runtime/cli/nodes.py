"""Is `atomiton nodes`: the node types that flows may use."""

import difflib
import sys

import click
import msgspec

from atomiton_runtime.cli import table
from atomiton_runtime.cli.failures import problem_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.cli.wording import harmless, one_line
from atomiton_runtime.errors import UsageError
from atomiton_runtime.nodes.document import example_toml, summary, type_document
from atomiton_runtime.nodes.registry import CataloguedType, NodeCatalogue


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
    effects: dict[str, tuple[str, ...]]
    """`pure`, `reads` or `writes` -> the values of `decided_by` that have it; none where all have."""
    decided_by: str | None
    """The parameter on which the effect depends, if it depends on one."""
    examples: tuple[str, ...]
    """Nodes as they stand in a flow."""


@click.command()
@click.argument("type_name", metavar="[TYPE]", required=False)
@json_option
@pass_installation
def command(installation: Installation, type_name: str | None, as_json: bool) -> None:
    """List the node types; with TYPE, describe one: parameters, outputs and examples.

    They are the built-in ones, those of nodes/*.py beside the flows, and those of installed packages.
    """
    catalogue = NodeCatalogue(installation.places.flows)
    types = (_find(catalogue, type_name),) if type_name else catalogue.types()
    if as_json:
        documents = tuple(_document(each) for each in types)
        print_json(documents[0] if type_name else documents)
    elif type_name:
        _describe(types[0])
    else:
        for line in table.lines([(each.name, one_line(summary(each))) for each in types]):
            click.echo(line)
    for problem in catalogue.problems:
        click.echo(problem_text(problem), err=True)


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
    from atomiton_runtime.nodes.effects import effects
    from atomiton_runtime.nodes.schema import parameter_schemas

    decided_by, by_effect = effects(found)
    return NodeTypeDocument(
        name=found.name,
        summary=summary(found),
        source=found.source,
        parameters={
            name: {**schema, "required": found.parameters[name].required}
            for name, schema in parameter_schemas(found).items()
        },
        outputs={port.name: port.description for port in found.node_type.ports},
        effects={effect: tuple(values) for effect, values in by_effect.items()},
        decided_by=decided_by,
        examples=tuple(
            example_toml(found.name, each) for each in found.node_type.examples if each.error is None
        ),
    )


def _describe(found: CataloguedType) -> None:
    text = type_document(found).rstrip()
    if not sys.stdout.isatty():
        click.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(harmless(text)))
