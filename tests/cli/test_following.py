import msgspec
import pytest

from atomiton_runtime.cli.following import exit_code
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.run.document import document
from atomiton_runtime.run.events import RunStatus
from tests.doubles.journals import journal


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("succeeded", None, 0),
        ("failed", "SHELL-003", 1),
        ("failed", "STORE-002", 5),
        ("failed", "RUN-011", 5),
        ("failed", "RUN-012", 5),
        ("cancelled", "RUN-004", 3),
        ("cancelled", "RUN-007", 3),
        ("timed_out", "RUN-008", 4),
        ("interrupted", "RUN-010", 130),
    ],
)
def test_the_exit_code_says_whose_fault_it_was(status: RunStatus, error: str | None, code: int) -> None:
    """A run that the store or the runtime failed is no failed flow: scripts tell the two apart by 5 and 1."""
    ended = msgspec.structs.replace(
        document(journal("01M00000000000000000000000")),
        status=status,
        error=ErrorInfo(error, "why") if error else None,
    )
    assert exit_code(ended) == code
