"""Puts the flows that a flow calls into it, before anything of it runs."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from atomiton_runtime.actors.flow_files import SUFFIX
from atomiton_runtime.actors.shelved import Shelved
from atomiton_runtime.flow.findings import Finding
from atomiton_runtime.flow.linking import link
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import FlowInvalid, Problem


def linked(flow: Flow, look: Callable[[str], Shelved | None], folder: Path) -> Flow:
    """Return the flow with all flows that it calls, at any depth.

    Args:
        flow: as loaded.
        look: returns what is known of the file of this absolute path; None: there is none.
        folder: the flows folder: where a flow is looked for that is not beside its caller.

    Raises:
        FlowInvalid: one is missing or has problems, or they call each other in a circle.
    """

    def find(ref: str, caller: Flow) -> Flow | str:
        path = _path(ref, caller, folder)
        shelved = look(path)
        if shelved is None:
            return f"there is no flow `{ref}`{_meant(ref, caller, folder)}"
        return shelved.flow or f"the flow `{ref}` has problems of its own"

    found = link(flow, find)
    if isinstance(found, Flow):
        return found
    raise FlowInvalid(_problems(flow, found))


def _path(ref: str, caller: Flow, folder: Path) -> str:
    if "/" in ref or os.sep in ref or ref.endswith(SUFFIX):
        return os.path.abspath(os.path.join(caller.folder, os.path.expanduser(ref)))  # noqa: PTH100, PTH111, PTH118  # links stay links
    beside = Path(caller.folder, f"{ref}{SUFFIX}")
    return str(beside if beside.is_file() else folder / f"{ref}{SUFFIX}")


def _meant(ref: str, caller: Flow, folder: Path) -> str:
    names = {path.stem for place in (Path(caller.folder), folder) for path in place.glob(f"*{SUFFIX}")}
    meant = did_you_mean(ref, names - {caller.id})
    return f" ({meant})" if meant else ""


def _problems(flow: Flow, findings: Sequence[Finding]) -> tuple[Problem, ...]:
    # Loaded here: this finds places in the text, which a flow without problems never needs.
    from atomiton_runtime.flow.report import make_problems

    try:
        content = Path(flow.path).read_bytes()
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() == flow.hash:
        return make_problems(findings, content.decode("utf-8-sig"), flow.path)
    # It has been changed since: its places are not known any more.
    return tuple(
        Problem(code=each.code, message=each.message, file=flow.path, line=1, column=1, hint=each.hint)
        for each in findings
    )
