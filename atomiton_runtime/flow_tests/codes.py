"""Lists the codes of what can go wrong with the tests of flows."""

CODES: dict[str, str] = {
    "TEST-001": "the file of a flow has changed while its tests were executed, so it is not updated",
    "TEST-002": "the file of a flow cannot be written, so it is not updated",
    "TEST-003": "there is no test of this name",
}
