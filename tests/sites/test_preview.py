"""The preview server, over real HTTP on loopback."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_tui.errors import UserError
from crm_tui.services.sites import preview as preview_module
from crm_tui.services.sites.preview import Preview

PAGE = "<!doctype html><title>Ace Plumbing</title><h1>Ace Café</h1>"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def folder_with_page(folder: Path, slug: str = "ace") -> Path:
    (folder / slug).mkdir(parents=True)
    (folder / slug / "index.html").write_text(PAGE, encoding="utf-8")
    return folder


def ask(
    port: int, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", f"127.0.0.1:{port}" if host is None else host)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def exchange(port: int, request: bytes) -> bytes:
    """What the server answers to raw bytes, up to where it closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        while received := connection.recv(65536):
            answer += received
    return answer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    root = tmp_path_factory.mktemp("served")
    folder = folder_with_page(root / "crm.db.sites")
    preview = Preview(root / "crm.db", folder, port=free_port())
    address = preview.address("ace")
    yield int(address.split(":")[2].split("/")[0]), folder
    preview.close()


def test_a_page_is_served_whole_with_its_type_and_length(served: tuple[int, Path]) -> None:
    status, headers, body = ask(served[0], "/ace/")
    assert status == 200
    assert body.decode() == PAGE
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Length"] == str(len(PAGE.encode()))
    assert ask(served[0], "/ace/index.html?x=1")[2] == body


def test_head_gives_the_headers_of_the_page_and_no_body(served: tuple[int, Path]) -> None:
    status, headers, body = ask(served[0], "/ace/", method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(PAGE.encode()))


def test_every_answer_carries_the_security_headers(served: tuple[int, Path]) -> None:
    for path in ("/ace/", "/nothing/", "/"):
        headers = ask(served[0], path)[1]
        policy = headers["Content-Security-Policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'none'" in policy
        assert not [rule for rule in policy if rule.startswith("script-src")]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "noindex" in headers["X-Robots-Tag"]
        assert "Python" not in headers["Server"]


def test_an_address_without_its_last_slash_leads_to_the_page(served: tuple[int, Path]) -> None:
    status, headers, _ = ask(served[0], "/ace")
    assert (status, headers["Location"]) == (307, "/ace/")
    assert ask(served[0], "/nothing")[0] == 404


@pytest.mark.parametrize("host", ["localhost:8765", "LOCALHOST", "[::1]:9000", "127.0.0.1:1"])
def test_any_name_of_this_machine_at_any_port_is_answered(
    served: tuple[int, Path], host: str
) -> None:
    assert ask(served[0], "/ace/", host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "127.0.0.2",
     "localhost:", "localhost:x", "user@localhost", "0.0.0.0"],
)  # fmt: skip
def test_a_name_that_was_rebound_to_this_machine_reads_nothing(
    served: tuple[int, Path], host: str
) -> None:
    status, _, body = ask(served[0], "/ace/", host=host)
    assert status == 421
    assert b"Ace" not in body


def test_a_request_without_a_host_or_with_two_reads_nothing(served: tuple[int, Path]) -> None:
    assert b" 421 " in exchange(served[0], b"GET /ace/ HTTP/1.0\r\n\r\n")
    two = b"GET /ace/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert b" 421 " in exchange(served[0], two)


@pytest.mark.parametrize(
    "path",
    ["/", "/ace/../crm.db", "/../crm.db", "/ace/%2e%2e/%2e%2e/crm.db", "/%2e%2e/crm.db", "/ace/..",
     "/ace/./index.html", "//ace/index.html/", "/ace//index.html", "/ace/.index.html.tmp",
     "/.hidden/", "/ace/\\..\\..\\crm.db", "/ace/index.html%00.png", "/ace/deep/index.html",
     "http://localhost/ace/", "/" + "a" * 3000],
)  # fmt: skip
def test_nothing_but_the_plain_files_of_a_site_is_served(
    served: tuple[int, Path], path: str
) -> None:
    port, folder = served
    (folder.parent / "crm.db").write_text("secret")
    (folder / "ace" / ".index.html.tmp").write_text("secret")
    (folder / ".hidden").mkdir(exist_ok=True)
    (folder / ".hidden" / "index.html").write_text("secret")
    (folder / "ace" / "deep").mkdir(exist_ok=True)
    (folder / "ace" / "deep" / "index.html").write_text("secret")
    status, _, body = ask(port, path)
    assert status == 404
    assert body == b"There is no preview at this address.\n"


