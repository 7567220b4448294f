"""The preview server: the site folder of one store, on this machine's loopback address only.

What it serves are pages filled with strangers' text, so it assumes the worst of them and of whoever
connects: the Host header is checked (a page elsewhere that rebinds its name to 127.0.0.1 reads
nothing), pages run no script and load nothing, and a path is a site's slug and at most one plain
file name, opened without following links.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import logging
import os
import re
import socket
import stat
import threading
import time
from contextlib import ExitStack, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path, PurePosixPath
from socketserver import BaseServer, TCPServer, ThreadingMixIn
from typing import Any

from crm_tui.errors import UserError

DEFAULT_PORT = 8765
PORTS_TRIED = 20
CONNECTION_SECONDS = 20.0
CONNECTIONS_MAX = 64

_LOOPBACK = "127.0.0.1"
_IDENTITY = "X-Crm-Tui-Preview"
_PATH = re.compile(
    r"/([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})(/([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})?)?"
)
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
}
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_REASONS = {
    HTTPStatus.NOT_FOUND: "There is no preview at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "A preview can only be read.",
    HTTPStatus.MISDIRECTED_REQUEST: "Previews answer at 127.0.0.1 and localhost only.",
}
_log = logging.getLogger(__name__)


class Preview:
    """The previews of one store: knows their addresses and sees to it that somebody serves them.

    Args:
        store: the store's file; a server started by another process for the same one is used as
            it is.
        folder: the site folder, which need not exist yet.
        port: the port to serve at; of those that follow it, the first free one if it is taken.
    """

    def __init__(self, store: Path, folder: Path, *, port: int = DEFAULT_PORT) -> None:
        self._identity = _identity(store)
        self._folder = folder
        self._wanted = port
        self._server: _Server | None = None
        self._lock = threading.Lock()

    @property
    def held(self) -> bool:
        """Whether this object's own server is the one that serves."""
        return self._server is not None

    def address(self, slug: str) -> str:
        """The URL of a site's page; starts the server when nobody serves this store yet.

        Blocks for up to a second or so: call it in a thread where that matters.

        Raises:
            UserError: no port can be had.
        """
        with self._lock:
            port = self._server.port if self._server else self._find_or_start()
        return f"http://{_LOOPBACK}:{port}/{slug}/"

    def close(self) -> None:
        """Stop serving and cut open connections; harmless when nothing is served."""
        with self._lock:
            if self._server is not None:
                self._server.stop()
                self._server = None

    def _find_or_start(self) -> int:
        last = min(self._wanted + PORTS_TRIED - 1, 65535)
        for port in range(self._wanted, last + 1):
            try:
                self._server = _Server(port, self._folder, self._identity)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    reason = error.strerror or str(error)
                    raise UserError(
                        f"The preview cannot be served at port {port}: {reason}. "
                        "Choose another port in the settings."
                    ) from error
                if _answers_as(port, self._identity):
                    return port
            else:
                self._server.start()
                return self._server.port
        raise UserError(
            f"The preview cannot be served: ports {self._wanted} to {last} are all taken. "
            "Choose another port in the settings."
        )


def _identity(store: Path) -> str:
    """What tells a server of this store from any other program at the same port."""
    path = os.fsencode(store.resolve())
    return hashlib.blake2b(path, digest_size=16, person=b"crm-tui preview").hexdigest()


def _answers_as(port: int, identity: str) -> bool:
    """Whether the server at a port of this machine says that it serves our store."""
    connection = http.client.HTTPConnection(_LOOPBACK, port, timeout=0.5)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().getheader(_IDENTITY) == identity
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class _Server(ThreadingMixIn, TCPServer):
    """One thread a connection, a bound on their number and on how long each may last."""

    allow_reuse_address = os.name == "posix"
    daemon_threads = True

    def __init__(self, port: int, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity
        self._since: dict[socket.socket, float] = {}
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.2,), name="preview server", daemon=True
        )
        super().__init__((_LOOPBACK, port), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        self._cut(list(self._since))

    def verify_request(self, _request: Any, _client_address: Any) -> bool:
        return len(self._since) < CONNECTIONS_MAX

    def process_request(self, request: Any, client_address: Any) -> None:
        self._since[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._since.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut the connections that have lasted too long; called a few times a second."""
        oldest = time.monotonic() - CONNECTION_SECONDS
        self._cut([request for request, since in list(self._since.items()) if since < oldest])

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        # The base class prints a traceback onto the terminal that the app is drawn on.
        _log.debug("a preview connection broke", exc_info=True)

    @staticmethod
    def _cut(requests: list[socket.socket]) -> None:
        for request in requests:
            with suppress(OSError):  # its own thread may have closed it meanwhile
                request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Answers one GET or HEAD and closes the connection."""

    timeout = CONNECTION_SECONDS

    def __init__(self, request: Any, client_address: Any, server: BaseServer) -> None:
        assert isinstance(server, _Server)
        self._folder = server.folder
        self._identity = server.identity
        super().__init__(request, client_address, server)

    def do_GET(self) -> None:
        """Answer with the page, or the reason why there is none."""
        if not _host_allowed(self.headers.get_all("Host", [])):
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST)
            return
        parts = _PATH.fullmatch(self.path.partition("?")[0])
        if parts is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        slug, slash, name = parts.groups()
        name = name or "index.html"
        content = _read(self._folder, slug, name)
        if content is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        elif not slash:
            self._answer(HTTPStatus.TEMPORARY_REDIRECT, b"", "text/plain", location=f"/{slug}/")
        else:
            kind = _TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")
            self._answer(HTTPStatus.OK, content, kind)

    do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request http.server could not read; what the client sent is never repeated."""
        del message, explain
        unsupported = code == HTTPStatus.NOT_IMPLEMENTED  # http.server's answer to other methods
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED if unsupported else HTTPStatus(code))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep the access log off the terminal."""

    def version_string(self) -> str:
        """What the Server header says."""
        return "crm-tui"

    def _refuse(self, status: HTTPStatus) -> None:
        words = _REASONS.get(status, "This request cannot be answered.")
        self._answer(status, f"{words}\n".encode(), "text/plain; charset=utf-8")

    def _answer(
        self, status: HTTPStatus, content: bytes, content_type: str, *, location: str | None = None
    ) -> None:
        self.send_response(status)
        for header, value in _SECURITY_HEADERS.items():
            self.send_header(header, value)
        self.send_header(_IDENTITY, self._identity)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _host_allowed(hosts: list[str]) -> bool:
    """Whether the one Host header names this machine; any port, as a tunnel may use another."""
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0].strip()) is not None


def _read(folder: Path, slug: str, name: str) -> bytes | None:
    """The content of `folder/slug/name` if it is a regular file reached without any link."""
    into = os.O_RDONLY | os.O_NOFOLLOW
    with ExitStack() as opened:
        try:
            root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, root)
            site = os.open(slug, into | os.O_DIRECTORY, dir_fd=root)
            opened.callback(os.close, site)
            # Without O_NONBLOCK a named pipe would hold the thread.
            file = os.open(name, into | os.O_NONBLOCK, dir_fd=site)
            opened.callback(os.close, file)
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return None
            with os.fdopen(file, "rb", closefd=False) as stream:
                return stream.read()
        except OSError:
            return None
