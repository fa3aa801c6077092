"""Is `atomiton schema`: the JSON Schema of flow files, for editors."""

import click

from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.nodes.schema import flow_schema_text


@click.command()
@pass_installation
def command(installation: Installation) -> None:
    """Print the JSON Schema of flow files, with the node types that the flows folder may use.

    An editor that reads `#:schema PATH` in the first line of a TOML file completes and checks with it;
    `atomiton new` writes both.
    """
    click.echo(flow_schema_text(NodeCatalogue(installation.places.flows)), nl=False)
