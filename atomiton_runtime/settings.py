"""Answers where things are: the flows folder, the data folder, and what in the environment says otherwise."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from atomiton_runtime.errors import UsageError

FLOWS_VARIABLE = "ATOMITON_FLOWS"
DATA_VARIABLE = "ATOMITON_DATA"
_APP = "atomiton"


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """The two folders of an installation, absolute."""

    flows: Path
    data: Path

    @property
    def storage_url(self) -> str:
        """The default store: SQLite in the data folder."""
        return f"sqlite:///{self.data / 'runs.sqlite3'}"


def find_places(
    environ: Mapping[str, str], *, flows: str | Path | None = None, data: str | Path | None = None
) -> Places:
    """Return the folders: the arguments first, then the environment, then the platform's usual places."""
    # platformdirs is only needed, and only loaded, where nobody said where things are.
    return Places(
        flows=_folder(flows or environ.get(FLOWS_VARIABLE)) or _config_folder() / "flows",
        data=_folder(data or environ.get(DATA_VARIABLE)) or _data_folder(),
    )


def _folder(path: str | Path | None) -> Path | None:
    if not path:
        return None
    try:
        return Path(path).expanduser().absolute()
    except (RuntimeError, FileNotFoundError) as exc:  # `~` of nobody; the working folder is gone
        raise UsageError(
            "RUN-015", f"the folder {path} cannot be found: {exc}", hint="give its absolute path"
        ) from exc


def _config_folder() -> Path:
    from platformdirs import user_config_path

    return _of_the_user(user_config_path)


def _data_folder() -> Path:
    from platformdirs import user_data_path

    return _of_the_user(user_data_path)


def _of_the_user(find: Callable[[str], Path]) -> Path:
    try:
        return find(_APP)
    except RuntimeError as exc:  # no HOME, and an account without an entry in the list of users
        raise UsageError(
            "RUN-015",
            "your home folder cannot be found, and with it the folders of flows and data",
            hint=f"set HOME, or both {FLOWS_VARIABLE} and {DATA_VARIABLE}",
        ) from exc
