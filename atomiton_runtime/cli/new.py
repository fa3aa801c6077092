"""Is `atomiton new`: writes a flow file to start from."""

import contextlib
import re
from pathlib import Path

import click

from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.errors import UsageError
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.nodes.schema import flow_schema_text

SCHEMA_FILE = ".flow.schema.json"
"""Beside the flow files: editors find it by the first line of a flow."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_DEVICES = re.compile(r"(?i)con|prn|aux|nul|com\d|lpt\d")
"""Names that Windows keeps for itself, whatever their suffix is."""

_STARTER = """\
#:schema ./{schema}
# A flow: run it with `atomiton run {name}`, check it with `atomiton check {name}`.
# While `atomiton watch` or `atomiton tray` is on, saving this file runs it.

name = "{title}"
description = "Greets somebody, and keeps the greeting in a file."

[variables]                       # flags of `atomiton run {name}`; in expressions vars.who, vars.loud
who = "World"
loud = {{ type = "boolean", default = false, description = "in capital letters" }}

[nodes.greeting]
type = "edit-fields"
values = {{ text = "Hello {{{{ vars.who }}}}!", at = "{{{{ now }}}}" }}

[nodes.voice]
type = "edit-fields"
input = "greeting"                # the output of the node `greeting`
values = {{ text = "{{{{ input.text | upper if vars.loud else input.text }}}}" }}

[nodes.keep]
type = "file-system"
input = "voice"
operation = "write"
path = "out/{name}.json"          # relative to this file's folder
"""


@click.command()
@click.argument("name")
@pass_installation
def command(installation: Installation, name: str) -> None:
    """Write a small, working flow NAME.toml into the flows folder, to be changed into yours.

    Never overwrites a file. NAME may have letters, digits, `-` and `_`. The JSON Schema beside it,
    .flow.schema.json, is for your editor: it completes and checks while you type.
    """
    name = name.removesuffix(".toml")
    if not _NAME.fullmatch(name) or _DEVICES.fullmatch(name):
        raise UsageError(
            "CLI-011",
            f"`{name}` cannot be the name of a flow file",
            hint="take 1 to 64 letters, digits, `-` or `_`, e.g. `tidy-downloads`",
        )
    folder = installation.places.flows
    path = folder / f"{name}.toml"
    title = name.replace("-", " ").replace("_", " ").capitalize()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(_STARTER.format(name=name, title=title, schema=SCHEMA_FILE))
    except FileExistsError as exc:
        raise UsageError("CLI-010", f"{path} exists already", hint="choose another name") from exc
    except OSError as exc:
        raise UsageError("CLI-012", f"{path} cannot be written: {exc.strerror or exc}") from exc
    _write_schema(folder)
    click.echo(path)


def _write_schema(folder: Path) -> None:
    # The flow works without it; a folder that takes one file and refuses the next is not worth an error.
    with contextlib.suppress(OSError):
        (folder / SCHEMA_FILE).write_text(flow_schema_text(NodeCatalogue(folder)), encoding="utf-8")
