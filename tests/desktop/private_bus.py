"""A session bus of our own: no contact with the desktop of whoever runs the tests."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

# No service folders: nothing is started behind the test's back, so nothing stays behind.
_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={folder}/bus</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """A dbus-daemon, from `with` to the end of it (or `stop`)."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bus-"))
        self._process: subprocess.Popen[str] | None = None
        self.address = f"unix:path={self._folder}/bus"

    def start(self) -> Self:
        """Start the daemon; when this returns, it takes connections. A missing daemon is an error."""
        configuration = self._folder / "bus.conf"
        configuration.write_text(_CONFIGURATION.format(folder=self._folder), encoding="utf-8")
        self._process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "dbus-daemon did not start"
        return self

    def stop(self) -> None:
        """End the daemon."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None
        (self._folder / "bus").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
