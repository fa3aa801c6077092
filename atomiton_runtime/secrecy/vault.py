"""Hands secrets out to expressions, and knows from then on what is to be hidden."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.limits import Refused
from atomiton_runtime.secrecy.mask import Mask
from atomiton_runtime.secrecy.sources import (
    ENVIRONMENT_PREFIX,
    EnvironmentSecrets,
    KeyringSecrets,
    SecretsFile,
    Source,
    check_value,
)


class Vault:
    """The secrets of one runtime. Every method may be called from every thread."""

    def __init__(self, sources: Sequence[Source] = ()) -> None:
        """Look into these places, the first one that has a secret wins."""
        self._sources = sources
        self._revealed: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self.mask: Mask | None = None
        """Hides everything that was handed out so far; None: nothing was."""
        self.names: Mapping[str, object] = _Names(self)
        """What `secrets` is in expressions."""

    def reveal(self, name: str) -> str:
        """Return the value of a secret, which is hidden from now on wherever this runtime writes.

        Raises:
            UsageError: there is none (SECRET-001), it is too short (SECRET-004), or its place cannot be used.
        """
        for source in self._sources:
            value = source.get(name)
            if value is not None:
                check_value(name, value)
                self._hide(name, value)
                return value
        raise UsageError(
            "SECRET-001",
            f"there is no secret `{name}`",
            hint=f"`atomiton secrets set {name}` asks for it; or put {ENVIRONMENT_PREFIX}{name} into the environment",
        )

    def _hide(self, name: str, value: str) -> None:
        with self._lock:
            known = self._revealed.get(name, ())
            if value in known:
                return
            # A value that has been replaced may still be printed by what was started with it.
            self._revealed[name] = (*known, value)
            every = ((each, text) for each, texts in self._revealed.items() for text in texts)
            self.mask = Mask(every)


class _Names(Mapping[str, object]):
    """What `secrets` is in an expression: it answers names, and lists nothing."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def __getitem__(self, name: str) -> object:
        try:
            return self._vault.reveal(name)
        except UsageError as error:
            raise Refused(error.code, error.message, error.hint) from error

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def open_vault(data: Path) -> Vault:
    """Return the secrets of an installation: the environment first, then the file, then the keyring."""
    return Vault((EnvironmentSecrets(os.environ), SecretsFile(data), KeyringSecrets()))


NO_SECRETS = Vault()
"""Of whoever has none."""
