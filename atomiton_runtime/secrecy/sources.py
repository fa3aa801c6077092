"""Finds secrets: in the environment, in a file of the data folder, in the keyring of the desktop."""

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import msgspec
import tomli_w
from filelock import FileLock

from atomiton_runtime.errors import UsageError
from atomiton_runtime.secrecy.forms import MIN_CHARS

ENVIRONMENT_PREFIX = "ATOMITON_SECRET_"
"""`ATOMITON_SECRET_NAME` is the secret `NAME`; no node and no program that one starts sees it."""
FILE_NAME = "secrets.toml"
Place: TypeAlias = Literal["environment", "file", "keyring"]
_SERVICE = "atomiton"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(name: str) -> None:
    """Raise for what cannot be the name of a secret.

    Raises:
        UsageError: it is none (SECRET-004).
    """
    if _NAME.fullmatch(name) is None:
        hint = "letters, digits and underscores, the first no digit: GITHUB_TOKEN"
        raise UsageError("SECRET-004", f"{name!r} cannot be the name of a secret", hint=hint)


def check_value(name: str, value: str) -> None:
    """Raise for what cannot be the value of the secret `name`.

    Raises:
        UsageError: it is no text, or too short to be hidden (SECRET-004).
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        hint = "bytes can be kept as base64"
        # Without the cause, which shows the value.
        raise UsageError(
            "SECRET-004", f"the value of the secret {name} is no text in UTF-8", hint=hint
        ) from None
    if len(value.strip()) < MIN_CHARS:
        hint = f"a secret has at least {MIN_CHARS} characters"
        raise UsageError(
            "SECRET-004", f"the value of the secret {name} is too short to be hidden anywhere", hint=hint
        )


class Source(Protocol):
    """A place where secrets are."""

    def get(self, name: str) -> str | None:
        """Return the value; None: it is not there.

        Raises:
            UsageError: the place cannot be used (SECRET-002, SECRET-003, SECRET-006).
        """
        ...


class EnvironmentSecrets:
    """The secrets in the environment of this process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def get(self, name: str) -> str | None:
        """Return the value of `ATOMITON_SECRET_NAME`."""
        return self._environ.get(ENVIRONMENT_PREFIX + name)

    def names(self) -> tuple[str, ...]:
        """Return the names that there are."""
        found = (name for name in self._environ if name.startswith(ENVIRONMENT_PREFIX))
        return tuple(name.removeprefix(ENVIRONMENT_PREFIX) for name in found)


class _Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keyring: list[str] = []
    values: dict[str, str] = {}


class SecretsFile:
    """The secrets in a file of the data folder, which its owner alone can read (mode 0600).

    It also lists the names that were put into the keyring, which cannot be asked for them.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / FILE_NAME
        self._seen: tuple[int, int, int] | None = None
        self._values: dict[str, str] = {}
        self._in_keyring: list[str] = []

    def get(self, name: str) -> str | None:
        """Return the value of a secret."""
        self._read()
        return self._values.get(name)

    def names(self) -> tuple[str, ...]:
        """Return the names whose values are in the file."""
        self._read()
        return tuple(self._values)

    def names_in_keyring(self) -> tuple[str, ...]:
        """Return the names whose values were put into the keyring."""
        self._read()
        return tuple(self._in_keyring)

    def set(self, name: str, value: str) -> None:
        """Keep a secret here."""
        self._change(lambda: self._values.update({name: value}))

    def list_in_keyring(self, name: str) -> None:
        """Remember that a secret is in the keyring, and no longer here."""

        def change() -> None:
            self._values.pop(name, None)
            self._in_keyring = sorted({*self._in_keyring, name})

        self._change(change)

    def remove(self, name: str) -> bool:
        """Forget a secret and where it is; return whether there was one here."""
        self._read()
        if name not in self._values and name not in self._in_keyring:
            return False

        def change() -> None:
            self._values.pop(name, None)
            self._in_keyring = [other for other in self._in_keyring if other != name]

        self._change(change)
        return True

    def _read(self) -> None:
        try:
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise _unreadable(self.path, "it is no file")
            identity = (status.st_mtime_ns, status.st_size, status.st_ino)
            if os.name != "nt" and stat.S_IMODE(status.st_mode) & 0o077:
                raise UsageError(
                    "SECRET-003",
                    f"others can read {self.path} (mode {stat.S_IMODE(status.st_mode):04o}), so it is not used",
                    hint=f"`chmod 600 {self.path}`; what was in it may be known to them",
                )
            if identity == self._seen:
                return
            content = msgspec.toml.decode(self.path.read_bytes(), type=_Content)
        except FileNotFoundError:
            self._seen, self._values, self._in_keyring = None, {}, []
            return
        except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not as atomiton writes it"
            raise _unreadable(self.path, reason) from None  # its text may be in the cause
        self._seen, self._values, self._in_keyring = identity, content.values, content.keyring

    def _change(self, change: Callable[[], None]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), thread_local=False):
                self._read()
                change()
                content = _Content(keyring=self._in_keyring, values=self._values)
                self._write(tomli_w.dumps(msgspec.structs.asdict(content)))
        except OSError as error:
            raise UsageError(
                "SECRET-002", f"the secrets in {self.path} cannot be written: {error.strerror}"
            ) from error
        finally:
            self._seen = None

    def _write(self, text: str) -> None:
        for left in self.path.parent.glob(f".{FILE_NAME}-*"):
            left.unlink()  # By a process that was killed: whoever writes now holds the lock.
        # Made with mode 0600, and in place at once: never is there a file that others can read, or half of one.
        number, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{FILE_NAME}-")
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise


def _unreadable(path: Path, reason: str | None) -> UsageError:
    hint = "mend the file, or remove it and use `atomiton secrets set NAME`"
    return UsageError("SECRET-002", f"the secrets in {path} cannot be read: {reason}", hint=hint)


class KeyringSecrets:
    """The secrets in the keyring of the desktop: Secret Service, KWallet, macOS, Windows."""

    def get(self, name: str) -> str | None:
        """Return the value of a secret; a machine without a keyring has none."""
        import keyring
        import keyring.errors

        try:
            return keyring.get_password(_SERVICE, name)
        except keyring.errors.NoKeyringError:
            return None
        except Exception as error:  # a border: the programs behind it fail in ways of their own
            raise _unusable(error) from error

    def set(self, name: str, value: str) -> None:
        """Keep a secret in the keyring."""
        import keyring

        try:
            keyring.set_password(_SERVICE, name, value)
        except Exception as error:  # a border, as above
            raise _unusable(error) from error

    def remove(self, name: str) -> bool:
        """Take a secret out of the keyring; return whether it was there."""
        import keyring
        import keyring.errors

        try:
            keyring.delete_password(_SERVICE, name)
        except (keyring.errors.PasswordDeleteError, keyring.errors.NoKeyringError):
            return False
        except Exception as error:  # a border, as above
            raise _unusable(error) from error
        return True


def _unusable(error: Exception) -> UsageError:
    return UsageError(
        "SECRET-006",
        f"the keyring of this desktop cannot be used: {type(error).__name__}",
        hint="without `--keyring` the secret is kept in a file that only you can read",
    )
