"""The scheduler a second time: slow and plain, over dicts, from the words of the design."""

from atomiton_runtime.flow.model import Flow, Node
from atomiton_runtime.run.given import (
    Abort,
    Answer,
    Begin,
    Cancel,
    Cancelled,
    Failed,
    Given,
    RetryDue,
    Reused,
    RunTimeout,
    Skipped,
    Succeeded,
)

SETTLED = ("succeeded", "reused", "failed", "skipped", "cancelled")


class NaiveRun:
    """A run that looks at every node after every change."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.run = "queued"
        self.status = {node.id: "pending" for node in flow.nodes}
        self.attempt = {node.id: 0 for node in flow.nodes}
        self.line: list[Node] = []
        self.been_in_line: set[str] = set()
        self.cancel: str | None = None
        self.cancel_all = False
        self.unhandled = False

    def give(self, given: Given) -> None:
        """Let something happen, then everything that follows from it."""
        if self.run == "queued":
            self._while_queued(given)
        elif self.run == "running":
            self._while_running(given)
        self._follow()

    def _while_queued(self, given: Given) -> None:
        if isinstance(given, Begin):
            self.run = "running"
        elif isinstance(given, Cancel):
            self.run = "cancelled"
        elif isinstance(given, Abort):
            self.run = "failed"

    def _while_running(self, given: Given) -> None:
        match given:
            case Answer(index, attempt, outcome):
                node = self.flow.nodes[index]
                if self.status[node.id] == "running" and self.attempt[node.id] == attempt:
                    self._answer(node, attempt, outcome)
            case RetryDue(index, attempt):
                node = self.flow.nodes[index]
                if self.status[node.id] == "pending" and self.attempt[node.id] == attempt:
                    self._start(node)
            case RunTimeout(clean_up):
                if clean_up or self.cancel is None:
                    self._cancel("timeout")
            case Cancel(reason):
                if self.cancel is None or reason != "restart":
                    self._cancel(reason)
            case Abort():
                if self.cancel != "fault":
                    self.cancel, self.cancel_all, self.unhandled = "fault", True, True
                    self._end_pauses()
            case _:
                pass

    def _answer(self, node: Node, attempt: int, outcome: object) -> None:
        match outcome:
            case Succeeded():
                self.status[node.id] = "succeeded"
            case Reused():
                self.status[node.id] = "reused"
            case Skipped():
                self.status[node.id] = "skipped"
            case Cancelled() if self._reached(node):
                self.status[node.id] = "cancelled"
            case Failed(final=True):
                self._fail(node)
            case _ if attempt < node.retry.attempts and not self._reached(node):
                self.status[node.id] = "pending"
            case _:
                self._fail(node)

    def _fail(self, node: Node) -> None:
        self.status[node.id] = "failed"
        taken = any(
            ref.node == node.id and ref.port == "error" for each in self.flow.nodes for ref in each.refs
        )
        if not taken and not node.continue_on_error:
            self.unhandled = True

    def _cancel(self, reason: str) -> None:
        if self.cancel_all:
            return
        self.cancel_all = self.cancel is not None or reason == "fault"
        self.cancel = "fault" if reason == "fault" else self.cancel or reason
        self._end_pauses()

    def _end_pauses(self) -> None:
        """Cancel what waits: for its next attempt, or in the line, and then what that lets into the line."""
        self._queue()
        left = list(reversed(self.flow.nodes))
        while left:
            node = left.pop()
            waits = self.status[node.id] == "pending" and (self.attempt[node.id] or node in self.line)
            if waits and self._reached(node):
                self.status[node.id] = "cancelled"
                self.line = [each for each in self.line if each is not node]
                self._queue()
                left.extend(self.flow.nodes[index] for index in reversed(self.flow.dependents[node.index]))

    def _reached(self, node: Node) -> bool:
        return self.cancel is not None and (self.cancel_all or not node.always)

    def _follow(self) -> None:
        self._queue()
        while self.run == "running" and self.line:
            node = self.line[0]
            if self._reached(node):
                self.status[node.id] = "cancelled"
            elif self._is_skipped(node):
                self.status[node.id] = "skipped"
            elif self._under_way() < self.flow.settings.max_parallel:
                self._start(node)
            else:
                break
            del self.line[0]
            self._queue()
        if self.run == "running" and all(status in SETTLED for status in self.status.values()):
            self.run = self._final()

    def _queue(self) -> None:
        for node in self.flow.nodes:
            waits_for = {ref.node for ref in node.refs} | set(node.after)
            if node.id not in self.been_in_line and all(self.status[other] in SETTLED for other in waits_for):
                self.been_in_line.add(node.id)
                self.line.append(node)

    def _start(self, node: Node) -> None:
        self.status[node.id] = "running"
        self.attempt[node.id] += 1

    def _under_way(self) -> int:
        return sum(
            self.status[name] == "running" or (self.status[name] == "pending" and self.attempt[name] > 0)
            for name in self.status
        )

    def _is_skipped(self, node: Node) -> bool:
        if self.unhandled and not node.always:
            return True
        errors = [ref.node for ref in node.refs if ref.port == "error"]
        if errors and all(self.status[name] != "failed" for name in errors):
            return True
        return (
            bool(node.refs)
            and not node.always
            and not any(self._gave(ref.node, ref.port) for ref in node.refs)
        )

    def _gave(self, name: str, port: str) -> bool:
        if port == "error":
            return self.status[name] == "failed"
        tolerated = any(node.id == name and node.continue_on_error for node in self.flow.nodes)
        return self.status[name] in ("succeeded", "reused") or (self.status[name] == "failed" and tolerated)

    def _final(self) -> str:
        if self.cancel == "fault":
            return "failed" if self.unhandled else "cancelled"
        if self.cancel is not None:
            return "timed_out" if self.cancel == "timeout" else "cancelled"
        return "failed" if self.unhandled else "succeeded"
