"""Start at login: what is written, what is read back, and what each system makes of it."""

import plistlib
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.errors import UsageError
from atomiton_runtime.tray import autostart


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of one's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path


def read_exec(value: str) -> list[str]:
    """Return the arguments of an Exec key as the specification has them read: string escapes, quotes, field codes."""
    escapes = {"\\": "\\", "n": "\n", "t": "\t", "r": "\r", "s": " "}
    plain, index = "", 0
    while index < len(value):
        if value[index] == "\\":
            plain += escapes[value[index + 1]]
            index += 1
        else:
            plain += value[index]
        index += 1
    arguments: list[str] = []
    rest = plain
    while rest:
        assert rest[0] == '"'
        argument, index = "", 1
        while rest[index] != '"':
            index += rest[index] == "\\"
            argument += rest[index]
            index += 1
        arguments.append(argument.replace("%%", "%"))
        rest = rest[index + 1 :].removeprefix(" ")
    return arguments


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=4))
def test_exec_value_reads_back(command: list[str]) -> None:
    """Whatever the arguments are, the specification's reader gets exactly them, from one line."""
    value = autostart.exec_value(command)
    assert "\n" not in value
    assert read_exec(value) == command


@given(
    st.text(
        st.characters(codec="utf-8", exclude_characters="\0\r\n\t\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
        min_size=1,
    )
)
def test_program_reads_back(program: str) -> None:
    """The program of an entry is read back as it was written."""
    entry = autostart.desktop_entry([program], icon=Path("/icon.png"))
    assert autostart.started_program(entry) == program


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("X-GNOME-Autostart-enabled=true", "X-GNOME-Autostart-enabled=false"), None),
        (("Terminal=false", "Hidden=true"), None),
        (("", ""), "/usr/bin/true"),
    ],
)
def test_entries_switched_off_by_desktops(change: tuple[str, str], expected: str | None) -> None:
    """Desktops switch entries off by a key; that counts."""
    entry = autostart.desktop_entry(["/usr/bin/true"], icon=Path("/i.png"))
    assert autostart.started_program(entry.replace(*change) if change[0] else entry) == expected


def test_enable_status_disable(home: Path) -> None:
    """What is switched on is on until it is switched off, and nothing is left behind."""
    assert autostart.status().enabled is False
    place = autostart.enable(["true", "x"])
    assert place == home / "config/autostart/atomiton-runtime.desktop"
    assert f'Exec="{shutil.which("true")}" "x"' in place.read_text().splitlines()
    assert autostart.status() == autostart.AutostartStatus(enabled=True, place=place, usable=True)
    assert autostart.disable() is True
    assert autostart.disable() is False
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_links_are_not_followed(home: Path) -> None:
    """The python of a virtual environment stays that link, or it would lose its packages."""
    link = home / "venv-python"
    link.symlink_to(sys.executable)
    assert autostart.started_program(autostart.enable([str(link)]).read_text()) == str(link)


def test_program_that_is_gone(home: Path) -> None:
    """An entry whose program was removed is on, but not usable."""
    program = home / "tray"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    autostart.enable([str(program)])
    program.unlink()
    assert (autostart.status().enabled, autostart.status().usable) == (True, False)


@pytest.mark.parametrize("command", [[], ["/nowhere/tray"]])
def test_program_that_is_not_there(command: list[str]) -> None:
    """A program that is not there is refused."""
    with pytest.raises(UsageError, match="no program"):
        autostart.enable(command)


def test_place_that_cannot_be_written(home: Path) -> None:
    """A folder that is a file is reported, and nothing is half written."""
    (home / "config").write_text("a file")
    with pytest.raises(UsageError) as caught:
        autostart.enable(["true"])
    assert caught.value.code == "TRAY-008"
    assert autostart.status().enabled is False


def test_relative_xdg_folders_are_ignored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification wants relative folders ignored."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert autostart.status().place == home / ".config/autostart/atomiton-runtime.desktop"


def test_launch_agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS an agent starts the command at a graphical login, and Quit is not undone."""
    monkeypatch.setattr(sys, "platform", "darwin")
    place = autostart.enable(["true", "a b"])
    agent = plistlib.loads(place.read_bytes())
    assert place == home / "Library/LaunchAgents/org.atomiton.runtime.plist"
    assert agent["ProgramArguments"] == [shutil.which("true"), "a b"]
    assert agent["RunAtLoad"] is True
    assert "KeepAlive" not in agent
    assert autostart.status().enabled
    assert autostart.disable() is True
    assert not place.exists()


def test_run_key_value() -> None:
    """On Windows blanks are quoted as its programs read them."""
    command = [r"C:\Program Files\Python\pythonw.exe", "-m", "atomiton_runtime", "tray"]
    assert (
        autostart.run_key_value(command) == r'"C:\Program Files\Python\pythonw.exe" -m atomiton_runtime tray'
    )


def test_default_command() -> None:
    """The default is this installation's tray, options before the command."""
    assert autostart.default_command("--data", "/d") == (
        sys.executable,
        "-m",
        "atomiton_runtime",
        "--data",
        "/d",
        "tray",
    )
