"""Is `atomiton secrets`: keeps the secrets that flows use as `secrets.NAME`; never shows one."""

import os
import sys

import click
import msgspec

from atomiton_runtime.cli import table
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.errors import UsageError
from atomiton_runtime.secrecy.sources import (
    EnvironmentSecrets,
    KeyringSecrets,
    Place,
    SecretsFile,
    check_name,
    check_value,
)


class SecretDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A secret, as `secrets list --json` prints it."""

    name: str
    place: Place
    """Where its value is taken from."""


@click.group(subcommand_metavar="COMMAND [ARGS]...", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Keep the secrets that flows use as `secrets.NAME`.

    A secret is looked for in the environment (ATOMITON_SECRET_NAME), then in a file of the data folder that only you
    can read, then in the keyring of the desktop.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command(name="set")
@click.argument("name")
@click.option("--keyring", "in_keyring", is_flag=True, help="Keep it in the keyring of the desktop.")
@pass_installation
def set_(installation: Installation, name: str, in_keyring: bool) -> None:
    """Keep a secret: asked for without showing it, or read from standard input.

    For example: `pass show github | atomiton secrets set GITHUB_TOKEN`
    """
    check_name(name)
    if sys.stdin.isatty():
        value: str = click.prompt(f"The value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    check_value(name, value)
    file = SecretsFile(installation.places.data)
    if in_keyring:
        KeyringSecrets().set(name, value)
        file.list_in_keyring(name)
        where = "the keyring"
    else:
        file.set(name, value)
        where = str(file.path)
    click.echo(f"{name} is kept in {where}; a flow uses it as {{{{ secrets.{name} }}}}")


@command.command(name="list")
@json_option
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """List the names of the secrets, and where each is taken from."""
    documents = _documents(installation)
    if as_json:
        print_json(documents)
    elif documents:
        for line in table.lines([(one.name, one.place) for one in documents], heads=("NAME", "FROM")):
            click.echo(line)
    else:
        click.echo("There are no secrets; `atomiton secrets set NAME` keeps one.", err=True)


@command.command()
@click.argument("name")
@pass_installation
def remove(installation: Installation, name: str) -> None:
    """Forget a secret."""
    file = SecretsFile(installation.places.data)
    was_in_keyring = name in file.names_in_keyring() and KeyringSecrets().remove(name)
    if not file.remove(name) and not was_in_keyring:
        known = ", ".join(one.name for one in _documents(installation) if one.place != "environment")
        hint = f"there are: {known}" if known else "there are none that atomiton keeps"
        raise UsageError("SECRET-001", f"there is no secret `{name}` to remove", hint=hint)
    click.echo(f"{name} is forgotten")


def _documents(installation: Installation) -> list[SecretDocument]:
    file = SecretsFile(installation.places.data)
    places: dict[str, Place] = dict.fromkeys(file.names_in_keyring(), "keyring")
    places |= dict.fromkeys(file.names(), "file")
    places |= dict.fromkeys(EnvironmentSecrets(os.environ).names(), "environment")
    return [SecretDocument(name=name, place=place) for name, place in sorted(places.items())]
