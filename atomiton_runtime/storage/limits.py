"""Reads from the environment how much a store keeps."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.units import parse_size
from atomiton_runtime.storage.retention import Retention

RUNS_VARIABLE = "ATOMITON_KEEP_RUNS"
DAYS_VARIABLE = "ATOMITON_KEEP_DAYS"
BYTES_VARIABLE = "ATOMITON_KEEP_BYTES"
UNLIMITED = "unlimited"
MIN_BYTES = 1024 * 1024
"""The least that may be chosen for a store: an empty one already takes some of it."""

_MAX_DAYS = 36_500
_Limit = TypeVar("_Limit", int, float)


def wanted_retention(environ: Mapping[str, str]) -> Retention:
    """Return the limits: `ATOMITON_KEEP_RUNS`, `_DAYS` and `_BYTES`, each by default that of `Retention`.

    Raises:
        UsageError: STORE-017, one of them is not understood.
    """
    usual = Retention()
    return Retention(
        keep_runs=_limit(
            environ,
            RUNS_VARIABLE,
            _runs,
            usual.keep_runs,
            "a whole number of ended runs of each flow, 0 or more",
        ),
        keep_days=_limit(environ, DAYS_VARIABLE, _days, usual.keep_days, 'days, as in "30" or "0.5"'),
        max_bytes=_limit(
            environ, BYTES_VARIABLE, _bytes, usual.max_bytes, 'a size from 1MiB on, as in "500MiB" or "2GiB"'
        ),
    )


def _limit(
    environ: Mapping[str, str],
    variable: str,
    read: Callable[[str], _Limit],
    usual: _Limit | None,
    form: str,
) -> _Limit | None:
    text = environ.get(variable, "").strip()
    if not text:
        return usual
    if text.lower() == UNLIMITED:
        return None
    try:
        return read(text)
    except ValueError as exc:
        raise UsageError(
            "STORE-017", f"{variable} is {text!r}", hint=f'write {form}; or "{UNLIMITED}"'
        ) from exc


def _runs(text: str) -> int:
    return _within(int(text), 0, 2**63 - 1)


def _days(text: str) -> float:
    return _within(float(text), 0, _MAX_DAYS)


def _bytes(text: str) -> int:
    size = int(text) if text.isdecimal() else parse_size(text)
    return _within(size, MIN_BYTES, 2**63 - 1)


def _within(number: _Limit, least: _Limit, most: _Limit) -> _Limit:
    if not least <= number <= most:  # also what is no number
        raise ValueError(number)
    return number
