"""Tells a command which folders it works on, and opens the runtime there."""

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    # Loading the runtime takes longer than showing a help text, so it is loaded by the commands that open it.
    from atomiton_runtime.errors import ErrorInfo
    from atomiton_runtime.runtime import Runtime
    from atomiton_runtime.settings import Places


class Installation:
    """The folders that the options `--flows` and `--data` name, or the environment, or the platform."""

    def __init__(self, flows: str | None = None, data: str | None = None) -> None:
        self._flows = flows
        self._data = data

    @property
    def places(self) -> "Places":
        """The two folders."""
        from atomiton_runtime.settings import find_places

        return find_places(os.environ, flows=self._flows, data=self._data)

    @property
    def options(self) -> tuple[str, ...]:
        """The options that name the same folders in another command line, from whatever folder it is called."""
        places = self.places
        flows = ("--flows", str(places.flows)) if self._flows else ()
        data = ("--data", str(places.data)) if self._data else ()
        return (*flows, *data)

    def runtime(
        self, *, storage: str | None = None, watch: bool = False, only_read: bool = False
    ) -> "Runtime":
        """Return a runtime on these folders, not yet started; its arguments as `Runtime` has them."""
        from atomiton_runtime.runtime import Runtime

        places = self.places
        # Who watches is told by the bus.
        warn = None if watch else _warn
        return Runtime(places.flows, storage, data=places.data, watch=watch, only_read=only_read, warn=warn)


def _warn(error: "ErrorInfo") -> None:
    from atomiton_runtime.cli.failures import error_text

    click.echo(error_text(error, "warning"), err=True)


pass_installation = click.make_pass_decorator(Installation)
"""Gives a command the installation as its first argument."""
