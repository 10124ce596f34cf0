# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that stay open, against real servers: which are used again, and what still is as for
any URL.
"""

from __future__ import annotations

import contextlib
import datetime
import email.message
import http.server
import ipaddress
import os
import pathlib
import socket
import ssl
import threading
import time
import typing as t
import urllib.error

import pytest
from ansible.module_utils.urls import make_context
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale import connections
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.keep_alive import (
    KeepAlive,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

TOKEN = "aph0_test"
GIVEN: dict[str, t.Any] = {"headers": {}, "http_agent": "test", "timeout": 5}
RESULT = b'{"result": {"id": "cld_x"}}'


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the end of the path; notes each connection's number, and each request's line and
    headers.
    """

    protocol_version = "HTTP/1.1"
    connections: t.ClassVar[list[int]] = []
    seen: t.ClassVar[list[tuple[int, str, email.message.Message]]] = []
    hung_up = threading.Event()

    def finish(self) -> None:
        super().finish()
        self.request.close()
        self.own_hung_up.set()

    def setup(self) -> None:
        super().setup()
        self.own_hung_up = self.hung_up  # a later test has another one
        self.connections.append(len(self.connections))
        self.number = self.connections[-1]

    def handle_one_request(self) -> None:
        """As it was, but that a client which hangs up is no error."""
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        self.seen.append((self.number, self.requestline, self.headers))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.path.rpartition("/")[2]
        if kind == "slow":
            time.sleep(1)
        first = self.number == 0
        if (kind == "dropped" or (kind == "stale" and first)) and len(self.seen) > 1:
            self.close_connection = True
            return
        self.send_response({"redirect": 302, "forbidden": 403}.get(kind, 200))
        if kind == "redirect":
            self.send_header("Location", "/api/v2/clouds/plain")
        self.send_header("Content-Length", str(len(RESULT) + (kind == "half")))
        self.end_headers()
        self.wfile.write(RESULT)
        self.close_connection = kind in ("half", "last")

    do_POST = do_GET

    def do_CONNECT(self) -> None:
        """A tunnel to a server of the test's own, and to nowhere else."""
        self.seen.append((self.number, self.requestline, self.headers))
        host, _colon, port = self.path.partition(":")
        if host != "127.0.0.1":
            self.send_error(403, "No tunnel there")
            return
        self.close_connection = True
        with socket.create_connection((host, int(port))) as target:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=relay, args=(target, self.connection), daemon=True)
            back.start()
            relay(self.connection, target)
            back.join()

    def log_message(self, format: str, *args: t.Any) -> None:
        """Keep the tests' output to the tests."""


