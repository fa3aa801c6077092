"""Lists the codes of what the flows folder and its files can be, other than well."""

CODES: dict[str, str] = {
    "FLOW-404": "there is no such flow",
    "TRUST-001": "others can write a flow's file, a node type's file or their folder, and so run programs as you",
    "WATCH-001": "a flow file cannot be read",
    "WATCH-002": "a flow file is no regular file",
    "WATCH-003": "a flow file is a link that leads nowhere",
    "WATCH-004": "the flows folder is not there",
    "WATCH-005": "the flows folder is back",
    "WATCH-006": "the system tells of no changes; the folder is looked at every few seconds instead",
    "WATCH-007": "the flows folder holds too many flow files",
    "WATCH-008": "others may write into the flows folder",
    "WATCH-009": "the runtime itself failed on a flow file",
    "WATCH-010": "a flow file's name is not valid Unicode",
}
