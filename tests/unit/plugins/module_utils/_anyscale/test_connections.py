# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connections of Anyscale clients, against real servers: which are used again, what they are
made through, and whom they trust.
"""

from __future__ import annotations

import contextlib
import datetime
import email.message
import http.server
import ipaddress
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time
import typing as t
import warnings

import pytest
from ansible.module_utils.urls import make_context
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale import connections
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    InputError,
)

TOKEN = "aph0_test"
CLOUD = {"id": "cld_x", "version": 1}
ANSWER = json.dumps({"result": CLOUD, "results": []}).encode()
CREATE = "POST /api/v2/compute_templates/ HTTP/1.1"
TUNNELLED = "tunnelled.invalid"  # a name of the test's own server, which only its proxy knows
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the end of the path; notes each connection's number, and each request's line and
    headers.
    """

    protocol_version = "HTTP/1.1"
    connections: t.ClassVar[list[int]] = []
    seen: t.ClassVar[list[tuple[int, str, email.message.Message]]] = []
    drop_creates = False
    elsewhere = ""
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
            time.sleep(0.5)
        if (kind == "stale" and self.number == 0) or (
            self.drop_creates and self.requestline == CREATE
        ):
            self.close_connection = True
            return
        self.send_response({"redirect": 302, "forbidden": 403}.get(kind, 200))
        if kind == "redirect":
            self.send_header("Location", f"{self.elsewhere}/api/v2/clouds/plain")
        self.send_header("Content-Length", str(len(ANSWER) + (kind == "half")))
        self.end_headers()
        self.wfile.write(ANSWER)
        self.close_connection = kind in ("half", "last")

    do_POST = do_GET

    def do_CONNECT(self) -> None:
        """A tunnel to a server of the test's own, and to nowhere else."""
        self.seen.append((self.number, self.requestline, self.headers))
        host, _colon, port = self.path.partition(":")
        if host != TUNNELLED:
            self.send_error(403, "No tunnel there")
            return
        self.close_connection = True
        with socket.create_connection(("127.0.0.1", int(port))) as target:
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
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    connections._pool.cache_clear()
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


