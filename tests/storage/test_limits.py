"""The environment says how much a store keeps, or is told what is wrong with what it says."""

import pytest

from atomiton_runtime.errors import UsageError
from atomiton_runtime.storage.limits import wanted_retention
from atomiton_runtime.storage.retention import Retention


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Retention()),
        ({"ATOMITON_KEEP_RUNS": " 7 ", "ATOMITON_KEEP_DAYS": ""}, Retention(keep_runs=7)),
        ({"ATOMITON_KEEP_DAYS": "0.5"}, Retention(keep_days=0.5)),
        ({"ATOMITON_KEEP_BYTES": "2GiB"}, Retention(max_bytes=2 * 1024**3)),
        ({"ATOMITON_KEEP_BYTES": "1048576"}, Retention(max_bytes=1024**2)),
        (
            {f"ATOMITON_KEEP_{limit}": "Unlimited" for limit in ("RUNS", "DAYS", "BYTES")},
            Retention(keep_runs=None, keep_days=None, max_bytes=None),
        ),
    ],
)
def test_limits_are_read(environ: dict[str, str], expected: Retention) -> None:
    """Each limit is what its variable says, or the usual one, or none."""
    assert expected == wanted_retention(environ)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ATOMITON_KEEP_RUNS", "many"),
        ("ATOMITON_KEEP_RUNS", "-1"),
        ("ATOMITON_KEEP_RUNS", "1.5"),
        ("ATOMITON_KEEP_DAYS", "nan"),
        ("ATOMITON_KEEP_DAYS", "inf"),
        ("ATOMITON_KEEP_DAYS", "3 weeks"),
        ("ATOMITON_KEEP_BYTES", "64KiB"),
        ("ATOMITON_KEEP_BYTES", "1 GB of it"),
        ("ATOMITON_KEEP_BYTES", "9999999TiB"),
    ],
)
def test_limits_that_are_wrong_are_refused(variable: str, text: str) -> None:
    """The variable and its value are named, and what to write instead."""
    with pytest.raises(UsageError) as raised:
        wanted_retention({variable: text})

    assert "STORE-017" == raised.value.code
    assert f"{variable} is {text!r}" == raised.value.message
    assert '"unlimited"' in (raised.value.hint or "")
