"""Lists the error codes of storage: code -> one line of meaning."""

CODES: dict[str, str] = {
    "STORE-001": "The store cannot be opened or created (permissions, a missing or a wrong kind of file).",
    "STORE-002": "The store cannot be written: the disk is full, failing or read-only.",
    "STORE-003": "An event does not continue its run's journal: a gap, or another event is there already.",
    "STORE-004": "The store was written by a newer version of atomiton.",
    "STORE-005": "The store is damaged, or the file is no store.",
    "STORE-006": "The folder's file system cannot lock files as a shared store needs (a network folder).",
    "STORE-007": "The store is busy: another process kept it locked for too long.",
    "STORE-008": "A large value's file is gone or no longer holds what was stored.",
    "STORE-009": "The store's address is not understood.",
    "STORE-010": "The store is not open.",
    "STORE-011": "The store cannot be read.",
    "STORE-012": "An event holds something that cannot be written as JSON.",
    "STORE-013": "A damaged store was moved aside, and a new one made with what could be read of it.",
    "STORE-014": "The store was deleted while it was in use, and was written again.",
    "STORE-015": "The store cannot be written; what it holds is shown all the same.",
    "STORE-016": "What an event must survive is neither `process` nor `power`.",
    "STORE-017": "A limit of what the store keeps is not understood.",
    "STORE-018": "A run kept more than the store may hold, and was ended.",
}
