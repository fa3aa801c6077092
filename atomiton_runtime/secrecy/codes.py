"""Lists the codes of what can go wrong with secrets."""

CODES: dict[str, str] = {
    "SECRET-001": "there is no secret of this name",
    "SECRET-002": "the file of the secrets cannot be read, written or understood",
    "SECRET-003": "others can read the file of the secrets",
    "SECRET-004": "the name or the value cannot be a secret's",
    "SECRET-005": "a secret would be handed on by value, which is not done",
    "SECRET-006": "the keyring of the desktop cannot be used",
}
"""Code -> what it means."""
