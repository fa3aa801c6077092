"""A watchdog observer on a system that has no inotify watches left."""

import errno

from watchdog.observers import Observer


class ExhaustedObserver(Observer):
    """Starts all its threads, as the true one does, and fails at the first watch."""

    attempts = 0

    def on_thread_start(self) -> None:
        """Fail as the kernel does."""
        type(self).attempts += 1
        raise OSError(errno.ENOSPC, "inotify watch limit reached")
