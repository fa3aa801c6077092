"""Is `atomiton replay`: executes one node of a run once more, and shows what comes out otherwise."""

import tomllib
from collections.abc import Sequence
from typing import cast

import click
import msgspec

from atomiton_runtime.archive import LAST_RUN
from atomiton_runtime.cli.difference import node_lines
from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.progress import Silence
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.cli.run import execute_or_hand_over
from atomiton_runtime.cli.saves import each_save
from atomiton_runtime.cli.wording import dim, duration, one_line, status
from atomiton_runtime.errors import AtomitonError, UsageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.requests import ReplayNode
from atomiton_runtime.run.document import NodeDocument, RunDocument
from atomiton_runtime.run.events import NodeStatus, RunQueued
from atomiton_runtime.run.run_difference import NodeDifference, compare_nodes
from atomiton_runtime.runtime import Runtime
from atomiton_runtime.values import Value

_LOOKED_THROUGH = 1000


class ReplayDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `replay --json` prints."""

    run_id: RunId
    """The new run."""
    replayed: RunId
    """The run whose node was executed once more."""
    node: str
    status: NodeStatus
    duration_s: float | None
    definition: str
    """`file`: that of the flow's file; `run`: that of the run, for the file or the node is gone."""
    difference: NodeDifference | None
    """Between the recorded result and the new one; null: they are the same."""
    document: RunDocument
    """Of the new run."""


@click.command()
@click.argument("run")
@click.argument("node")
@click.option("--set", "set_", multiple=True, metavar="NAME=VALUE", help="Set a parameter for this replay.")
@click.option("--watch", "watches", is_flag=True, help="Replay it whenever the flow's file is saved.")
@json_option
@pass_installation
def command(
    installation: Installation, run: str, node: str, set_: Sequence[str], watches: bool, as_json: bool
) -> int:
    """Execute one NODE of RUN once more, on the inputs that it had there, and show how its result differs.

    RUN is the id of a run, the beginning of one, or `last`; NODE is the whole id of a node, also of one within another:
    `each/3/resize`. The node is executed as the flow's file has it now: edit it and replay. No other node is executed.
    This one is in earnest, also if it writes files or sends something.

    --set replaces a parameter: NAME is one, or a key within one (`values.limit`); VALUE is TOML, else a text.
    --watch does it again on each save of the flow's file, until Ctrl-C.

    Exit codes are those of `run`; 2 also means that the node cannot be replayed.
    """
    changes = dict(map(_change, set_))
    with installation.runtime() as runtime:
        replays = _Replays(runtime, _find(runtime, run), node, changes, as_json=as_json)
        if not watches:
            return replays.replay()
        paths = (replays.first.flow_path, *replays.first.subflows)
        return each_save(paths, replays.replay, announce=not as_json)


def _find(runtime: Runtime, name: str) -> RunId:
    """Return the run of this name; `last` is the newest one that is no replay."""
    if name == LAST_RUN:
        newest = runtime.history(limit=_LOOKED_THROUGH)
        name = next((summary.run_id for summary in newest if summary.trigger != "replay"), name)
    return runtime.find_run(name)


def _change(text: str) -> tuple[str, Value]:
    """Return the parameter and the value that a `--set` is about.

    Raises:
        UsageError: it has no value (CLI-027).
    """
    name, has_value, value = text.partition("=")
    if not has_value or not name.strip():
        raise UsageError(
            "CLI-027",
            f"`--set {text}` has no value",
            hint="write `--set NAME=VALUE`, as in `--set width=100`",
        )
    return name.strip(), _value(value)


def _value(text: str) -> Value:
    """Return a text as TOML has it, else as it is."""
    try:
        parsed = tomllib.loads(f"value = {text}")
        if len(parsed) == 1:
            # What JSON does not have, dates for one, is a text.
            return cast(Value, msgspec.json.decode(msgspec.json.encode(parsed["value"])))
    except tomllib.TOMLDecodeError:
        pass
    return text


class _Replays:
    """One node of one run, as often as it is executed once more."""

    def __init__(
        self, runtime: Runtime, run_id: RunId, node: str, changes: dict[str, Value], *, as_json: bool
    ) -> None:
        self._runtime = runtime
        self._request = ReplayNode(run_id=run_id, node=node, set=changes)
        self._as_json = as_json
        first = runtime.first_event(run_id)
        assert isinstance(first, RunQueued)
        self.first = first
        self._recorded = runtime.show(run_id).nodes.get(node, NodeDocument())
        self._before: NodeDocument | None = None
        """What the replay before this one gave."""

    def replay(self) -> int:
        """Execute the node and tell what came; return the exit code."""
        document, code = execute_or_hand_over(self._runtime, self._request, None, Silence())
        told = self._told(document)
        if self._as_json:
            print_json(told)
        else:
            self._show(told)
        self._before = document.nodes.get(told.node)
        return code

    def _told(self, document: RunDocument) -> ReplayDocument:
        node = self._request.node
        new = document.nodes[node]
        return ReplayDocument(
            run_id=document.run_id,
            replayed=self._request.run_id,
            node=node,
            status=new.status,
            duration_s=new.duration_s,
            definition="run" if self._is_of_the_run(document) else "file",
            difference=_difference(node, self._recorded, new),
            document=document,
        )

    def _is_of_the_run(self, document: RunDocument) -> bool:
        """Return whether the definition was that of the run, though the file is another one now."""
        if document.flow_hash != self.first.flow_hash:
            return False
        try:
            return self._runtime.flow(self.first.flow_path).hash != document.flow_hash
        except AtomitonError:
            return True

    def _show(self, told: ReplayDocument) -> None:
        took = dim(f"({duration(told.duration_s)})") if told.duration_s is not None else ""
        click.echo(f"{click.style(one_line(told.node), bold=True)}  {status(told.status)}  {took}".rstrip())
        if told.definition == "run":
            click.echo(dim("  as it was in the run: the flow's file, or the node in it, is gone"))
        error = told.document.nodes[told.node].error or told.document.error
        if error is not None:
            click.echo(error_text(error), err=True)
        for line in _lines(told.difference):
            click.echo(line)
        self._show_since(told)

    def _show_since(self, told: ReplayDocument) -> None:
        """Show what differs from the replay before, where that is not the same as from the run."""
        if self._before is None:
            return
        again = _difference(told.node, self._before, told.document.nodes[told.node])
        if again is not None and again.outputs is not None and again != told.difference:
            click.echo(dim("  since the last replay"))
            for line in _lines(again):
                click.echo(line)


def _difference(node: str, old: NodeDocument, new: NodeDocument) -> NodeDifference | None:
    """Return what differs between two results; whether one was reused does not count."""
    if old.status == "reused":
        old = msgspec.structs.replace(old, status="succeeded")
    return compare_nodes(node, old, new)


def _lines(difference: NodeDifference | None) -> list[str]:
    if difference is None:
        return ["  the result is the same"]
    if difference.error is not None and difference.error.new is not None:
        # It is shown already, with its place.
        shown = msgspec.structs.replace(difference.error, new=None)
        difference = msgspec.structs.replace(difference, error=shown)
    # The first line names the node, which is said already, and a change of its status.
    head, *lines = node_lines(difference)
    changed = head.removeprefix(f"  {one_line(difference.node)}").strip()
    return [*([f"  {changed}"] if changed else []), *lines]