def relay(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes until nothing does any more."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[http.server.ThreadingHTTPServer]:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Handler.connections.clear()
    Handler.seen.clear()
    monkeypatch.setattr(Handler, "hung_up", threading.Event())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield server


@contextlib.contextmanager
def serving(server: http.server.ThreadingHTTPServer) -> t.Iterator[None]:
    """Answers come only within."""
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


def address(server: http.server.ThreadingHTTPServer, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.server_port}"


def client_of(host: str, context: ssl.SSLContext | None = None) -> AnyscaleClient:
    return AnyscaleClient(host, TOKEN, opener=KeepAlive(context).open, sleep=lambda _seconds: None)


def used() -> list[int]:
    """The number of the connection of each request."""
    return [number for number, _line, _headers in Handler.seen]


class TestConnections:
    def test_one_for_all_calls_of_a_thread(self, server: http.server.ThreadingHTTPServer) -> None:
        client = client_of(address(server))
        assert [client.cloud("plain") for _call in range(3)] == [{"id": "cld_x"}] * 3
        assert used() == [0, 0, 0]
        assert (
            Handler.seen[-1][2]["Authorization"] == f"Bearer {TOKEN}"
            and Handler.seen[-1][2]["User-Agent"] == "rayfleet.anyscale"
        )

    def test_one_of_its_own_for_each_thread(self, server: http.server.ThreadingHTTPServer) -> None:
        client = client_of(address(server))
        for _round in range(2):
            thread = threading.Thread(target=client.cloud, args=("plain",))
            thread.start()
            thread.join()
        assert used() == [0, 1]

    def test_an_error_leaves_it_open_and_its_text_is_read(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        client = client_of(address(server))
        with pytest.raises(AnyscaleError, match=r"HTTP 403.*cld_x"):
            client.cloud("forbidden")
        assert client.cloud("plain") and used() == [0, 0]

    def test_one_that_was_closed_meanwhile_is_opened_anew_at_once(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        client = AnyscaleClient(
            address(server),
            TOKEN,
            opener=KeepAlive(None).open,
            sleep=lambda _seconds: pytest.fail("It waits."),
        )
        client.cloud("plain")
        assert client.cloud("stale") == {"id": "cld_x"}
        assert used() == [0, 0, 1]

    def test_what_must_not_be_sent_twice_goes_over_none_that_was_closed(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        opener = KeepAlive(None)
        opener.open(url=f"{address(server)}/last", method="GET", data=None, **GIVEN)
        assert Handler.hung_up.wait(5)
        opener.open(url=f"{address(server)}/plain", method="POST", data=b"{}", **GIVEN)
        assert used() == [0, 1]

    def test_all_clients_of_a_process_share_them(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        for _client in range(3):
            assert AnyscaleClient(address(server), TOKEN).cloud("plain")
        assert used() == [0, 0, 0]

    def test_each_request_over_one_has_its_own_patience(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        opener = KeepAlive(None)
        opener.open(url=f"{address(server)}/plain", method="GET", data=None, **GIVEN)
        with pytest.raises(urllib.error.URLError, match="timed out"):
            opener.open(
                url=f"{address(server)}/slow", method="GET", data=None, **{**GIVEN, "timeout": 0.1}
            )
        assert used() == [0, 0]

    def test_a_forked_process_has_its_own(self, server: http.server.ThreadingHTTPServer) -> None:
        client = AnyscaleClient(address(server), TOKEN)
        assert client.cloud("plain")
        child = os.fork()
        if not child:
            os._exit(0 if client.cloud("plain") else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert client.cloud("plain") and used() == [0, 1, 0]

    def test_what_may_have_been_done_is_not_sent_again(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        opener = KeepAlive(None)
        opener.open(url=f"{address(server)}/plain", method="GET", data=None, **GIVEN)
        with pytest.raises(urllib.error.URLError):
            opener.open(url=f"{address(server)}/dropped", method="POST", data=b"{}", **GIVEN)
        assert used() == [0, 0]

    def test_half_an_answer_is_not_taken_for_one_nor_its_rest_for_the_next(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        client = client_of(address(server))
        with pytest.raises(AnyscaleError, match="no answer"):
            client.cloud("half")
        assert client.cloud("plain") == {"id": "cld_x"} and len(set(used())) == len(used())

    def test_nobody_there(self) -> None:
        with pytest.raises(AnyscaleError, match=r"no answer.*refused"):
            client_of("http://127.0.0.1:1").cloud("plain")

    def test_a_redirect_is_not_followed(self, server: http.server.ThreadingHTTPServer) -> None:
        with pytest.raises(AnyscaleError, match="redirects to another path"):
            client_of(address(server)).cloud("redirect")
        assert len(Handler.seen) == 1
        with pytest.raises(urllib.error.HTTPError, match="302"):
            KeepAlive(None).open(
                url=f"{address(server)}/redirect", method="GET", data=None, **GIVEN
            )


class TestProxies:
    def test_plain_http_goes_through_the_proxy_of_the_environment(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", address(server).replace("//", "//me:secret@"))
        client = client_of("http://anyscale.invalid")
        assert client.cloud("plain") and client.cloud("plain")
        assert [line for _number, line, _headers in Handler.seen] == [
            "GET http://anyscale.invalid/api/v2/clouds/plain HTTP/1.1"
        ] * 2
        assert (
            used() == [0, 0] and Handler.seen[1][2]["Proxy-authorization"] == "Basic bWU6c2VjcmV0"
        )

    def test_https_goes_through_a_tunnel_and_the_token_does_not_show(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("https_proxy", address(server).replace("//", "//me:secret@"))
        with pytest.raises(AnyscaleError, match=r"Tunnel connection failed: 403"):
            client_of("https://anyscale.invalid", make_context()).cloud("plain")
        assert {line.split()[1] for _number, line, _headers in Handler.seen} == {
            "anyscale.invalid:443"
        }
        headers = Handler.seen[0][2]
        assert headers["Proxy-authorization"] == "Basic bWU6c2VjcmV0" and TOKEN not in str(headers)

    def test_what_no_proxy_names_does_not(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert client_of(address(server)).cloud("plain") == {"id": "cld_x"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A certificate for 127.0.0.1 that is its own authority, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sandbox")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(
            name,
            name,
            key.public_key(),
            x509.random_serial_number(),
            now,
            now + datetime.timedelta(days=1),
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return path


class TestTls:
    @pytest.fixture
    def tls_server(
        self, server: http.server.ThreadingHTTPServer, certificate: pathlib.Path
    ) -> http.server.ThreadingHTTPServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        return server

    def test_an_unknown_authority_is_refused(
        self, tls_server: http.server.ThreadingHTTPServer
    ) -> None:
        with pytest.raises(AnyscaleError, match="CERTIFICATE_VERIFY_FAILED"):
            client_of(address(tls_server, "https"), make_context()).cloud("plain")
        assert not Handler.seen

    def test_a_known_one_is_trusted_and_one_handshake_serves_all_calls(
        self, tls_server: http.server.ThreadingHTTPServer, certificate: pathlib.Path
    ) -> None:
        client = client_of(address(tls_server, "https"), make_context(cafile=str(certificate)))
        assert client.cloud("plain") and client.cloud("plain") and used() == [0, 0]

    def test_one_context_serves_all_clients_that_trust_the_same(
        self,
        tls_server: http.server.ThreadingHTTPServer,
        certificate: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        made: list[dict[str, t.Any]] = []
        monkeypatch.setattr(
            connections, "make_context", lambda **trust: made.append(trust) or make_context(**trust)
        )
        for _client in range(3):
            assert AnyscaleClient(
                address(tls_server, "https"), TOKEN, ca_path=str(certificate)
            ).cloud("plain")
        with pytest.raises(AnyscaleError, match="CERTIFICATE_VERIFY_FAILED"):
            AnyscaleClient(address(tls_server, "https"), TOKEN, sleep=lambda _seconds: None).cloud(
                "plain"
            )
        assert len(made) == 2 and used() == [0, 0, 0]

    def test_through_a_proxy_the_other_end_is_verified_and_does_not_see_the_proxys_password(
        self,
        tls_server: http.server.ThreadingHTTPServer,
        certificate: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{proxy.server_port}")
        with serving(proxy):
            client = client_of(address(tls_server, "https"), make_context(cafile=str(certificate)))
            assert client.cloud("plain") and client.cloud("plain")
        assert [
            (line.split()[0], "Proxy-authorization" in headers)
            for _number, line, headers in Handler.seen
        ] == [
            ("CONNECT", True),
            ("GET", False),
            ("GET", False),
        ]

    def test_another_name_than_the_certificates_is_refused(
        self,
        tls_server: http.server.ThreadingHTTPServer,
        certificate: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("no_proxy", "*")
        with pytest.raises(AnyscaleError, match="(?i)hostname mismatch"):
            client_of(
                f"https://localhost:{tls_server.server_port}", make_context(cafile=str(certificate))
            ).cloud("plain")
