"""Real IMAP servers on loopback, started for a test: pymap, and Dovecot where it is installed."""

from __future__ import annotations

import grp
import imaplib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from crm_tui.config import ImapSettings

_DOVECOT = """
base_dir = {root}/run
state_dir = {root}/state
protocols = imap
listen = 127.0.0.1
log_path = {root}/dovecot.log
{encryption}
disable_plaintext_auth = no
auth_failure_delay = 0 secs
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{root}/mail
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 0
first_valid_gid = 0
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    special_use = \\Drafts
    auto = create
  }}
  mailbox Bin {{
    special_use = \\Trash
    auto = create
  }}
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
}}
{passwords}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"""
_PASSWORDS = """
passdb {
  driver = static
  args = password=demopass
}
"""
# As Gmail and Microsoft 365 do it: who has the token is asked of another server.
_TOKENS = """
auth_mechanisms = xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {root}/oauth2.conf.ext
}}
"""


@dataclass(frozen=True)
class Server:
    """A running server with one mailbox."""

    port: int
    tls_port: int = 0
    username: str = "demouser"
    password: str = "demopass"
    mails: Path | None = None
    """Where it keeps its mails, where that is in files."""

    @property
    def settings(self) -> ImapSettings:
        return ImapSettings(
            host="127.0.0.1", port=self.port, security="none", username=self.username
        )

    @contextmanager
    def other_program(self) -> Iterator[imaplib.IMAP4]:
        """Another mail program at the same mailbox."""
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=90) as client:
            client.login(self.username, self.password)
            yield client

    def deliver(
        self, *mails: bytes, folder: str = "INBOX", flags: str = "", day: str = "22"
    ) -> None:
        with self.other_program() as client:
            for mail in mails:
                status, words = client.append(
                    f'"{folder}"', flags, f'"{day}-Nov-2026 09:00:00 +0000"', mail
                )
                assert status == "OK", words


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _answers(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended at once"
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 2)) as sock:
            if sock.recv(4) == b"* OK":
                return
        time.sleep(0.05)
    raise AssertionError("the server did not come up")


@contextmanager
def pymap() -> Iterator[Server]:
    port = free_port()
    program = Path(sys.executable).with_name("pymap")
    arguments = [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-tls",
        "--no-service",
        "managesieve",
    ]
    with _running([str(program), *arguments, "dict", "--demo-data"], port):
        yield Server(port)


def has_dovecot() -> bool:
    path = Path(shutil.which("dovecot") or "/usr/sbin/dovecot")
    return path.exists() and Path("/usr/lib/dovecot/imap").exists()


@contextmanager
def dovecot(*, certificate: bytes = b"", tokens: list[str] | None = None) -> Iterator[Server]:
    """Dovecot as a program of its own, never as root: its login process refuses to be.

    `certificate`, with its key, has it speak TLS; with `tokens` it takes these and no password.
    """
    account = pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("dovenull")
    with (
        tempfile.TemporaryDirectory(prefix="dovecot-", ignore_cleanup_errors=True) as place,
        _token_service([] if tokens is None else tokens) as service,
    ):
        root = Path(place)
        for name in ("run", "state", "mail"):
            (root / name).mkdir()
        (root / "certificate.pem").write_bytes(certificate)
        (root / "oauth2.conf.ext").write_text(
            f"introspection_mode = get\nintrospection_url = {service}/?token=\n"
            "username_attribute = username\nactive_attribute = active\nactive_value = true\n"
        )
        port, tls_port = free_port(), free_port() if certificate else 0
        pem = root / "certificate.pem"
        config = root / "dovecot.conf"
        config.write_text(
            _DOVECOT.format(
                root=root,
                user=account.pw_name,
                group=grp.getgrgid(account.pw_gid).gr_name,
                uid=account.pw_uid,
                gid=account.pw_gid,
                port=port,
                tls_port=tls_port,
                encryption=f"ssl = yes\nssl_cert = <{pem}\nssl_key = <{pem}"
                if certificate
                else "ssl = no",
                passwords=_PASSWORDS if tokens is None else _TOKENS.format(root=root),
            )
        )
        if os.getuid() == 0:
            for path in (root, *root.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        program = shutil.which("dovecot") or "/usr/sbin/dovecot"
        with _running([program, "-F", "-c", str(config)], port, account):
            yield Server(port, tls_port, mails=root / "mail")


@contextmanager
def _token_service(tokens: list[str]) -> Iterator[str]:
    """The address of a server that knows which tokens are good (RFC 7662)."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (token,) = parse_qs(urlsplit(self.path).query)["token"]
            good = token in tokens
            body = json.dumps({"active": good} | ({"username": "demouser"} if good else {}))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_port}"
        finally:
            serving.shutdown()
            thread.join()


@contextmanager
def _running(
    command: list[str], port: int, account: pwd.struct_passwd | None = None
) -> Iterator[None]:
    other = account is not None and os.getuid() == 0
    process = subprocess.Popen(
        command,
        user=account.pw_uid if other and account else None,
        group=account.pw_gid if other and account else None,
        extra_groups=[] if other else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _answers(port, process)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
