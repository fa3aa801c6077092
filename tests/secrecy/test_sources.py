"""Where secrets are found, which place wins, and what is refused."""

import os
from pathlib import Path
from typing import ClassVar

import keyring
import keyring.backend
import keyring.errors
import pytest

from atomiton_runtime.errors import UsageError
from atomiton_runtime.secrecy.sources import EnvironmentSecrets, KeyringSecrets, SecretsFile
from atomiton_runtime.secrecy.vault import Vault, open_vault


class Keys(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority: ClassVar[float] = 1
    broken = False

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Return a password."""
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a password."""
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget a password."""
        self._check()
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError

    def _check(self) -> None:
        if self.broken:
            raise keyring.errors.KeyringLocked("canary")


@pytest.fixture
def keys() -> object:
    """The desktop's keyring, for one test."""
    before = keyring.get_keyring()
    mine = Keys()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


def test_the_file_keeps_and_forgets(tmp_path: Path) -> None:
    """A file of mode 0600; each reader sees what another process wrote."""
    file, other = SecretsFile(tmp_path / "data"), SecretsFile(tmp_path / "data")
    assert (file.get("A"), file.names(), file.remove("A")) == (None, (), False)
    file.set("A", 'va"l\nue')
    assert other.get("A") == 'va"l\nue'
    other.set("B", "other")
    assert file.names() == ("A", "B")
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.list_in_keyring("A")
    assert (other.get("A"), other.names_in_keyring()) == (None, ("A",))
    assert other.remove("A")
    assert file.names_in_keyring() == ()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["secrets.lock", "secrets.toml"]


@pytest.mark.parametrize(
    ("mode", "content", "code"),
    [
        (0o644, b"", "SECRET-003"),
        (0o600, b"a = canary", "SECRET-002"),
        (0o600, b"\xff", "SECRET-002"),
        (0o600, b"keyring = 7", "SECRET-002"),
        (0o600, b'values = { a = ["canary"] }', "SECRET-002"),
        (0o600, b'"canary" = 1', "SECRET-002"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, mode: int, content: bytes, code: str) -> None:
    """The refusal says what to do, and nothing of the content."""
    file = SecretsFile(tmp_path)
    file.path.write_bytes(content)
    file.path.chmod(mode)
    with pytest.raises(UsageError) as caught:
        file.get("A")
    assert caught.value.code == code
    assert caught.value.hint
    assert "canary" not in f"{caught.value.message}{caught.value.hint}"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The refusal names the file, and nothing is left beside it."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UsageError, match=r"cannot be written|cannot be read"):
        SecretsFile(tmp_path / "data").set("A", "value")
    (tmp_path / "other" / "secrets.toml" / "in the way").mkdir(parents=True)
    with pytest.raises(UsageError):
        SecretsFile(tmp_path / "other").set("A", "value")


def test_what_a_killed_process_had_begun_to_write_is_removed(tmp_path: Path) -> None:
    """A half-written file of secrets goes with the next change; what is not ours stays."""
    file = SecretsFile(tmp_path)
    file.set("A", "1")
    (tmp_path / f".{file.path.name}-x1y2z3").write_text("A = half")
    (tmp_path / "other").touch()
    file.set("B", "2")
    assert {file.path.name, file.path.with_suffix(".lock").name, "other"} == {
        each.name for each in tmp_path.iterdir()
    }


def test_a_file_that_cannot_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file that cannot take the place of the old one is removed."""
    file = SecretsFile(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UsageError, match="No space left") as caught:
        file.set("A", "value")
    assert caught.value.code == "SECRET-002"
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.lock"]


def test_the_first_place_wins(tmp_path: Path, keys: Keys) -> None:
    """The environment, then the file, then the keyring; what is missing is said with the way to mend it."""
    file, ring = SecretsFile(tmp_path), KeyringSecrets()
    vault = Vault((EnvironmentSecrets({"ATOMITON_SECRET_A": "from environment"}), file, ring))
    for name in "ABC":
        ring.set(name, "from keyring")
    for name in "AB":
        file.set(name, "from file")
    assert [vault.reveal(name) for name in "ABC"] == ["from environment", "from file", "from keyring"]
    assert vault.mask is not None
    assert vault.mask.text("from file, from keyring, from nowhere") == "***, ***, from nowhere"
    with pytest.raises(UsageError) as caught:
        vault.reveal("D")
    assert (caught.value.code, "secrets set D" in (caught.value.hint or "")) == ("SECRET-001", True)
    assert (len(vault.names), list(vault.names)) == (0, [])


def test_an_old_value_stays_hidden(tmp_path: Path) -> None:
    """A program that was started with the old one may still print it."""
    file = SecretsFile(tmp_path)
    vault = open_vault(tmp_path)
    for value in ("first-value", "other-value", "other-value"):
        file.set("A", value)
        assert vault.reveal("A") == value
    assert vault.mask is not None
    assert vault.mask.text("first-value other-value") == "*** ***"


@pytest.mark.parametrize(("value", "word"), [(" ab\n", "too short"), ("abcdef\udcff", "no text")])
def test_a_value_that_cannot_be_hidden_is_refused(value: str, word: str) -> None:
    """It would be found everywhere, or cannot be kept."""
    with pytest.raises(UsageError, match=word) as caught:
        Vault([EnvironmentSecrets({"ATOMITON_SECRET_A": value})]).reveal("A")
    assert caught.value.code == "SECRET-004"
    assert "abcdef" not in str(caught.value)


def test_a_folder_or_a_pipe_is_no_file_of_secrets(tmp_path: Path) -> None:
    """Neither is read: a pipe would never end."""
    os.mkfifo(tmp_path / "secrets.toml", 0o600)
    with pytest.raises(UsageError, match="no file") as caught:
        SecretsFile(tmp_path).get("A")
    assert caught.value.code == "SECRET-002"


def test_the_keyring_fails(keys: Keys) -> None:
    """A locked keyring is an error that can be understood; a missing secret is none."""
    ring = KeyringSecrets()
    assert not ring.remove("A")
    ring.set("A", "value")
    assert (ring.get("A"), ring.remove("A"), ring.get("A")) == ("value", True, None)
    keys.broken = True
    for call in (lambda: ring.get("A"), lambda: ring.set("A", "value"), lambda: ring.remove("A")):
        with pytest.raises(UsageError, match="KeyringLocked") as caught:
            call()
        assert caught.value.code == "SECRET-006"
        assert "canary" not in caught.value.message


def test_no_keyring_has_no_secrets() -> None:
    """A machine without one is no fault, until something is to be kept in it."""
    ring = KeyringSecrets()
    assert (ring.get("A"), ring.remove("A")) == (None, False)
    with pytest.raises(UsageError, match="NoKeyringError"):
        ring.set("A", "value")
