"""Lists the codes of what can become of a run, and of asking for one."""

CODES: dict[str, str] = {
    "RUN-001": "there is no such run",
    "RUN-002": "the run has ended already",
    "RUN-003": "several runs begin with these characters",
    "RUN-004": "the run was cancelled",
    "RUN-005": "the run was replaced by a newer run of the same flow",
    "RUN-006": "the run was cancelled because the runtime was stopped",
    "RUN-007": "the run was cancelled because of a fault of the runtime",
    "RUN-008": "the run took longer than its timeout",
    "RUN-009": "the flow was busy and its `on_busy` is `skip`",
    "RUN-010": "the process that executed the run died",
    "RUN-011": "the runtime does not answer, or is stopped",
    "RUN-012": "an internal fault of the runtime",
    "RUN-013": "a node stopped as if it had been cancelled, though nobody asked for that",
    "RUN-014": "an attempt could not be started: no thread or no memory was free",
    "RUN-015": "a folder cannot be found, because the home folder is not known",
    "RUN-016": "the run cannot be continued: it goes on, or there is nothing left to do",
    "RUN-017": "it is not known whether a node had done its work when its run was cut",
    "RUN-018": "the flow has changed since the run, so the run cannot be continued",
    "RUN-019": "the run has been continued by another one already",
    "RUN-020": "a node that is to be executed again, or passed over, is not in doubt",
}
