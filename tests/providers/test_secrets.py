"""Where a password comes from, and that it shows nowhere."""

from __future__ import annotations

import copy
import os
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from traceback import format_exception

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from crm_tui.providers.base import Misconfigured
from crm_tui.providers.secrets import Secret, find_password

WORD = "tr0ub4dor"
ENVIRONMENT = {"CRM_TUI_SMTP_PASSWORD": "from the environment"}


class Kept(KeyringBackend):
    """A keyring with one password."""

    priority = 1

    def __init__(self, password: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.password = password
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append((service, username))
        return self.password

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("Nothing is ever put into the keyring.")


class Locked(Kept):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked


class Hanging(Kept):
    """A keyring that waits to be unlocked."""

    def get_password(self, service: str, username: str) -> str | None:
        Event().wait()
        return None


@pytest.fixture(autouse=True)
def _own_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    yield
    keyring.set_keyring(before)


def find(
    *,
    command: tuple[str, ...] = (),
    file: Path | str = "",
    environment: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> str:
    found = find_password(
        "smtp",
        username="anna@example.com",
        command=command,
        file=str(file),
        environment=environment or {},
        timeout=timeout,
    )
    return found.reveal()


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "pass word"
    path.write_text("from the file\n")
    path.chmod(0o600)
    return path


def test_the_command_comes_first_then_keyring_environment_and_file(password_file: Path) -> None:
    keyring.set_keyring(Kept("from the keyring"))
    command = python("print('from the command')")
    assert find(command=command, environment=ENVIRONMENT, file=password_file) == "from the command"
    assert find(environment=ENVIRONMENT, file=password_file) == "from the keyring"
    keyring.set_keyring(Kept())
    assert find(environment=ENVIRONMENT, file=password_file) == "from the environment"
    assert find(file=password_file) == "from the file"


def test_the_keyring_is_asked_by_account_and_username() -> None:
    kept = Kept("x")
    keyring.set_keyring(kept)
    find()
    assert kept.asked == [("crm-tui-smtp", "anna@example.com")]


@pytest.mark.parametrize("backend", [Locked, Hanging])
def test_a_keyring_that_fails_or_hangs_is_passed_over(backend: type[Kept]) -> None:
    keyring.set_keyring(backend())
    assert find(environment=ENVIRONMENT, timeout=0.2) == "from the environment"


def test_without_the_keyring_library_the_next_place_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert find(environment=ENVIRONMENT) == "from the environment"


def test_without_any_password_all_four_places_are_named() -> None:
    with pytest.raises(Misconfigured) as raised:
        find()
    for place in (
        "password_command",
        "keyring set crm-tui-smtp anna@example.com",
        "CRM_TUI_SMTP_PASSWORD",
        "password_file",
    ):
        assert place in str(raised.value)


def test_the_first_line_of_the_command_is_the_password() -> None:
    assert find(command=python(r"print('  pä ss \r\nurl: x')")) == "  pä ss "


def test_the_command_is_a_list_and_no_shell() -> None:
    word = "$HOME; echo x"
    assert find(command=(*python("import sys; print(sys.argv[1])"), word)) == word


def test_the_command_cannot_read_the_terminal() -> None:
    assert find(command=python("import sys; print('got', len(sys.stdin.read()))")) == "got 0"


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (f"import sys; print('{WORD}'); sys.exit('{WORD} is wrong')", "exit status 1"),
        (f"print('{WORD}', flush=True); import time; time.sleep(60)", "within 3 seconds"),
        (f"import sys; sys.stdout.buffer.write(b'\\xff{WORD}')", "not UTF-8"),
        (f"print(); print('{WORD}')", "no password in its first line"),
    ],
)
def test_a_command_that_fails_is_said_without_what_it_printed(program: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as raised:
        find(
            command=(
                "env",
                f"PROGRAM={program}",
                *python("import os; exec(os.environ['PROGRAM'])"),
            ),
            timeout=3 if "sleep" in program else 60,
        )
    shown = "".join(format_exception(raised.value)) + repr(raised.value)
    assert WORD not in shown


def test_a_command_that_is_not_there_is_said() -> None:
    with pytest.raises(Misconfigured, match=r"no-such-program.*No such file"):
        find(command=("no-such-program-here", "x"), environment=ENVIRONMENT)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_others_can_get_at_is_refused_with_the_way_to_mend_it(
    password_file: Path, mode: int
) -> None:
    password_file.chmod(mode)
    with pytest.raises(Misconfigured) as raised:
        find(file=password_file)
    assert f"chmod 600 '{password_file}'" in str(raised.value)
    assert "from the file" not in str(raised.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_ones_own_is_read(password_file: Path, mode: int) -> None:
    password_file.chmod(mode)
    assert find(file=password_file) == "from the file"


def test_a_missing_file_a_folder_and_a_pipe_are_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        find(file=tmp_path / "nothing")
    with pytest.raises(Misconfigured, match="is not a file"):
        find(file=tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(Misconfigured, match="is not a file"):
        find(file=tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(password_file: Path) -> None:
    os.chown(password_file, 65534, 65534)
    with pytest.raises(Misconfigured, match="belongs to another user"):
        find(file=password_file)


def test_an_environment_that_is_no_text_is_said_without_it() -> None:
    with pytest.raises(Misconfigured, match="CRM_TUI_SMTP_PASSWORD is not UTF-8") as raised:
        find(environment={"CRM_TUI_SMTP_PASSWORD": f"{WORD}\udcff"})
    assert WORD not in "".join(format_exception(raised.value))


def test_a_secret_shows_nowhere() -> None:
    secret = Secret(WORD)
    assert WORD not in f"{secret} {secret!r} {secret!s} {[secret]} {(secret,)}"
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == WORD
    assert WORD not in secret.hidden_in(f"you said {WORD}")
    for spread in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            spread(secret)
