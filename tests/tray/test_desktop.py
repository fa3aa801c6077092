"""Files and folders are opened by the desktop's own program."""

from pathlib import Path

import pytest

from atomiton_runtime.errors import UsageError
from atomiton_runtime.tray.desktop import open_path
from tests.desktop.waiting import eventually


def test_open_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets the path whole, and its end is not waited for."""
    opener = tmp_path / "xdg-open"
    opener.write_text(
        f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/draft"; mv "{tmp_path}/draft" "{tmp_path}/opened"\n'
    )
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    file = tmp_path / "a b $c.toml"
    file.touch()
    open_path(str(file))
    assert eventually((tmp_path / "opened").read_text) == str(file)


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is gone, and a desktop without a program to open it, are said."""
    with pytest.raises(UsageError, match="not there any more"):
        open_path(str(tmp_path / "gone"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="cannot be opened"):
        open_path(str(tmp_path))
