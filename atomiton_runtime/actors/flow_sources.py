"""Keeps the text of each version of a flow that is asked for, so that what has changed since can be told later on."""

import contextlib
import logging
from collections.abc import MutableMapping

import msgspec

from atomiton_runtime.actors.flow_files import Content, look_at
from atomiton_runtime.actors.shelved import Shelved
from atomiton_runtime.errors import StorageError
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.storage.large_values import LargeValues

log = logging.getLogger(__name__)


class FlowSources:
    """The texts of flows. The shelf's alone."""

    def __init__(self, sources: LargeValues | None, shelved: MutableMapping[str, Shelved]) -> None:
        """Keep texts in `sources`, None: nobody does; and in `shelved` where they are."""
        self._sources = sources
        self._shelved = shelved

    def with_source(self, shelved: Shelved, flow: Flow) -> Flow:
        """Return a flow with its text kept, as far as its file still has it."""
        sources = self._sources
        if sources is None or (flow.source is not None and sources.renew(flow.source)):
            return flow
        look = look_at(flow.path)
        if not isinstance(look, Content) or look.hash != flow.hash:
            return flow  # a newer version is there already
        try:
            flow = msgspec.structs.replace(flow, source=sources.keep(look.data))
        except StorageError as error:
            log.warning("the text of %s cannot be kept: %s", flow.path, error.message)
            return flow
        self._shelved[shelved.path] = msgspec.structs.replace(shelved, flow=flow)
        return flow

    def with_text(self, flow: Flow, content: bytes) -> Flow:
        """Return a flow that is on no shelf with its text kept."""
        if self._sources is not None:
            with contextlib.suppress(StorageError):  # a full disk is told of where results cannot be kept
                return msgspec.structs.replace(flow, source=self._sources.keep(content))
        return flow