class Clock:
    """Time that passes only in pauses."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def client_of(host: str, **options: t.Any) -> AnyscaleClient:
    clock = Clock()
    return AnyscaleClient(host, TOKEN, **{"sleep": clock.sleep, "clock": clock, **options})


def publish(client: AnyscaleClient) -> t.Any:
    return client.publish_compute_config("team-a", {"cloud_id": "cld_x"}, previous_version=0)


def used() -> list[int]:
    """The number of the connection of each request."""
    return [number for number, _line, _headers in Handler.seen]


def lines() -> list[str]:
    return [line for _number, line, _headers in Handler.seen]


class TestConnections:
    def test_one_is_used_for_all_calls_of_all_clients(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        for _client in range(3):
            client = client_of(address(server))
            assert [client.cloud("plain") for _call in range(2)] == [CLOUD] * 2
        assert used() == [0] * 6

    def test_what_each_request_carries(
        self,
        server: http.server.ThreadingHTTPServer,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: pathlib.Path,
    ) -> None:
        """The token, which no netrc replaces."""
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        client_of(address(server)).cloud("plain")
        ((_number, line, headers),) = Handler.seen
        assert line == "GET /api/v2/clouds/plain HTTP/1.1"
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert headers["User-Agent"] == "rayfleet.anyscale"
        assert headers["Accept"] == headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("segment", [".", "..", "a/../b", "a b", "%2e"])
    def test_a_segment_of_a_path_stays_one(
        self, server: http.server.ThreadingHTTPServer, segment: str
    ) -> None:
        client_of(address(server)).cloud(segment)
        path = lines()[0].split()[1].removeprefix("/api/v2/clouds/")
        assert "/" not in path
        assert path not in (".", "..")

    def test_threads_share_them(self, server: http.server.ThreadingHTTPServer) -> None:
        client = client_of(address(server))
        for _thread in range(2):
            run_in_threads(lambda: client.cloud("plain"), 1)
        assert used() == [0, 0]

    def test_threads_that_call_at_once_have_one_each(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        client = client_of(address(server))
        run_in_threads(lambda: client.cloud("slow"), 3)
        assert sorted(used()) == [0, 1, 2]
        run_in_threads(lambda: client.cloud("slow"), 3)
        assert sorted(used()) == [0, 0, 1, 1, 2, 2]

    def test_a_forked_process_has_its_own(self, server: http.server.ThreadingHTTPServer) -> None:
        client = client_of(address(server))
        assert client.cloud("plain")
        child = os.fork()
        if not child:
            os._exit(0 if client.cloud("plain") else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert client.cloud("plain")
        assert used() == [0, 1, 0]

    def test_an_error_leaves_it_open_and_its_text_is_read(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        client = client_of(address(server))
        with pytest.raises(AnyscaleError, match=r"HTTP 403.*cld_x"):
            client.cloud("forbidden")
        assert client.cloud("plain")
        assert used() == [0, 0]

    def test_nothing_is_sent_over_one_that_the_server_has_closed(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        """Or a create would fail of which it is not known whether it was done."""
        client = client_of(address(server))
        client.cloud("last")
        assert Handler.hung_up.wait(5)
        assert publish(client) == CLOUD
        assert used() == [0, 1]

    def test_a_read_is_repeated_that_the_server_dropped(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        client = client_of(address(server))
        client.cloud("plain")
        assert client.cloud("stale") == CLOUD
        assert used() == [0, 0, 1]

    def test_a_create_is_not_repeated_that_the_server_dropped(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Handler, "drop_creates", True)
        client = client_of(address(server))
        client.cloud("plain")
        with pytest.raises(AnyscaleError, match="no answer") as error:
            publish(client)
        assert lines().count(CREATE) == 1
        assert "may have been published all the same" in error.value.remedy

    def test_each_client_has_its_own_time_out(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        assert client_of(address(server), timeout=5).cloud("slow")
        with pytest.raises(AnyscaleError, match=r"no answer\): timed out"):
            client_of(address(server), timeout=0.05).cloud("slow")
        assert used()[:2] == [0, 0]

    def test_half_an_answer_is_not_taken_for_one_nor_its_rest_for_the_next(
        self, server: http.server.ThreadingHTTPServer
    ) -> None:
        client = client_of(address(server))
        with pytest.raises(AnyscaleError, match="no answer"):
            client.cloud("half")
        assert lines() == ["GET /api/v2/clouds/half HTTP/1.1"] * 6
        assert client.cloud("plain") == CLOUD
        assert len(set(used())) == len(used())

    def test_a_server_that_is_not_there(self, server: http.server.ThreadingHTTPServer) -> None:
        """The operating system's own words, without urllib3's."""
        with pytest.raises(AnyscaleError, match=r"no answer\): .*Connection refused\.$") as error:
            client_of("http://127.0.0.1:1").cloud("plain")
        assert "0x" not in error.value.message
        assert "urllib3" not in error.value.message
        assert error.value.status == 0
        assert "anyscale_host" in error.value.remedy

    def test_a_name_that_is_none(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_name: t.Any, **_hints: t.Any) -> t.NoReturn:
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        with pytest.raises(AnyscaleError, match="Name or service not known") as error:
            publish(client_of("http://anyscale.invalid"))
        assert "may have been" not in error.value.remedy

    def test_all_addresses_of_a_name_are_tried(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def two_addresses(_host: str, port: int, *_hints: t.Any, **_more: t.Any) -> list[t.Any]:
            entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*entry, ("127.0.0.2", port)), (*entry, ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
        client = client_of(f"http://anyscale.invalid:{server.server_port}")
        assert client.cloud("plain") == CLOUD

    @pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
    def test_an_address_of_ipv6(self, server: http.server.ThreadingHTTPServer) -> None:
        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6

        try:
            listening = Server(("::1", 0), Handler)
        except OSError:
            pytest.skip("this machine has no IPv6")
        with serving(listening):
            client = client_of(f"http://[::1]:{listening.server_port}")
            assert client.cloud("plain") == CLOUD

    def test_a_redirect_is_not_followed(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither on the same host nor to another, which would see the token."""
        other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        with serving(other):
            for elsewhere, words in (("", "another path"), (address(other), "http://127.0.0.1")):
                monkeypatch.setattr(Handler, "elsewhere", elsewhere)
                with pytest.raises(AnyscaleError, match=f"redirects to {words}"):
                    client_of(address(server)).cloud("redirect")
        assert lines() == ["GET /api/v2/clouds/redirect HTTP/1.1"] * 2


