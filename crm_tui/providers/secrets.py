"""Where a password or an access token comes from, and how it is kept from being seen.

In this order: `password_command`, the keyring, an environment variable, a file only its owner can
read. A place that was named and does not work is an error, not a reason to look in the next one;
the keyring, which nobody names, is passed over when it is missing, locked or broken.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
import subprocess
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Self

from crm_tui.config import ImapSettings, SmtpSettings
from crm_tui.providers.base import Misconfigured
from crm_tui.providers.threads import in_thread

TOKENS_TOO = 'This server takes access tokens, too: see auth = "xoauth2".'
"""What to do besides, where a server that refuses a password takes tokens."""

HOW_TO_GRANT = (
    "See that password_command prints an access token that has not expired and was granted for"
    " mail, and that username is the mailbox it was granted for."
)
"""What to do about a token that is not taken."""

Program = subprocess.Popen[bytes]

_LARGEST = 64 * 1024
_HIDDEN = "•••"


class Secret:
    """A password that no log, error, traceback or debugger's listing shows by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The password itself, for handing to the one who asks for it."""
        return self._value

    def is_same(self, other: Secret) -> bool:
        """Whether the other one reads the same."""
        return self._value == other._value

    def hidden_in(self, text: str) -> str:
        """The text with the password taken out: some servers repeat what they were given."""
        return text.replace(self._value, _HIDDEN) if self._value else text

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN})"

    def __str__(self) -> str:
        return _HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not written anywhere.")


class Lookup:
    """The password or token of an account, looked up when it is first needed.

    Looking up may run the operator's program or unlock their keyring. A token that was refused may
    have expired: then it is looked up again.
    """

    def __init__(self, find: Callable[[], Awaitable[Secret | None]]) -> None:
        self._find = find
        self._found: Secret | None = None
        self._has_looked = False
        self._looking = asyncio.Lock()

    @classmethod
    def of(cls, known: Secret | Lookup | None) -> Lookup:
        """A lookup of what is known already."""

        async def find() -> Secret | None:
            return known if isinstance(known, Secret) else None

        return known if isinstance(known, Lookup) else cls(find)

    @classmethod
    def by_settings(
        cls, settings: SmtpSettings | ImapSettings, environment: Mapping[str, str]
    ) -> Self:
        """What the settings say; nothing where no username is set."""

        async def find() -> Secret | None:
            return await password_of(settings, environment)

        return cls(find)

    async def get(self) -> Secret | None:
        """What there is; None where no login is asked for.

        Raises:
            Misconfigured: as in `find_password`.
        """
        async with self._looking:
            if not self._has_looked:
                self._found = await self._find()
                self._has_looked = True
            return self._found

    async def after(self, refused: Secret | None) -> Secret | None:
        """Another one than that which was refused; None where there is none.

        Raises:
            Misconfigured: as in `find_password`.
        """
        async with self._looking:
            if refused is None:
                return None
            if self._found is None or self._found.is_same(refused):
                self._found = await self._find()
            other = self._found
            return None if other is None or other.is_same(refused) else other


async def password_of(
    settings: SmtpSettings | ImapSettings, environment: Mapping[str, str]
) -> Secret | None:
    """The password or token of an account by its settings; None where no username is set.

    Raises:
        Misconfigured: as in `find_password`.
    """
    if not settings.username:
        return None
    asked: list[Program] = []
    try:
        return await in_thread(
            lambda: find_password(
                "imap" if isinstance(settings, ImapSettings) else "smtp",
                username=settings.username,
                command=settings.password_command,
                file=settings.password_file,
                environment=environment,
                started=asked.append,
            )
        )
    except asyncio.CancelledError:
        for program in asked:
            program.kill()
        raise


def find_password(
    account: str,
    *,
    username: str,
    command: Sequence[str] = (),
    file: str = "",
    environment: Mapping[str, str],
    timeout: float = 30,
    started: Callable[[Program], object] = lambda _program: None,
) -> Secret:
    """The password of an account ("smtp", "imap"). Blocks: call it in a thread.

    `timeout`, in seconds, is for the command and for the keyring, which may be asking the operator
    to unlock it. `started` gets the command's program, for whoever stops waiting for it.

    Raises:
        Misconfigured: there is none, or the place that was named does not give one.
    """
    variable = f"CRM_TUI_{account.upper()}_PASSWORD"
    service = f"crm-tui-{account}"
    if command:
        return _from_command(command, timeout=timeout, started=started)
    kept = from_keyring(service, username, timeout=timeout)
    if kept:
        return Secret(kept)
    if environment.get(variable):
        return first_line(os.fsencode(environment[variable]), variable)
    if file:
        return _from_file(Path(file).expanduser())
    raise Misconfigured(
        f"There is no password for {username} in [providers.{account}].",
        fix="Set password_command to a program that prints it, or run"
        f" `keyring set {service} {shlex.quote(username)}`, or set {variable}, or name a"
        " password_file that only you can read.",
    )


