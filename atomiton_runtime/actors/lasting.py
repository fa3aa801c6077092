"""Says what the result of one attempt depends on, and what it leaves outside: whether it may last, and how long."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from atomiton_runtime.actors.keying import READS, attempt_key
from atomiton_runtime.actors.preparing import Prepared
from atomiton_runtime.actors.reusing import Reusing, Stale, Wanted
from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.nodes.base import NodeCancelledError, Outside
from atomiton_runtime.run.given import Succeeded
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.reuse import Key, result_hash
from atomiton_runtime.secrecy.mask import Mask
from atomiton_runtime.storage.results import Execution

log = logging.getLogger(__name__)


class Lasting:
    """What one attempt has to do with results of others: an earlier one may stand in for it, later ones for this."""

    def __init__(self, prepared: Prepared, reusing: Reusing, mask: Mask | None) -> None:
        """Look at what the attempt depends on, as of now: before anything is executed."""
        self._order = prepared.order
        self._catalogued = prepared.catalogued
        self._rendered = prepared.rendered
        self._parameters: Any = prepared.parameters
        self._context = prepared.context
        self._reusing = reusing
        self._mask = mask
        self.outside = Outside()
        self._reads: Sequence[Path] = ()
        """The paths on which the key depends: of what is left behind, how it was before has no say any more."""
        self._wrote = True
        self.key: Key | None = None
        """None: what the result depends on cannot be said."""
        self.stale = ""
        """Why the result of an earlier execution with this key does not hold; empty: none was found."""
        try:
            self._look()
        except NodeCancelledError:
            raise
        except AtomitonError as error:
            # The execution itself says better what is wrong, if it is.
            log.debug("%s has no key: %s", self._order.node_id, error.message)
        except Exception as error:  # noqa: BLE001  # a border: a stranger's declarations may raise anything
            log.warning("%s cannot say what it depends on: %r", self._catalogued.name, error)

    def _look(self) -> None:
        """Make the key, as of now: before anything is executed."""
        node_type = self._catalogued.node_type
        self._wrote = node_type.effect(self._parameters) == "writes"
        self.outside = node_type.outside(self._parameters, self._context)
        self._reads = [path for path in self.outside.reads if path not in self.outside.leaves]
        self.key = attempt_key(
            self._order,
            self._catalogued,
            self._rendered,
            self._context,
            mask=self._mask,
            reads=self._fingerprints(self._reads),
            looks=self.outside.looks,
        )

    def _fingerprints(self, paths: Sequence[Path]) -> dict[str, str]:
        if not paths:
            return {}
        pulse = self._context.cancel.raise_if_cancelled
        return {str(path): self._reusing.fingerprints.of(path, pulse) for path in paths}

    def earlier(self) -> Kept | None:
        """Return the result of an earlier execution that holds; None: there is none."""
        if self.key is None or self.outside.looks:
            return None
        order = self._order
        wanted = Wanted(
            flow_path=order.flow_path,
            node=order.written,
            flow=order.flow,
            node_id=order.node_id,
            asking=Execution(order.run_id, order.attempt, order.node_id),
        )
        found = self._reusing.find(wanted, self.key, self._context.cancel.raise_if_cancelled)
        if isinstance(found, Stale):
            self.stale = found.reason
            return None
        return found

    def recorded(self, outcome: Succeeded) -> Succeeded:
        """Return a success with what it depends on and what it has left outside."""
        key, left = self.key, dict[str, str]()
        try:
            left = self._fingerprints(self.outside.leaves)
            if key is not None and self._reads and not self._has_read_what_it_was(key):
                key = None
        except AtomitonError as error:
            log.warning(
                "%s is not reused, for its files cannot be looked at: %s", self._order.node_id, error.message
            )
            key = None
        return msgspec.structs.replace(
            outcome,
            hashes={port: result_hash(raw) for port, raw in outcome.outputs.items()},
            key=key,
            left=left,
            wrote=self._wrote,
            stale=self.stale,
        )

    def _has_read_what_it_was(self, key: Key) -> bool:
        """Return whether what was read is still what the key says: a file may change while it is read."""
        now = self._fingerprints(self._reads)
        return all(key.parts[f"{READS}{path}"] == fingerprint for path, fingerprint in now.items())
