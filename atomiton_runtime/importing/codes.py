"""Lists the error codes of importing, each with its meaning."""

CODES: dict[str, str] = {
    "IMPORT-001": "A file to import is not YAML.",
    "IMPORT-002": "A file to import is too large, or grows too large when its aliases are followed.",
    "IMPORT-003": "A file to import is not UTF-8 text.",
    "IMPORT-004": "A mapping of a file to import has a key twice.",
    "IMPORT-005": "A file to import is no flow of the original Atomiton.",
    "IMPORT-006": "A node or an edge of a file to import lacks something, or has it in the wrong form.",
    "IMPORT-010": "Something was not translated: a person must look at it.",
    "IMPORT-011": "Something was translated, but it may behave differently.",
}
