"""Says which flows the folder holds."""

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from atomiton_runtime.actors.flow_files import SUFFIX, is_flow_file, list_flow_files
from atomiton_runtime.actors.shelved import Shelved
from atomiton_runtime.errors import RuntimeUnusable, UsageError
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.ids import FlowId

_SHORTAGE = (errno.EMFILE, errno.ENFILE)
_REFUSAL = (errno.EACCES, errno.EPERM, errno.ENOTDIR)


class FlowNames:
    """The names of the flow files of the folder. The shelf's alone."""

    def __init__(self, folder: Path, shelved: Mapping[str, Shelved], *, watched: bool) -> None:
        """Say what is in `folder`.

        Args:
            folder: the flows folder.
            shelved: absolute path -> what is known of that file; of others too.
            watched: somebody says when a file is gone; until then a flow that is known is there.
        """
        self.folder = Path(os.path.abspath(folder))  # noqa: PTH100  # one spelling, and links stay links
        self._shelved = shelved
        self._watched = watched

    def path_of(self, flow_id: str) -> str | None:
        """Return the path of a flow of the folder.

        The name must be exactly one of the folder's: where file names ignore case, `Sum` and `sum` would otherwise be
        two flows in one file.
        """
        path = str(self.folder / f"{flow_id}{SUFFIX}")
        return path if path in self._shelved or f"{flow_id}{SUFFIX}" in self.file_names() else None

    def file_names_of(self, flows: Iterable[FlowId]) -> tuple[str, ...]:
        """Return the file names of those flows that the folder holds; it is listed if one of them is not known yet."""
        names = {f"{flow}{SUFFIX}" for flow in flows}
        if all(self._is_known(name) for name in names):
            return tuple(names)
        return tuple(names.intersection(self.file_names()))

    def _is_known(self, name: str) -> bool:
        path = str(self.folder / name)
        return path in self._shelved and self.is_in_folder(path)

    def file_names(self) -> tuple[str, ...]:
        """Return the names of the folder's flow files; also those that are about to be declared gone.

        Raises:
            RuntimeUnusable: the folder cannot be read (WATCH-001).
        """
        known = tuple(Path(path).name for path in self._shelved if self.is_in_folder(path))
        try:
            found = list_flow_files(self.folder).names
        except OSError as error:  # an unmounted disk takes no flow away
            if error.errno in _SHORTAGE or (error.errno in _REFUSAL and not self._watched):
                raise _folder_refused(self.folder, error) from error
            return known
        return (*found, *known) if self._watched else found

    def no_such_flow(self, ref: str, *, is_path: bool) -> UsageError:
        """Return the error that says so (FLOW-404), with what may be meant."""
        ids = sorted({name.removesuffix(SUFFIX) for name in self.file_names()})
        hint = did_you_mean(Path(ref).stem if is_path else ref, ids)
        if is_path:
            return UsageError(
                "FLOW-404",
                f"there is no flow file {ref}",
                hint=hint or "`atomiton list` shows the flows there are",
            )
        return UsageError(
            "FLOW-404",
            f"there is no flow `{ref}`",
            hint=hint or f"a flow is a file NAME{SUFFIX} in {self.folder}, or the path of one",
        )

    def is_in_folder(self, path: str) -> bool:
        """Return whether a path is that of a flow file of the folder."""
        return Path(path).parent == self.folder and is_flow_file(Path(path).name)


def _folder_refused(folder: Path, error: OSError) -> RuntimeUnusable:
    hints = {errno.EACCES: "allow yourself to read it", errno.ENOTDIR: "name a folder with --flows"}
    return RuntimeUnusable(
        "WATCH-001",
        f"the flows folder {folder} cannot be read: {error.strerror}",
        hint=hints.get(error.errno or 0, "raise the limit (`ulimit -n`)"),
    )
