"""Is `atomiton tray`: the flows in the tray of the desktop."""

import click

from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.wording import one_line


@click.command()
@click.option("--run", "flow", metavar="FLOW", help="Run this flow at once.")
@pass_installation
def command(installation: Installation, flow: str | None) -> int:
    """Put the flows into the tray, and run them when their files are saved, until Quit.

    Without a desktop it works as `watch` does, and the icon comes when there is one. A second tray for the
    same data folder hands over to the first and exits 0.
    """
    from atomiton_runtime.tray.app import run_tray
    from atomiton_runtime.tray.autostart import default_command

    return run_tray(
        installation.runtime(watch=True),
        run=flow,
        autostart_command=default_command(*installation.options),
        say=lambda text: click.echo(one_line(text), err=True),
    )
