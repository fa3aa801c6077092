"""Checks single values of a flow file: words, booleans, texts, integers, durations."""

from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.units import parse_duration


def check_choice(value: object, allowed: tuple[str, ...], path: KeyPath, findings: Findings) -> bool:
    """Return whether `value` is one of the allowed words; report it if not."""
    if isinstance(value, str) and value in allowed:
        return True
    words = ", ".join(f'"{word}"' for word in allowed)
    if isinstance(value, str):
        hint = did_you_mean(value, allowed) or f"allowed are {words}"
        findings.add("FLOW-004", f"`{path[-1]}` cannot be {value!r}", path, hint=hint)
    else:
        findings.wrong_kind("a text", value, path, f"allowed are {words}")
    return False


def check_boolean(value: object, path: KeyPath, findings: Findings) -> bool:
    """Return whether `value` is true or false; report it if not."""
    if isinstance(value, bool):
        return True
    findings.wrong_kind("true or false", value, path, "without quotes" if isinstance(value, str) else None)
    return False


def check_text(value: object, path: KeyPath, findings: Findings) -> bool:
    """Return whether `value` is a text; report it if not."""
    if isinstance(value, str):
        return True
    findings.wrong_kind("a text", value, path)
    return False


def check_integer(value: object, least: int, most: int, path: KeyPath, findings: Findings) -> bool:
    """Return whether `value` is an integer within bounds; report it if not."""
    if isinstance(value, bool) or not isinstance(value, int):
        findings.wrong_kind("an integer", value, path)
        return False
    if not least <= value <= most:
        findings.add("FLOW-005", f"`{path[-1]}` must be {least} to {most}, not {value}", path)
        return False
    return True


def read_duration(value: object, path: KeyPath, findings: Findings, *, zero: bool = False) -> float | None:
    """Return a duration in seconds; None when it is none, which is reported.

    Args:
        value: as written.
        path: of the value.
        findings: what to report to.
        zero: whether no time at all is a duration here.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        findings.wrong_kind("a duration", value, path, 'such as 30, "250ms", "1h30m"')
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as exc:
        findings.add("FLOW-005", f"`{path[-1]}`: {exc}", path)
        return None
    if seconds == 0 and not zero:
        findings.add("FLOW-005", f"`{path[-1]}` must be more than 0", path)
        return None
    return seconds
