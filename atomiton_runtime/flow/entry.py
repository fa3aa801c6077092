"""Is a flow as a list shows it: also one that is broken, or that was never valid."""

import msgspec

from atomiton_runtime.flow.model import Notify, Variable
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.ids import FlowId


class FlowEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A flow file of the flows folder. What the file says is that of its last valid version."""

    id: FlowId
    """The file's stem."""
    name: str
    """The id, if the file was never valid."""
    description: str = ""
    path: str
    """Absolute path of the file."""
    tray: bool = True
    notify: Notify = "failure"
    problems: tuple[Problem, ...] = ()
    """What is wrong with the file as it is now; empty: nothing."""
    runnable: bool
    """True: a valid version is loaded, perhaps an older one."""
    variables: dict[str, Variable] = {}
