"""An IMAP server on loopback that says what a test has it say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing

from crm_tui.config import ImapSettings


class Script:
    """A server that says lines of its own for each command, on loopback."""

    def __init__(self, answer: Callable[[str, str], bytes]) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with closing(self._listening):
            while True:
                try:
                    connection, _ = self._listening.accept()
                except OSError:
                    return
                with closing(connection), connection.makefile("rb") as lines:
                    try:
                        connection.sendall(b"* OK hello\r\n")
                        for line in lines:
                            tag, _, command = line.decode().strip().partition(" ")
                            said = self._answer(tag, command)
                            if not said:
                                return
                            connection.sendall(said)
                    except OSError:
                        continue

    @property
    def settings(self) -> ImapSettings:
        return ImapSettings(host="127.0.0.1", port=self.port, security="none", username="u")


def usual(tag: str, command: str) -> bytes:
    """What a server with one mail says."""
    if command.startswith("CAPABILITY"):
        return f"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n".encode()
    if command.startswith("LIST"):
        return f'* LIST () "/" "INBOX"\r\n{tag} OK done\r\n'.encode()
    if command.startswith("LOGIN"):
        return f"{tag} OK in\r\n".encode()
    if command.startswith("EXAMINE"):
        return f"* 1 EXISTS\r\n* OK [UIDVALIDITY 9] ok\r\n{tag} OK [READ-ONLY] done\r\n".encode()
    if "SEARCH" in command:
        return f"* SEARCH 4\r\n{tag} OK done\r\n".encode()
    return f"{tag} OK done\r\n".encode()
