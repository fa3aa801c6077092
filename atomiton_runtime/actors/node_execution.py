"""Executes one attempt at a time, in a thread of its own, and reports exactly once."""

from collections.abc import Callable, Mapping
from typing import assert_never

from atomiton_runtime.actors.attempt import Tools, attempt
from atomiton_runtime.actors.base import Address, GuardedActor
from atomiton_runtime.actors.messages import (
    ExecuteNode,
    FindReusable,
    NodeAnswered,
    NodeMessage,
    NodeSpoke,
    ReusableFound,
)
from atomiton_runtime.actors.speech import Speech
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import NodeId
from atomiton_runtime.run.given import Answer, Failed
from atomiton_runtime.run.kept import Kept


class NodeExecution(GuardedActor[NodeMessage]):
    """Executes attempts, of any node of any run: starting an actor costs more than a whole node, so it is reused.

    Owns: nothing between two messages. Receives: `ExecuteNode`, `FindReusable`. Sends: `NodeAnswered`,
    `NodeSpoke` and `ReusableFound` to the conductor. Rank: NODE. When it dies its successor answers what is in the
    mailbox.
    """

    def __init__(
        self,
        address: Address,
        supervisor: Callable[[object], None],
        *,
        number: int,
        conductor: Address,
        tools: Tools,
    ) -> None:
        super().__init__(address, supervisor)
        self._number = number
        self._conductor = conductor
        self._tools = tools

    def receive(self, message: NodeMessage) -> None:
        """Execute, or look, and report."""
        match message:
            case ExecuteNode():
                speech = Speech(lambda speech: self._conductor.tell(_spoke(message, speech)))
                self._report(message, attempt(message, self._tools, speech.say))
            case FindReusable():
                found = self._tools.reusing.reusable(
                    message.flow,
                    message.variables,
                    self._tools.catalogue,
                    forced=message.forced,
                    before=message.run_id,
                )
                self._found(message, found)
            case _:
                assert_never(message)

    def on_fault(self, message: object, error: BaseException) -> None:
        """Report the attempt that could not even fail in the usual way (memory ran out, say)."""
        if isinstance(message, ExecuteNode):
            failed = Failed(ErrorInfo("RUN-012", f"the attempt failed inside the runtime: {error!r}"))
            self._report(message, Answer(message.node, message.attempt, failed, 0.0, message.scope))
        elif isinstance(message, FindReusable):
            self._found(message, {})  # each node then looks for itself

    def _found(self, asked: FindReusable, kept: Mapping[NodeId, Kept]) -> None:
        self._conductor.tell(ReusableFound(run_id=asked.run_id, worker=self._number, kept=kept))

    def _report(self, order: ExecuteNode, answer: Answer) -> None:
        self._conductor.tell(NodeAnswered(run_id=order.run_id, worker=self._number, answer=answer))


def _spoke(order: ExecuteNode, speech: Speech) -> NodeSpoke:
    return NodeSpoke(
        run_id=order.run_id, scope=order.scope, node=order.node, attempt=order.attempt, speech=speech
    )
