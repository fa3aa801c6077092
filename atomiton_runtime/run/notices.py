"""Lists the facts that are about no single run: the event bus carries them beside a run's events."""

from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.ids import FlowId


class FlowLoaded(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """A flow file is valid and is now the flow that runs."""

    flow: FlowId
    path: str
    hash: str


class FlowBroken(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """A flow file has problems; its last valid version, if any, stays runnable."""

    flow: FlowId
    path: str
    problems: tuple[Problem, ...]
    runnable: bool


class FlowRemoved(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """A flow's file is gone."""

    flow: FlowId
    path: str


class NoticeRaised(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """Something about the runtime itself that its user must know: a full disk, a lost folder."""

    level: Literal["info", "warning", "error"]
    error: ErrorInfo


Notice: TypeAlias = FlowLoaded | FlowBroken | FlowRemoved | NoticeRaised
