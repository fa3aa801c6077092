"""Starts the tray at login, by the means of each desktop: an XDG autostart entry, a LaunchAgent, a Run key.

The texts are pure functions of the command; `enable`, `disable` and `status` are what writes and reads them.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from atomiton_runtime.errors import UsageError

APP_ID = "atomiton-runtime"
APP_NAME = "Atomiton"
AGENT_LABEL = "org.atomiton.runtime"
RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"

_COMMENT = "Runs your flows, from the tray and on save"
_QUOTED_WITH_BACKSLASH = str.maketrans({char: f"\\{char}" for char in '"`$\\'})
_STRING_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})


class AutostartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the tray starts at login, and by what."""

    enabled: bool
    place: Path
    """The file that says so; on Windows the registry key."""
    usable: bool = True
    """False: it is switched on, but the program it names is gone."""


def default_command(*options: str) -> tuple[str, ...]:
    """Return the command that starts the tray of this installation, with `options` before its name."""
    python = Path(sys.executable)
    windowless = python.with_name("pythonw.exe")
    program = windowless if sys.platform == "win32" and windowless.exists() else python
    return (str(program), "-m", "atomiton_runtime", *options, "tray")


def enable(command: Sequence[str]) -> Path:
    """Start `command` at each login from now on; return the place that says so.

    Args:
        command: program and arguments. A program without a folder is looked up now: at login the path is another.

    Raises:
        UsageError: the program is not there, or the place cannot be written (TRAY-008).
    """
    program = shutil.which(command[0]) if command else None
    if program is None:
        raise UsageError("TRAY-008", f"there is no program {' '.join(command[:1])!r} to start at login")
    # Not resolved: the python of a virtual environment is a link, and would lose its packages.
    absolute = (os.path.abspath(program), *command[1:])  # noqa: PTH100  # as above: Path.resolve follows links
    place = _place(os.environ)
    try:
        _write(place, absolute)
    except OSError as exc:
        raise UsageError("TRAY-008", f"start at login cannot be switched on: {exc}") from exc
    return place


def disable() -> bool:
    """Start nothing at login any more; return whether something was to be started.

    Raises:
        UsageError: the place cannot be written (TRAY-008).
    """
    place = _place(os.environ)
    was_enabled = status().enabled
    try:
        _remove(place)
    except OSError as exc:
        raise UsageError("TRAY-008", f"start at login cannot be switched off: {exc}") from exc
    return was_enabled


def status() -> AutostartStatus:
    """Return whether the tray starts at login; a place that cannot be read counts as no."""
    place = _place(os.environ)
    try:
        program = _read(place)
    except (OSError, ValueError):
        program = None
    usable = program is None or shutil.which(program) is not None
    return AutostartStatus(enabled=program is not None, place=place, usable=usable)


# -- Texts -----------------------------------------------------------------------------------------------------


def desktop_entry(command: Sequence[str], *, icon: Path) -> str:
    """Return the XDG autostart entry for `command` (program absolute).

    Source: Desktop Entry Specification 1.5, "The Exec key"; what an argument escapes is escaped once more as a string.
    """
    return "\n".join(
        [
            "[Desktop Entry]",
            "Type=Application",
            f"Name={APP_NAME}",
            f"Comment={_COMMENT}",
            f"Exec={exec_value(command)}",
            f"TryExec={_string(command[0])}",
            f"Icon={_string(str(icon))}",
            "Terminal=false",
            "StartupNotify=false",
            "X-GNOME-Autostart-enabled=true",
            "",
        ]
    )


def exec_value(command: Sequence[str]) -> str:
    """Return `command` as the value of an Exec key: each argument quoted, `%` doubled."""
    quoted = (f'"{argument.translate(_QUOTED_WITH_BACKSLASH)}"' for argument in command)
    return _string(" ".join(quoted).replace("%", "%%"))


def launch_agent(command: Sequence[str]) -> bytes:
    """Return the macOS LaunchAgent for `command`: started at a graphical login, not kept alive after Quit."""
    import plistlib  # used on macOS alone

    agent = {
        "Label": AGENT_LABEL,
        "ProgramArguments": list(command),
        "RunAtLoad": True,
        "LimitLoadToSessionType": "Aqua",
        "ProcessType": "Interactive",
    }
    return plistlib.dumps(agent)


def run_key_value(command: Sequence[str]) -> str:
    """Return `command` as a value of the Windows Run key."""
    return subprocess.list2cmdline(command)


def _string(text: str) -> str:
    return text.translate(_STRING_ESCAPES)


# -- Places ----------------------------------------------------------------------------------------------------


def _place(environ: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(f"HKEY_CURRENT_USER\\{RUN_KEY}\\{APP_NAME}")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "LaunchAgents" / f"{AGENT_LABEL}.plist"
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / "autostart" / f"{APP_ID}.desktop"


def _icon_place(environ: Mapping[str, str]) -> Path:
    return _xdg(environ, "XDG_DATA_HOME", ".local/share") / "icons/hicolor/128x128/apps" / f"{APP_ID}.png"


def _xdg(environ: Mapping[str, str], variable: str, default: str) -> Path:
    # The specification: a relative path in these variables is to be ignored.
    folder = Path(environ.get(variable, ""))
    return folder if folder.is_absolute() else Path.home() / default


def _write(place: Path, command: Sequence[str]) -> None:
    if sys.platform == "win32":
        import winreg

        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, RUN_KEY) as key:
            winreg.SetValueEx(key, APP_NAME, 0, winreg.REG_SZ, run_key_value(command))
    elif sys.platform == "darwin":
        _replace(place, launch_agent(command))
    else:
        from atomiton_runtime.tray import icons  # Pillow, which reading the status does not need

        icon = _icon_place(os.environ)
        _replace(icon, icons.app_png())
        _replace(place, desktop_entry(command, icon=icon).encode())


def _remove(place: Path) -> None:
    if sys.platform == "win32":
        import winreg

        with (
            contextlib.suppress(FileNotFoundError),
            winreg.OpenKey(winreg.HKEY_CURRENT_USER, RUN_KEY, 0, winreg.KEY_SET_VALUE) as key,
        ):
            winreg.DeleteValue(key, APP_NAME)
        return
    place.unlink(missing_ok=True)
    if sys.platform != "darwin":
        _icon_place(os.environ).unlink(missing_ok=True)


def _read(place: Path) -> str | None:
    """Return the program that is started at login, or None."""
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, RUN_KEY) as key:
            value, _ = winreg.QueryValueEx(key, APP_NAME)
        return str(value).removeprefix('"').partition('"')[0]
    if sys.platform == "darwin":
        import plistlib

        return str(plistlib.loads(place.read_bytes())["ProgramArguments"][0])
    return started_program(place.read_text(encoding="utf-8"))


def started_program(entry: str) -> str | None:
    """Return the program that a desktop entry starts at login, or None if it is switched off.

    Desktops switch an entry off by `Hidden=true` or `X-GNOME-Autostart-enabled=false` instead of removing it.
    """
    values = dict(line.split("=", 1) for line in entry.splitlines() if "=" in line)
    if values.get("Hidden") == "true" or values.get("X-GNOME-Autostart-enabled") == "false":
        return None
    escaped = values.get("TryExec")
    return None if escaped is None else escaped.replace("\\\\", "\\")


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
