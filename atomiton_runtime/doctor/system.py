"""Looks at the machine: versions, programs that nodes may call, and the limits of the system."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from atomiton_runtime.doctor.finding import Finding, Level

_INOTIFY = Path("/proc/sys/fs/inotify")
_LEAST_INSTANCES = 128
_LEAST_WATCHES = 8192
_LEAST_OPEN_FILES = 256
_NEARLY_ALL = 0.9


def versions() -> Iterator[Finding]:
    """Yield what runs here: atomiton, Python, the platform."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("atomiton-runtime")
    except PackageNotFoundError:
        installed = "not installed as a package"
    yield Finding(area="system", subject="atomiton", message=installed)
    yield Finding(area="system", subject="python", message=f"{platform.python_version()}  {sys.executable}")
    words = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Finding(area="system", subject="platform", message=words)


def programs() -> Iterator[Finding]:
    """Yield the programs that node types and the tray call, where they are needed and whether they are there."""
    if sys.platform == "win32":
        return
    shell = os.environ.get("SHELL", "")
    if not shell:
        yield Finding(area="programs", subject="shell", message="/bin/sh (SHELL is not set)")
    elif os.access(shell, os.X_OK):
        yield Finding(area="programs", subject="shell", message=shell)
    else:
        yield Finding(
            area="programs",
            subject="shell",
            level="warning",
            message=f"SHELL names {shell}, which cannot be executed",
            hint="scripts of shell-command are executed by /bin/sh instead",
        )
    interpreters = [name for name in ("python3", "node") if shutil.which(name)]
    found = ", ".join(interpreters) or "none"
    yield Finding(area="programs", subject="interpreters", message=f"in PATH: {found}")
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    if shutil.which(opener):
        yield Finding(area="programs", subject=opener, message=shutil.which(opener) or "")
    else:
        hint = "the tray needs it to open files and folders (Debian: apt install xdg-utils)"
        yield Finding(area="programs", subject=opener, level="warning", message="is not in PATH", hint=hint)


def limits() -> Iterator[Finding]:
    """Yield the limits of the system that watching, and runs with many nodes, may meet."""
    if _INOTIFY.is_dir():
        yield _watches(_number("max_user_watches"))
        yield _instances(_number("max_user_instances"), _own_instances())
    if sys.platform != "win32":
        import resource

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        unlimited = files == resource.RLIM_INFINITY
        level: Level = "ok" if unlimited or files >= _LEAST_OPEN_FILES else "warning"
        hint = None if level == "ok" else "raise the limit (`ulimit -n`): runs with many nodes may fail"
        message = "without a limit" if unlimited else f"{files} at once"
        yield Finding(area="limits", subject="open files", level=level, message=message, hint=hint)


def _number(name: str) -> int:
    return int((_INOTIFY / name).read_text(encoding="ascii"))


def _watches(most: int) -> Finding:
    level: Level = "ok" if most >= _LEAST_WATCHES else "warning"
    hint = None if level == "ok" else f"sysctl fs.inotify.max_user_watches={_LEAST_WATCHES}"
    return Finding(
        area="limits", subject="inotify watches", level=level, message=f"at most {most}", hint=hint
    )


def _instances(most: int, used: int) -> Finding:
    few = used >= most * _NEARLY_ALL
    level: Level = "warning" if few else "ok"
    hint = "end programs that watch files, or raise fs.inotify.max_user_instances; flows are polled meanwhile"
    return Finding(
        area="limits",
        subject="inotify instances",
        level=level,
        message=f"{used} of {most} in use",
        hint=hint if few else None,
    )


def _own_instances() -> int:
    """Return how many inotify instances the processes of this user hold; those that may not be seen are left out."""
    user = os.getuid() if sys.platform != "win32" else 0
    return sum(_instances_of(process) for process in Path("/proc").glob("[0-9]*") if _owner(process) == user)


def _owner(process: Path) -> int:
    try:
        return process.stat().st_uid
    except OSError:
        return -1


def _instances_of(process: Path) -> int:
    count = 0
    try:
        for descriptor in os.scandir(process / "fd"):
            # It may be closed at this moment, so each is asked for itself.
            try:
                count += os.readlink(descriptor.path) == "anon_inode:inotify"  # noqa: PTH115  # thousands of them
            except OSError:
                continue
    except OSError:
        return count
    return count
