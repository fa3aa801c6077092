"""Reads the common keys of a node that stand for themselves: all but `type`, `input`, `after` and `nodes`."""

from collections.abc import Callable
from functools import partial
from typing import cast

import msgspec

from atomiton_runtime.flow.catalogue import COMMON_KEYS
from atomiton_runtime.flow.checks import check_boolean, check_choice, check_integer, check_text, read_duration
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.model import Retry
from atomiton_runtime.flow.parameters import Surroundings, read_expression

MAX_ATTEMPTS = 1000
_RETRY_KEYS = ("attempts", "delay", "backoff", "max_delay", "jitter")
_NOT_LOCAL = "this version runs nodes on this machine only: leave `run_on` out"

_Reader = Callable[[object, dict[str, object], Surroundings, KeyPath, Findings], None]


def _text(
    field: str, value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if check_text(value, path, findings):
        into[field] = value


def _flag(
    field: str, value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if check_boolean(value, path, findings):
        into[field] = value


def _when(
    value: object, into: dict[str, object], surroundings: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if not isinstance(value, str):
        findings.wrong_kind("an expression", value, path, 'such as "input.total > 10"')
        return
    into["when"] = read_expression(value, surroundings.variables, surroundings.repeats, path, findings)


def _timeout(
    value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    into["timeout_s"] = read_duration(value, path, findings)


def _on_error(
    value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if check_choice(value, ("fail", "continue"), path, findings):
        into["continue_on_error"] = value == "continue"


def _reuse(
    value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if check_choice(value, ("auto", "always", "never"), path, findings):
        into["reuse"] = value


def _run_on(value: object, _: dict[str, object], __: Surroundings, path: KeyPath, findings: Findings) -> None:
    if check_text(value, path, findings) and value != "local":
        findings.add("FLOW-016", f"there is no cluster {value!r}", path, hint=_NOT_LOCAL)


def _retry(
    value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if isinstance(value, dict):
        into["retry"] = _long_retry(cast("dict[str, object]", value), path, findings)
    elif isinstance(value, bool) or not isinstance(value, int):
        findings.wrong_kind("a number of attempts or a table", value, path, "write `3` or `{ attempts = 3 }`")
    elif check_integer(value, 1, MAX_ATTEMPTS, path, findings):
        into["retry"] = Retry(attempts=value)


def _long_retry(written: dict[str, object], path: KeyPath, findings: Findings) -> Retry:
    unknown = [key for key in written if key not in _RETRY_KEYS]
    findings.unknown_keys(unknown, _RETRY_KEYS, path, "`retry`")
    read: dict[str, object] = {}
    attempts = written.get("attempts", 3)
    if check_integer(attempts, 1, MAX_ATTEMPTS, (*path, "attempts"), findings):
        read["attempts"] = attempts
    for key, field in (("delay", "delay_s"), ("max_delay", "max_delay_s")):
        if key in written:
            seconds = read_duration(written[key], (*path, key), findings, zero=True)
            read |= {} if seconds is None else {field: seconds}
    if "backoff" in written and _is_backoff(written["backoff"], (*path, "backoff"), findings):
        read["backoff"] = written["backoff"]
    if "jitter" in written and check_boolean(written["jitter"], (*path, "jitter"), findings):
        read["jitter"] = written["jitter"]
    return msgspec.structs.replace(Retry(), **read)


def _is_backoff(value: object, path: KeyPath, findings: Findings) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        findings.wrong_kind("a number", value, path)
        return False
    if not 1 <= value <= 100:
        findings.add("FLOW-005", f"`backoff` must be 1 to 100, not {value}", path)
        return False
    return True


READERS: dict[str, _Reader] = {
    "name": partial(_text, "name"),
    "description": partial(_text, "description"),
    "when": _when,
    "retry": _retry,
    "timeout": _timeout,
    "on_error": _on_error,
    "always": partial(_flag, "always"),
    "reuse": _reuse,
    "repeatable": partial(_flag, "repeatable"),
    "run_on": _run_on,
}
"""Common key -> what reads its value and stores it under the name of the field of `model.Node`."""
assert set(READERS) | {"type", "input", "after", "nodes"} == COMMON_KEYS