def test_links_and_special_files_are_not_followed(served: tuple[int, Path]) -> None:
    port, folder = served
    secret = folder.parent / "outside"
    secret.mkdir()
    (secret / "index.html").write_text("secret")
    (folder / "linked").symlink_to(secret, target_is_directory=True)
    (folder / "ace" / "leak.html").symlink_to(secret / "index.html")
    os.mkfifo(folder / "ace" / "pipe.html")
    for path in ("/linked/", "/ace/leak.html", "/ace/pipe.html", "/ace/deep"):
        assert ask(port, path)[0] == 404


def test_other_methods_are_refused_and_nothing_sent_is_repeated(served: tuple[int, Path]) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "<script>"):
        status, headers, body = ask(served[0], "/ace/", method=method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
        assert b"script" not in body
    answer = exchange(served[0], b"GET /ace/ HTTP/<b>\r\nHost: localhost\r\n\r\n")
    assert answer == b"This request cannot be answered.\n"


def test_nothing_is_printed_whatever_clients_do(
    served: tuple[int, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    ask(served[0], "/ace/")
    ask(served[0], "/nothing/")
    exchange(served[0], b"\x00\xff\x1b]0;title\x07\r\n\r\n")
    with socket.create_connection(("127.0.0.1", served[0])) as rude:
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        rude.sendall(b"GET /ace/ HTTP/1.1\r\n")
    ask(served[0], "/ace/")
    assert capfd.readouterr() == ("", "")


def test_a_connection_that_says_nothing_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_module, "CONNECTION_SECONDS", 0.1)
    preview = Preview(tmp_path / "crm.db", folder_with_page(tmp_path / "sites"), port=free_port())
    port = int(preview.address("ace").split(":")[2].split("/")[0])
    try:
        assert exchange(port, b"GET /ace/ HT") == b""
    finally:
        preview.close()


def test_more_connections_than_the_bound_are_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_module, "CONNECTIONS_MAX", 1)
    preview = Preview(tmp_path / "crm.db", folder_with_page(tmp_path / "sites"), port=free_port())
    port = int(preview.address("ace").split(":")[2].split("/")[0])
    try:
        with socket.create_connection(("127.0.0.1", port)) as first:
            first.sendall(b"GET ")
            assert exchange(port, b"") == b""
    finally:
        preview.close()


def test_closing_frees_the_port_and_the_next_address_serves_again(tmp_path: Path) -> None:
    port = free_port()
    preview = Preview(tmp_path / "crm.db", folder_with_page(tmp_path / "sites"), port=port)
    assert preview.address("ace") == f"http://127.0.0.1:{port}/ace/"
    preview.close()
    assert not preview.held
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/ace/")
    assert preview.address("ace") == f"http://127.0.0.1:{port}/ace/"
    assert ask(port, "/ace/")[0] == 200
    preview.close()
    preview.close()


def test_a_second_program_on_the_same_store_uses_the_server_of_the_first(tmp_path: Path) -> None:
    port = free_port()
    folder = folder_with_page(tmp_path / "sites")
    first = Preview(tmp_path / "crm.db", folder, port=port)
    (tmp_path / "link.db").symlink_to(tmp_path / "crm.db")
    second = Preview(tmp_path / "link.db", folder, port=port)
    address = first.address("ace")
    assert second.address("ace") == address
    assert (first.held, second.held) == (True, False)
    first.close()
    assert second.address("ace") == address
    assert second.held
    second.close()


def test_a_server_of_another_store_or_program_is_passed_by(tmp_path: Path) -> None:
    folder = folder_with_page(tmp_path / "sites")
    port = free_port()
    other = Preview(tmp_path / "other.db", folder, port=port)
    other.address("ace")
    mine = Preview(tmp_path / "crm.db", folder, port=port)
    try:
        address = mine.address("ace")
        assert mine.held
        assert address != f"http://127.0.0.1:{port}/ace/"
        assert ask(int(address.split(":")[2].split("/")[0]), "/ace/")[0] == 200
    finally:
        mine.close()
        other.close()


def test_a_silent_program_at_the_port_is_passed_by(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = int(silent.getsockname()[1])
        mine = Preview(tmp_path / "crm.db", folder_with_page(tmp_path / "sites"), port=port)
        try:
            assert mine.address("ace") != f"http://127.0.0.1:{port}/ace/"
        finally:
            mine.close()


def test_no_port_to_be_had_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_module, "PORTS_TRIED", 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(UserError, match=f"ports {port} to {port} are all taken"):
            Preview(tmp_path / "crm.db", tmp_path, port=port).address("ace")


def test_two_threads_that_ask_at_once_start_one_server(tmp_path: Path) -> None:
    preview = Preview(tmp_path / "crm.db", folder_with_page(tmp_path / "sites"), port=free_port())
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(preview.address("ace"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    preview.close()
    assert len(found) == 4
    assert len(set(found)) == 1
