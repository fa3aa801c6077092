"""Is `atomiton autostart`: whether the tray starts with the desktop."""

import click

from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.tray import autostart


@click.group()
def command() -> None:
    """Start the tray with the desktop, or not."""


@command.command()
@pass_installation
def enable(installation: Installation) -> None:
    """Start the tray at each login.

    It gets the folders of this command line (`--flows`, `--data`).
    """
    place = autostart.enable(autostart.default_command(*installation.options))
    click.echo(f"the tray starts at login: {place}")


@command.command()
def disable() -> None:
    """Do not start the tray at login any more."""
    was_enabled = autostart.disable()
    click.echo(
        "the tray does not start at login any more" if was_enabled else "the tray did not start at login"
    )


@command.command()
@json_option
def status(as_json: bool) -> None:
    """Say whether the tray starts at login."""
    found = autostart.status()
    if as_json:
        print_json({"enabled": found.enabled, "place": str(found.place), "usable": found.usable})
    elif not found.enabled:
        click.echo("disabled")
    else:
        click.echo(f"enabled by {found.place}")
        if not found.usable:
            click.echo("but the program it names is gone; `atomiton autostart enable` mends that", err=True)
