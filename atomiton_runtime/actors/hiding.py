"""Packs the values of an attempt for the journal without the secrets that they may hold."""

from collections.abc import Callable, Mapping
from typing import cast

import msgspec

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.secrecy.mask import HIDDEN, Mask, names_of
from atomiton_runtime.secrecy.vault import Vault
from atomiton_runtime.storage.large_values import LargeValues, large_value
from atomiton_runtime.values import Encoded, Value

_LARGE_BYTES = 16 * 1024
"""From here on a value is not decoded to be passed on: hundreds of them may be many megabytes."""


class HidingValues:
    """The large values of the store, before which secrets are taken out of whatever is packed."""

    def __init__(self, large_values: LargeValues, vault: Vault, log: Callable[[str], None]) -> None:
        self._large_values, self._vault, self._log = large_values, vault, log

    @property
    def mask(self) -> Mask | None:
        """What hides the secrets that were handed out so far; None: there are none."""
        return self._vault.mask

    def pack(self, outputs: Mapping[str, object]) -> dict[str, msgspec.Raw]:
        """Return outputs as the journal keeps them, without secrets; the log says where there were some."""
        mask = self.mask
        if mask is not None:
            outputs = {port: self._hidden(mask, port, cast(Value, value)) for port, value in outputs.items()}
        return self._large_values.pack(outputs)

    def pack_item(self, item: Value) -> msgspec.Raw:
        """Return what is handed to a body, or to another flow.

        Raises:
            NodeError: it holds a secret: the body would go on with something else (SECRET-005).
        """
        mask = self.mask
        if mask is not None:
            _, names = mask.value(item)
            if names:
                raise NodeError(
                    "SECRET-005",
                    f"the value of {names_of(names)} would be handed to the nodes within, and into the journal",
                    hint="use the secret where it is needed: in the parameters of the node, or of the called flow's",
                )
        return self._large_values.pack({"": item})[""]

    def unpack(self, raw: msgspec.Raw) -> Value:
        """Return a fresh copy of a packed value."""
        return self._large_values.unpack(raw)

    def passed_on(self, raw: msgspec.Raw) -> Value | Encoded:
        """Return a packed value for who only passes it on: itself where secrets must be looked for, or it is small."""
        if self.mask is not None or (len(memoryview(raw)) < _LARGE_BYTES and large_value(raw) is None):
            return self.unpack(raw)
        return self._large_values.encoded(raw)

    def _hidden(self, mask: Mask, port: str, value: Value) -> Value:
        hidden, names = mask.value(value)
        if names:
            self._log(f"the output `{port}` held the value of {names_of(names)}, which is kept as {HIDDEN}")
        return hidden