def _from_command(
    command: Sequence[str], *, timeout: float, started: Callable[[Program], object]
) -> Secret:
    """The first line a program prints, as `pass` and its like print the password first."""
    program = command[0]
    try:
        with subprocess.Popen(  # noqa: S603 - the operator's own program, as a list, without a shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as ran:
            started(ran)
            try:
                printed, _ = ran.communicate(timeout=timeout)
            except BaseException:
                ran.kill()
                raise
    except subprocess.TimeoutExpired:
        # What it had printed by then hangs on that error, so it is not chained.
        raise Misconfigured(
            f"password_command ({program}) gave no password within {timeout:g} seconds.",
            fix="If it waits to be unlocked, unlock it in another terminal first.",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a command"
        raise Misconfigured(
            f"password_command ({program}) cannot be run: {reason}.",
            fix="See that the program is installed and spelled as in a terminal.",
        ) from None
    if ran.returncode:
        raise Misconfigured(
            f"password_command ({program}) failed with exit status {ran.returncode}.",
            fix="Run it in a terminal to see why.",
        )
    return first_line(printed, f"What password_command ({program}) printed")


def from_keyring(service: str, username: str, *, timeout: float) -> str | None:
    """What the keyring has; None where it has none, is missing, locked or broken."""
    try:
        import keyring  # noqa: PLC0415 - slow to import, and an extra
    except ImportError:
        return None
    return _within(timeout, lambda: keyring.get_password(service, username))


def to_keyring(service: str, username: str, secret: Secret, *, timeout: float) -> bool:
    """Put a secret into the keyring; whether it is found there now.

    Some kinds of keyring keep nothing and say nothing, so it is read back.
    """
    try:
        import keyring  # noqa: PLC0415 - slow to import, and an extra
    except ImportError:
        return False

    def put() -> str | None:
        keyring.set_password(service, username, secret.reveal())
        return keyring.get_password(service, username)

    return _within(timeout, put) == secret.reveal()


def out_of_keyring(service: str, username: str, *, timeout: float) -> bool:
    """Take a secret out of the keyring; whether there was one that is gone now."""
    if from_keyring(service, username, timeout=timeout) is None:
        return False
    import keyring  # noqa: PLC0415 - slow to import, and an extra

    def take() -> str | None:
        keyring.delete_password(service, username)
        return "left" if keyring.get_password(service, username) else "gone"

    return _within(timeout, take) == "gone"


def _within(timeout: float, ask: Callable[[], str | None]) -> str | None:
    """What `ask` comes to, or None if it fails or hangs: keyrings do both in many ways."""
    answers: list[str | None] = []

    def try_it() -> None:
        try:
            answers.append(ask())
        except Exception:  # noqa: BLE001 - backends raise whatever their system gives them
            answers.append(None)

    asking = threading.Thread(target=try_it, name="keyring", daemon=True)
    asking.start()
    asking.join(timeout)
    return answers[0] if answers else None


def _from_file(path: Path) -> Secret:
    try:
        # Not to wait for a writer, should it be a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Misconfigured(
            f"The password file {path} cannot be read: {error.strerror}.",
            fix="Correct password_file, or the rights of the file.",
        ) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Misconfigured(
                f"The password file {path} is not a file.", fix="Correct password_file."
            )
        if found.st_uid != os.geteuid():
            raise Misconfigured(
                f"The password file {path} belongs to another user.",
                fix="Use a file of your own.",
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise Misconfigured(
                f"The password file {path} can be read by others.",
                fix=f"Run: chmod 600 {shlex.quote(str(path))}",
            )
        raw = os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)
    return first_line(raw, f"The password file {path}")


def first_line(raw: bytes, what: str) -> Secret:
    """The secret in the first line of a text.

    Raises:
        Misconfigured: there is none; `what` says where it was looked for.
    """
    try:
        line = raw.decode().split("\n", 1)[0].removesuffix("\r")
    except UnicodeDecodeError:
        # That error carries the bytes themselves, so it is not chained.
        raise Misconfigured(f"{what} is not UTF-8 text.", fix="Write it anew.") from None
    if not line:
        raise Misconfigured(f"{what} has no password in its first line.", fix="Put it there.")
    return Secret(line)
