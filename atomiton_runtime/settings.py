"""Answers where things are: the flows folder, the data folder, and what in the environment says otherwise."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

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
    return Path(path).expanduser().absolute() if path else None


def _config_folder() -> Path:
    from platformdirs import user_config_path

    return user_config_path(_APP)


def _data_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path(_APP)