def run_in_threads(call: t.Callable[[], object], number: int) -> None:
    threads = [threading.Thread(target=call) for _number in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TestProxies:
    @pytest.mark.parametrize("form", ["http://me:s%40cret@{}", "me:s%40cret@{}"])
    def test_plain_http_goes_through_the_proxy_of_the_environment(
        self,
        server: http.server.ThreadingHTTPServer,
        monkeypatch: pytest.MonkeyPatch,
        form: str,
    ) -> None:
        monkeypatch.setenv("http_proxy", form.format(f"127.0.0.1:{server.server_port}"))
        client = client_of("http://anyscale.invalid")
        assert client.cloud("plain")
        assert client.cloud("plain")
        assert lines() == ["GET http://anyscale.invalid/api/v2/clouds/plain HTTP/1.1"] * 2
        assert used() == [0, 0]
        assert Handler.seen[1][2]["Proxy-Authorization"] == "Basic bWU6c0BjcmV0"

    def test_https_goes_through_a_tunnel_and_the_token_does_not_show(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("https_proxy", address(server).replace("//", "//me:secret@"))
        with pytest.raises(AnyscaleError, match=r"Tunnel connection failed: 403"):
            client_of("https://anyscale.invalid").cloud("plain")
        assert {line.split()[1] for line in lines()} == {"anyscale.invalid:443"}
        headers = Handler.seen[0][2]
        assert headers["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"
        assert TOKEN not in str(headers)

    def test_no_proxy_names_what_does_not(
        self, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        with pytest.raises(AnyscaleError, match="through the proxy"):
            client_of("http://anyscale.invalid").cloud("plain")
        monkeypatch.setenv("no_proxy", "anyscale.invalid")
        with pytest.raises(AnyscaleError) as error:
            client_of("http://anyscale.invalid").cloud("plain")
        assert "through the proxy" not in error.value.message

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "127.8.9.1",
            "localhost",
            "LocalHost.",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ],
    )
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_this_machine_is_reached_without_a_proxy(
        self, monkeypatch: pytest.MonkeyPatch, scheme: str, host: str
    ) -> None:
        """A proxy would be given the token, for a server of its own."""
        for name in (f"{scheme}_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://me:secret@127.0.0.1:1")
        with pytest.raises(AnyscaleError) as error:
            client_of(f"{scheme}://{host}:1").cloud("plain")
        assert "through the proxy" not in error.value.message

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_through_one_that_is_not_there_nothing_was_sent(
        self,
        server: http.server.ThreadingHTTPServer,
        monkeypatch: pytest.MonkeyPatch,
        scheme: str,
    ) -> None:
        monkeypatch.setenv(f"{scheme}_proxy", "http://me:secret@127.0.0.1:1")
        with pytest.raises(AnyscaleError, match=r"through the proxy: .*refused") as error:
            publish(client_of(f"{scheme}://anyscale.invalid"))
        assert "may have been" not in error.value.remedy
        assert "secret" not in str(error.value)

    @pytest.mark.parametrize(
        "proxy",
        [
            "socks5://me:secret@127.0.0.1:1080",
            "http://me:secret@[127.0.0.1",
            "http://me:secret@127.0.0.1:port",
            "http://me:secret@",
        ],
    )
    def test_what_is_no_address_of_one_is_refused_and_not_quoted(
        self,
        server: http.server.ThreadingHTTPServer,
        monkeypatch: pytest.MonkeyPatch,
        proxy: str,
    ) -> None:
        monkeypatch.setenv("https_proxy", proxy)
        with pytest.raises(InputError, match="is not the address of an HTTP proxy") as error:
            client_of("https://anyscale.invalid").cloud("plain")
        assert "https_proxy" in error.value.remedy
        assert "secret" not in str(error.value.failure())


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
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(TUNNELLED)]
            ),
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
        """At once, and before anything is sent."""
        client = client_of(
            address(tls_server, "https"), sleep=lambda _seconds: pytest.fail("It is tried again.")
        )
        with pytest.raises(AnyscaleError, match="CERTIFICATE_VERIFY_FAILED") as error:
            publish(client)
        assert not Handler.seen
        assert "may have been" not in error.value.remedy

    def test_a_known_one_is_trusted_and_one_handshake_serves_all_calls(
        self, tls_server: http.server.ThreadingHTTPServer, certificate: pathlib.Path
    ) -> None:
        client = client_of(address(tls_server, "https"), ca_path=str(certificate))
        assert client.cloud("plain")
        assert client.cloud("plain")
        assert used() == [0, 0]

    def test_any_is_where_certificates_are_not_to_be_verified(
        self, tls_server: http.server.ThreadingHTTPServer
    ) -> None:
        """Without a warning at each call: the option is the operator's word."""
        host = f"https://localhost:{tls_server.server_port}"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert client_of(host, validate_certs=False).cloud("plain") == CLOUD
        with pytest.raises(AnyscaleError, match="CERTIFICATE_VERIFY_FAILED"):
            client_of(host).cloud("plain")

    def test_another_name_than_the_certificates_is_refused(
        self, tls_server: http.server.ThreadingHTTPServer, certificate: pathlib.Path
    ) -> None:
        host = f"https://localhost:{tls_server.server_port}"
        client = client_of(
            host, ca_path=str(certificate), sleep=lambda _seconds: pytest.fail("It is tried again.")
        )
        with pytest.raises(AnyscaleError, match=r"(?i)hostname.*match"):
            client.cloud("plain")
        assert not Handler.seen

    def test_one_context_serves_all_clients_of_the_same_settings(
        self,
        tls_server: http.server.ThreadingHTTPServer,
        certificate: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        made: list[dict[str, t.Any]] = []
        connections.tls_context.cache_clear()
        monkeypatch.setattr(
            connections,
            "make_context",
            lambda **settings: made.append(settings) or make_context(**settings),
        )
        trusted = str(certificate)
        for _client in range(3):
            assert client_of(address(tls_server, "https"), ca_path=trusted).cloud("plain")
        for _client in range(2):
            with pytest.raises(AnyscaleError, match="CERTIFICATE_VERIFY_FAILED"):
                client_of(address(tls_server, "https")).cloud("plain")
        # Without a bundle, what Ansible itself trusts: the system's certificates.
        assert made == [
            {"validate_certs": True, "cafile": trusted},
            {"validate_certs": True, "cafile": None},
        ]
        assert used() == [0, 0, 0]

    def test_through_a_proxy_the_other_end_is_verified_and_does_not_see_the_proxys_password(
        self,
        tls_server: http.server.ThreadingHTTPServer,
        certificate: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{proxy.server_port}")
        with serving(proxy):
            host = f"https://{TUNNELLED}:{tls_server.server_port}"
            client = client_of(host, ca_path=str(certificate))
            assert client.cloud("plain")
            assert client.cloud("plain")
            with pytest.raises(AnyscaleError, match="CERTIFICATE_VERIFY_FAILED"):
                client_of(host).cloud("plain")
        assert [
            (line.split()[0], "Proxy-Authorization" in headers)
            for _number, line, headers in Handler.seen
        ] == [("CONNECT", True), ("GET", False), ("GET", False), ("CONNECT", True)]

    @pytest.mark.parametrize("content", [None, "", "no certificate"])
    def test_a_bundle_that_cannot_be_used_is_named(
        self, server: http.server.ThreadingHTTPServer, tmp_path: pathlib.Path, content: str | None
    ) -> None:
        bundle = tmp_path / "ca.pem"
        if content is not None:
            bundle.write_text(content)
        with pytest.raises(InputError, match=f"CA bundle {bundle} cannot be used") as error:
            client_of(address(server, "https"), ca_path=str(bundle)).cloud("plain")
        assert "aws_ca_bundle" in error.value.remedy


WITHOUT_URLLIB3 = """
import sys
sys.modules.update(boto3=None, botocore=None, urllib3=None)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale import client
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
try:
    client.AnyscaleClient("http://127.0.0.1:1", "t").cloud("x")
except TaskError as error:
    print(error.failure()["msg"])
"""


def test_without_boto3_the_error_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_URLLIB3], capture_output=True, text=True, check=False
    )
    assert "required Python library (boto3)" in done.stdout, done.stderr
    assert "ansible_python_interpreter" in done.stdout
    assert done.stderr == ""
