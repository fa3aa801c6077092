"""Does what is clicked in the menu."""

import contextlib
from collections.abc import Callable, Sequence
from typing import assert_never

from atomiton_runtime.ids import FlowId
from atomiton_runtime.requests import CancelRun, Refused, Request, RunFlow
from atomiton_runtime.tray import announce, autostart, menu
from atomiton_runtime.tray.announce import Announcement
from atomiton_runtime.tray.desktop import open_path
from atomiton_runtime.tray.menu import Action
from atomiton_runtime.tray.news import Answered, ByPeople, Clicked, Dismissed, Opened
from atomiton_runtime.tray.port import TrayRuntime
from atomiton_runtime.tray.state import ListedFlow


class Clicks:
    """Hands what is clicked on to the runtime or the desktop. Called in any thread; holds nothing that changes."""

    def __init__(
        self,
        runtime: TrayRuntime,
        autostart_command: Sequence[str],
        *,
        flow: Callable[[str], ListedFlow | None],
        tell: Callable[[ByPeople], object],
        show: Callable[[Announcement], object],
        stop: Callable[[], object],
    ) -> None:
        """Take what clicks need.

        Args:
            runtime: runs and cancels.
            autostart_command: starts the tray with the session; empty: the one that is usual.
            flow: gives a flow as the menu shows it now.
            tell: takes the news for the menu.
            show: shows a notification.
            stop: ends the tray.
        """
        self._runtime, self._flow, self._tell = runtime, flow, tell
        self._announce, self._stop = show, stop
        self._autostart_command = tuple(autostart_command) or autostart.default_command()

    def do(self, action: Action) -> None:
        """Do what was clicked.

        Raises:
            AtomitonError: it cannot be done.
        """
        match action:
            case menu.RunClicked(flow):
                self._run_flow(flow)
            case menu.NeedsClicked(flow):
                listed = self._flow(flow)
                if listed is not None:
                    self._announce(announce.needs(listed))
            case menu.CancelClicked(run_id):
                self._submit(CancelRun(run_id=run_id), None)
            case menu.OpenClicked(path):
                self._open(path)
            case menu.AutostartClicked(enable):
                self._switch_autostart(enable=enable)
            case menu.NoticeClicked():
                self._tell(Dismissed())
            case menu.QuitClicked():
                self._stop()
            case _:
                assert_never(action)

    def _run_flow(self, flow: str) -> None:
        self._tell(Clicked(FlowId(flow)))
        try:
            self._submit(RunFlow(flow=flow, trigger="tray"), FlowId(flow))
        finally:
            self._tell(Answered(FlowId(flow)))

    def _submit(self, request: Request, flow: FlowId | None) -> None:
        response = self._runtime.submit(request)
        if isinstance(response, Refused):
            about = f"flow:{flow}" if flow else "tray"
            listed = self._flow(flow) if flow else None
            self._announce(announce.refusal(listed, response.errors, about=about))

    def _open(self, path: str) -> None:
        folder = self._runtime.places.flows
        if path == str(folder):
            with contextlib.suppress(OSError):  # then opening it says what is wrong
                folder.mkdir(parents=True, exist_ok=True)
        open_path(path)

    def _switch_autostart(self, *, enable: bool) -> None:
        if enable:
            autostart.enable(self._autostart_command)
        else:
            autostart.disable()
        self._tell(Opened())
