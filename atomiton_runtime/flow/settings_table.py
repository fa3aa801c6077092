"""Reads the `[settings]` of a flow."""

from collections.abc import Mapping
from typing import cast, get_args

import msgspec

from atomiton_runtime.flow.checks import check_boolean, check_choice, check_integer, read_duration
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.model import Notify, OnBusy, OnSave, Resume, Settings

MAX_PARALLEL = 256
MAX_RUNS_PER_MINUTE = 1000
_CHOICES: dict[str, tuple[str, ...]] = {
    "on_save": get_args(OnSave),
    "on_busy": get_args(OnBusy),
    "notify": get_args(Notify),
    "resume": get_args(Resume),
}
_COUNTS = {"max_parallel": MAX_PARALLEL, "max_runs_per_minute": MAX_RUNS_PER_MINUTE}
"""Setting -> its greatest value; the least is 1."""
_KEYS = (*_CHOICES, "timeout", *_COUNTS, "tray")


def read_settings(table: object, findings: Findings) -> Settings:
    """Return the settings; what is wrong keeps its default and is reported."""
    path: KeyPath = ("settings",)
    if not isinstance(table, dict):
        findings.wrong_kind("a table", table, path)
        return Settings()
    settings = cast("dict[str, object]", table)
    findings.unknown_keys([key for key in settings if key not in _KEYS], _KEYS, path, "the settings")
    read: dict[str, object] = {}
    _read_choices(settings, read, findings)
    if "timeout" in settings:
        seconds = read_duration(settings["timeout"], (*path, "timeout"), findings)
        if seconds is not None:
            read["timeout_s"] = seconds
    for key, greatest in _COUNTS.items():
        if key in settings and check_integer(settings[key], 1, greatest, (*path, key), findings):
            read[key] = settings[key]
    if "tray" in settings and check_boolean(settings["tray"], (*path, "tray"), findings):
        read["tray"] = settings["tray"]
    return msgspec.structs.replace(Settings(), **read)


def _read_choices(settings: Mapping[str, object], read: dict[str, object], findings: Findings) -> None:
    for key, allowed in _CHOICES.items():
        if key in settings and check_choice(settings[key], allowed, ("settings", key), findings):
            read[key] = settings[key]
