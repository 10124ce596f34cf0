# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Anyscale client, against scripts: an ordered list of expected requests and what each is
answered with.
"""

from __future__ import annotations

import dataclasses
import email.utils
import http.client
import io
import json
import pathlib
import socket
import ssl
import time
import typing as t

import pytest
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    resolve_credentials,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    InputError,
)

JsonObject = dict[str, t.Any]

HOST = "https://console.example.com"
TOKEN = "aph0_secret"
CONFIG: JsonObject = {
    "cloud_id": "cld_x",
    "head_node_type": {"name": "head-node", "instance_type": "m5.large"},
}
SEARCH = "/api/v2/compute_templates/search?count=100"
CREATE = "/api/v2/compute_templates/"


@dataclasses.dataclass
class Call:
    """One step of a script: the request that must come next, and its answer (or the exception
    instead of one).
    """

    method: str
    path: str
    status: int = 200
    answer: t.Any = None
    body: JsonObject | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    raises: Exception | None = None


def caused(error: HTTPError, cause: Exception) -> HTTPError:
    """An error of urllib3, as it raises one that it wraps."""
    error.__context__ = cause
    return error


NOWHERE = urllib3.HTTPSConnectionPool("console.example.com")
REFUSED = ConnectionRefusedError(111, "Connection refused")
# What urllib3 raises where nothing can have been sent, and where the request may have arrived.
UNSENT: dict[str, HTTPError] = {
    "refused": caused(
        NewConnectionError(t.cast(t.Any, NOWHERE), f"Failed to establish: {REFUSED}"), REFUSED
    ),
    "no such name": caused(
        NewConnectionError(t.cast(t.Any, NOWHERE), "Failed to resolve"),
        socket.gaierror(-2, "Name or service not known"),
    ),
    "connecting timed out": caused(
        ConnectTimeoutError(NOWHERE, "Connection timed out."), TimeoutError("timed out")
    ),
    "the proxy refused": caused(
        ProxyError(
            "Cannot connect to proxy.", NewConnectionError(t.cast(t.Any, NOWHERE), "Failed")
        ),
        REFUSED,
    ),
}
UNANSWERED: dict[str, Exception] = {
    "dropped": caused(
        ProtocolError("Connection aborted."), http.client.RemoteDisconnected("Remote end closed")
    ),
    "reset": caused(ProtocolError("Connection aborted."), ConnectionResetError(104, "reset")),
    "reset, behind a proxy": caused(
        ProxyError("Cannot connect to proxy.", ConnectionResetError(104, "reset")),
        ConnectionResetError(104, "reset"),
    ),
    "half an answer": caused(
        ProtocolError("Connection broken"), http.client.IncompleteRead(b"{", 100)
    ),
    "time-out": caused(
        ReadTimeoutError(NOWHERE, HOST, "Read timed out."), TimeoutError("timed out")
    ),
    "TLS broke off": caused(SSLError("EOF"), ssl.SSLEOFError(8, "EOF occurred in violation")),
    "not wrapped": OSError("broken"),
}
UNTRUSTED = caused(SSLError("certificate"), ssl.SSLCertVerificationError("self-signed certificate"))


class Script:
    """A pool of connections that plays its calls in order; the waits that the client makes are
    collected, not slept.
    """

    def __init__(self, *calls: Call) -> None:
        self.calls = list(calls)
        self.sent: list[t.Any] = []
        self.waits: list[float] = []
        self.now = 0.0

    def request(
        self, method: str, url: str, *, body: bytes | None, headers: JsonObject, **transport: t.Any
    ) -> urllib3.HTTPResponse:
        assert self.calls, f"unexpected {method} {url}"
        call = self.calls.pop(0)
        assert (method, url) == (call.method, HOST + call.path)
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert transport == {
            "timeout": 60,
            "redirect": False,
            "retries": False,
            "preload_content": False,
            "enforce_content_length": True,
        }
        sent = None if body is None else json.loads(body)
        self.sent.append(sent)
        if call.body is not None:
            assert sent == call.body
        if call.raises is not None:
            raise call.raises
        content = (
            call.answer if isinstance(call.answer, bytes) else json.dumps(call.answer).encode()
        )
        return urllib3.HTTPResponse(
            io.BytesIO(b"" if call.answer is None else content),
            call.headers,
            call.status,
            preload_content=False,
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def client(self, jitter: float = 0.5, **options: t.Any) -> AnyscaleClient:
        return AnyscaleClient(
            HOST,
            TOKEN,
            pool=self,
            sleep=self.sleep,
            clock=lambda: self.now,
            jitter=lambda: jitter,
            **options,
        )


def page(*rows: JsonObject, token: str | None = None) -> JsonObject:
    return {"results": list(rows), "metadata": {"total": len(rows), "next_paging_token": token}}


def template(version: int, config: JsonObject | None = None, **keys: t.Any) -> JsonObject:
    return {
        "id": f"cpt_{version}",
        "name": "team-a",
        "version": version,
        "archived_at": None,
        "config": {
            **(config or CONFIG),
            "idle_termination_minutes": 120,
            "allowed_azs": ["any"],
            "cloud": {"id": "cld_x"},
        },
        **keys,
    }


def nested(levels: int) -> JsonObject:
    """A document so deep."""
    document: JsonObject = {}
    for _level in range(levels - 1):
        document = {"a": document}
    return document


class TestCredentials:
    def resolve(
        self, host: str | None, token: str | None, environ: dict[str, str], path: pathlib.Path
    ) -> tuple[str, str]:
        return resolve_credentials(host, token, environ, str(path))

    @pytest.mark.parametrize(
        ("host", "token", "environ", "stored", "expected"),
        [
            pytest.param(
                None, "t", {}, None, ("https://console.anyscale.com", "t"), id="the default host"
            ),
            pytest.param(
                "https://a/",
                "t",
                {"ANYSCALE_HOST": "https://b"},
                None,
                ("https://a", "t"),
                id="the option wins",
            ),
            pytest.param(
                None,
                "t",
                {"ANYSCALE_HOST": "https://b//"},
                None,
                ("https://b", "t"),
                id="the environment's host",
            ),
            pytest.param(
                None,
                None,
                {"ANYSCALE_CLI_TOKEN": "e"},
                "s",
                ("https://console.anyscale.com", "e"),
                id="its token",
            ),
            pytest.param(
                None,
                "",
                {"ANYSCALE_CLI_TOKEN": ""},
                "s",
                ("https://console.anyscale.com", "s"),
                id="empty is unset",
            ),
            pytest.param(
                None, None, {}, "s\n", ("https://console.anyscale.com", "s"), id="the CLI's file"
            ),
        ],
    )
    def test_precedence(
        self,
        tmp_path: pathlib.Path,
        host: str,
        token: str,
        environ: dict[str, str],
        stored: str | None,
        expected: tuple[str, str],
    ) -> None:
        path = tmp_path / "credentials.json"
        if stored is not None:
            path.write_text(json.dumps({"cli_token": stored}))
        assert self.resolve(host, token, environ, path) == expected

    @pytest.mark.parametrize(
        "content", [None, "{}", "[]", '{"cli_token": 7}', '{"cli_token": " "}']
    )
    def test_no_token_names_the_three_places(
        self, tmp_path: pathlib.Path, content: str | None
    ) -> None:
        path = tmp_path / "credentials.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(InputError) as error:
            self.resolve(None, None, {}, path)
        for place in ("anyscale_token", "ANYSCALE_CLI_TOKEN", str(path)):
            assert place in error.value.remedy

    def test_a_broken_file_is_not_quoted(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "credentials.json"
        for text in (TOKEN, "[" * 100_000):
            path.write_text(text)
            with pytest.raises(InputError, match="cannot be read") as error:
                self.resolve(None, None, {}, path)
            assert TOKEN not in str(error.value.failure())

    @pytest.mark.parametrize("token", ["a b", "a\nb", "a\x00b", "é"])
    def test_a_token_that_no_header_can_hold(self, token: str) -> None:
        with pytest.raises(InputError, match="characters") as error:
            resolve_credentials(None, token, {})
        assert token not in str(error.value.failure())

    @pytest.mark.parametrize(
        "host",
        ["http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:80", "http://localhost:1"],
    )
    def test_plain_http_on_this_machine(self, host: str) -> None:
        assert resolve_credentials(host, "t", {})[0] == host

    @pytest.mark.parametrize(
        "host", ["http://console.anyscale.com", "http://10.0.0.1", "http://localhost.example.com"]
    )
    def test_no_plain_http_elsewhere(self, host: str) -> None:
        with pytest.raises(InputError, match="unencrypted"):
            resolve_credentials(host, "t", {})
        assert resolve_credentials(host, "t", {}, allow_http=True)[0] == host

    @pytest.mark.parametrize(
        "host",
        [
            "console.anyscale.com",
            "ftp://x",
            "https://",
            "https://x?y=1",
            "https://a b",
            "https://x:port",
        ],
    )
    def test_what_is_no_address(self, host: str) -> None:
        with pytest.raises(InputError, match="not the address"):
            resolve_credentials(host, "t", {})

    def test_a_password_in_the_address_is_not_quoted(self) -> None:
        with pytest.raises(InputError, match="user name or password") as error:
            resolve_credentials("https://me:hunter2@x", "t", {})
        assert "hunter2" not in str(error.value.failure())


class TestReading:
    def test_all_pages_of_clouds(self) -> None:
        script = Script(
            Call("GET", "/api/v2/clouds/?count=50", answer=page({"id": "cld_1"}, token="T/1")),
            Call(
                "GET",
                "/api/v2/clouds/?count=50&paging_token=T%2F1",
                answer=page({"id": "cld_2"}, token=""),
            ),
        )
        assert [cloud["id"] for cloud in script.client().clouds()] == ["cld_1", "cld_2"]
        assert not script.calls

    def test_the_same_page_again(self) -> None:
        again = Call("GET", "/api/v2/clouds/?count=50&paging_token=T", answer=page(token="T"))
        script = Script(Call("GET", "/api/v2/clouds/?count=50", answer=page(token="T")), again)
        with pytest.raises(AnyscaleError, match="the same page again"):
            list(script.client().clouds())

    def test_one_cloud(self) -> None:
        script = Script(
            Call("GET", "/api/v2/clouds/cld_x%2F..", answer={"result": {"id": "cld_x"}})
        )
        assert script.client().cloud("cld_x/..") == {"id": "cld_x"}

    def test_resources(self) -> None:
        script = Script(
            Call("GET", "/api/v2/clouds/cld_x/resources", answer={"results": [{"name": "vm"}]})
        )
        assert script.client().cloud_resources("cld_x") == [{"name": "vm"}]

    def test_the_default_compute_config(self) -> None:
        script = Script(
            Call("GET", "/api/v2/compute_templates/default/cld_x", answer={"result": CONFIG})
        )
        assert script.client().default_compute_config("cld_x") == CONFIG

    @pytest.mark.parametrize(
        ("rows", "outcome"),
        [
            pytest.param(
                [{"id": "1", "name": "demo-2"}, {"id": "2", "name": "demo"}],
                "2",
                id="exactly this name",
            ),
            pytest.param(
                [{"id": "1", "name": "demo", "state": "DELETED"}, {"id": "2", "name": "demo"}],
                "2",
                id="not a deleted one",
            ),
            pytest.param([{"id": "1", "name": "demo-2"}], "There is no cloud 'demo'", id="none"),
            pytest.param(
                [{"id": "2", "name": "demo"}, {"id": "1", "name": "demo"}],
                "2 clouds are named 'demo': 1, 2",
                id="several",
            ),
        ],
    )
    def test_a_cloud_by_name(self, rows: list[JsonObject], outcome: str) -> None:
        client = Script(
            Call("GET", "/api/v2/clouds/?name=demo&count=50", answer=page(*rows))
        ).client()
        if len(outcome) == 1:
            assert client.find_cloud("demo")["id"] == outcome
        else:
            with pytest.raises(InputError, match=outcome):
                client.find_cloud("demo")

    def test_a_cloud_without_an_id(self) -> None:
        client = Script(
            Call("GET", "/api/v2/clouds/?name=demo&count=50", answer=page({"name": "demo"}))
        ).client()
        with pytest.raises(AnyscaleError, match="cloud demo without its id"):
            client.find_cloud("demo")

    @pytest.mark.parametrize(
        ("rows", "version"),
        [
            pytest.param([], None, id="none"),
            pytest.param([template(3)], 3, id="the newest"),
            pytest.param([template(2), template(10)], 10, id="by number"),
            pytest.param(
                [template(3, archived_at="2026-01-01T00:00:00Z")], 3, id="archived ones too"
            ),
            pytest.param(
                [template(3, archived_at="2026-01-01T00:00:00Z"), template(1)],
                1,
                id="but rather one in use",
            ),
            pytest.param([template(3, {"cloud_id": "cld_y"}), template(1)], 1, id="of this cloud"),
            pytest.param([template(3, name="team-ab"), template(1)], 1, id="of this name"),
        ],
    )
    def test_the_newest_version(self, rows: list[JsonObject], version: int | None) -> None:
        script = Script(Call("POST", SEARCH, answer=page(*rows)))
        found = script.client().newest_compute_config("team-a", "cld_x")
        assert (found and found["version"]) == version
        asked = script.sent[0]
        assert (asked["name"], asked["cloud_id"], asked["archive_status"]) == (
            {"equals": "team-a"},
            "cld_x",
            "ALL",
        )

    @pytest.mark.parametrize("key", ["version", "id", "config"])
    @pytest.mark.parametrize("value", [None, "", [], True, 1.5])
    def test_a_version_that_lacks_something(self, key: str, value: t.Any) -> None:
        """Entries with another name than the requested one are ignored."""
        rows = [template(3), {**template(2), key: value}]
        with pytest.raises(
            AnyscaleError, match=f"compute config team-a without its {key}"
        ) as error:
            Script(Call("POST", SEARCH, answer=page(*rows))).client().newest_compute_config(
                "team-a", "cld_x"
            )
        assert "anyscale_host" in error.value.remedy
        others = [template(3), {**template(2, name="team-b"), key: value}]
        found = (
            Script(Call("POST", SEARCH, answer=page(*others)))
            .client()
            .newest_compute_config("team-a", "cld_x")
        )
        assert found is not None
        assert found["version"] == 3

    @pytest.mark.parametrize("levels", [1, 30, 63])
    def test_a_document_with_levels(self, levels: int) -> None:
        """Its own is one of 64."""
        config = nested(levels)
        script = Script(Call("GET", "/api/v2/clouds/cld_x", answer={"result": config}))
        assert script.client().cloud("cld_x") == config

    def test_characters_of_two_halves(self) -> None:
        body = b'{"result": {"name": "\\ud83d\\ude00"}}'
        script = Script(Call("GET", "/api/v2/clouds/cld_x", answer=body))
        assert script.client().cloud("cld_x") == {"name": "\U0001f600"}


class TestRetries:
    @pytest.mark.parametrize(
        "failure",
        [
            pytest.param({"status": 429}, id="429"),
            pytest.param({"status": 502}, id="502"),
            pytest.param({"status": 503}, id="503"),
            pytest.param({"status": 504}, id="504"),
            *(
                pytest.param({"raises": error}, id=name)
                for name, error in {**UNSENT, **UNANSWERED}.items()
            ),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_reading_is_repeated(self, failure: JsonObject, method: str) -> None:
        path = "/api/v2/clouds/cld_x/resources" if method == "GET" else SEARCH
        script = Script(Call(method, path, **failure), Call(method, path, answer=page()))
        client = script.client()
        assert not (
            client.cloud_resources("cld_x")
            if method == "GET"
            else client.newest_compute_config("team-a", "cld_x")
        )
        assert script.waits == [1.0]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 599])
    def test_other_refusals_are_final(self, status: int) -> None:
        script = Script(Call("GET", "/api/v2/clouds/cld_x", status, {"error": {"detail": "No."}}))
        with pytest.raises(AnyscaleError) as error:
            script.client().cloud("cld_x")
        assert error.value.status == status
        assert script.waits == []

    def test_the_number_of_attempts_is_bounded(self) -> None:
        script = Script(*[Call("GET", "/api/v2/clouds/cld_x", 503)] * 6)
        with pytest.raises(AnyscaleError, match="HTTP 503"):
            script.client().cloud("cld_x")
        assert script.waits == [1.0, 2.0, 4.0, 8.0, 10.0]

    @pytest.mark.parametrize("unsent", UNSENT.values(), ids=UNSENT)
    def test_an_address_where_nothing_ever_answered_is_given_up_soon(
        self, unsent: Exception
    ) -> None:
        """And it is said at once what is waited for: a person may sit before it."""
        call, said = Call("GET", "/api/v2/clouds/cld_x", raises=unsent), []
        script = Script(*[call] * 3)
        with pytest.raises(AnyscaleError, match="no answer"):
            script.client(on_wait=said.append).cloud("cld_x")
        assert script.waits == [1.0, 2.0]
        assert [text.endswith(" Trying again.") for text in said] == [True]

    def test_an_outage_of_a_server_that_has_answered_is_waited_for(self) -> None:
        answered = Call("GET", "/api/v2/clouds/cld_x", 200, {"result": {"id": "cld_x"}})
        gone = Call("GET", "/api/v2/clouds/cld_x", raises=next(iter(UNSENT.values())))
        script = Script(answered, *[gone] * 5, answered)
        client = script.client()
        assert client.cloud("cld_x") == client.cloud("cld_x")
        assert script.waits == [1.0, 2.0, 4.0, 8.0, 10.0]

    def test_the_time_is_bounded(self) -> None:
        script = Script(
            *[Call("GET", "/api/v2/clouds/cld_x", 429, headers={"Retry-After": "120"})] * 3
        )
        with pytest.raises(AnyscaleError, match="HTTP 429"):
            script.client(jitter=0).cloud("cld_x")
        assert script.waits == [120.0, 120.0]

    @pytest.mark.parametrize(
        ("value", "wait"),
        [
            ("7", 7.0),
            ("86400", 120.0),
            ("soon", 0.0),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
            ("-5", 0.0),
        ],
    )
    def test_retry_after(self, value: str, wait: float) -> None:
        answers = (
            Call("GET", "/api/v2/clouds/c", 429, headers={"Retry-After": value}),
            Call("GET", "/api/v2/clouds/c", answer={"result": {}}),
        )
        script = Script(*answers)
        script.client(jitter=0).cloud("c")
        assert script.waits == [wait]

    def test_retry_after_as_a_date(self) -> None:
        later = email.utils.formatdate(time.time() + 60, usegmt=True)
        answers = (
            Call("GET", "/api/v2/clouds/c", 503, headers={"Retry-After": later}),
            Call("GET", "/api/v2/clouds/c", answer={"result": {}}),
        )
        script = Script(*answers)
        script.client(jitter=0).cloud("c")
        assert 50 < script.waits[0] <= 60

    def test_an_untrusted_certificate_is_final(self) -> None:
        script = Script(Call("GET", "/api/v2/clouds/cld_x", raises=UNTRUSTED))
        with pytest.raises(AnyscaleError, match="self-signed certificate"):
            script.client().cloud("cld_x")
        assert script.waits == []


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            pytest.param(
                {"error": {"detail": "Permission denied"}}, "Permission denied", id="error.detail"
            ),
            pytest.param(
                {"error": {"message": "bad field", "detail": [{"loc": []}]}},
                "bad field",
                id="error.message",
            ),
            pytest.param({"detail": "Not Found"}, "Not Found", id="detail"),
            pytest.param(b"<html>oops</html>", "<html>oops</html>", id="the body"),
            pytest.param(b"", "no text", id="nothing"),
            pytest.param(
                {"error": {"detail": f"token {TOKEN} is bad"}},
                r"token \*\*\* is bad",
                id="without the token",
            ),
        ],
    )
    def test_the_server_s_own_text(self, answer: t.Any, text: str) -> None:
        script = Script(
            Call("GET", "/api/v2/clouds/cld_x", 403, answer, headers={"X-Trace-Id": "abc"})
        )
        with pytest.raises(AnyscaleError, match=text) as error:
            script.client().cloud("cld_x")
        assert error.value.failure()["error"] == {
            "method": "GET",
            "path": "/api/v2/clouds/cld_x",
            "status": 403,
            "trace_id": "abc",
        }
        assert TOKEN not in str(error.value.failure())

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (401, "anyscale_token"),
            (403, "permission"),
            (404, "organization"),
            (409, "run again"),
            (599, "ten minutes"),
        ],
    )
    def test_the_remedy(self, status: int, words: str) -> None:
        with pytest.raises(AnyscaleError) as error:
            Script(Call("GET", "/api/v2/clouds/cld_x", status)).client().cloud("cld_x")
        assert words in error.value.remedy

    def test_too_many_requests_has_a_remedy(self) -> None:
        with pytest.raises(AnyscaleError) as error:
            Script(*[Call("GET", "/api/v2/clouds/cld_x", 429)] * 6).client().cloud("cld_x")
        assert "forks" in error.value.remedy

    @pytest.mark.parametrize(
        "answer",
        [
            b"<html>Log in</html>",
            b'{"result": ',
            b"[]",
            b"7",
            {"result": None},
            {},
            b"",
            pytest.param(b"[" * 100_000, id="nested"),
            pytest.param({"result": nested(100)}, id="nested less deeply, but too deeply to use"),
            pytest.param(b'{"result": {"id": "\\ud800"}}', id="half a character, escaped"),
            pytest.param(b'{"result": {"id": "\xed\xa0\x80"}}', id="half a character"),
            pytest.param(b'{"result": {"id": "\xff"}}', id="no Unicode"),
            pytest.param(b'{"result": {"id": Infinity}}', id="a number that is none"),
        ],
    )
    def test_an_answer_that_is_none(self, answer: t.Any) -> None:
        script = Script(Call("GET", "/api/v2/clouds/cld_x", answer=answer))
        with pytest.raises(AnyscaleError, match="answered GET /api/v2/clouds/cld_x with"):
            script.client().cloud("cld_x")

    @pytest.mark.parametrize("answer", [{"result": {}}, {"results": None}, {"results": ["x"]}])
    def test_a_page_that_is_none(self, answer: JsonObject) -> None:
        with pytest.raises(AnyscaleError, match="a page without results"):
            list(Script(Call("GET", "/api/v2/clouds/?count=50", answer=answer)).client().clouds())

    @pytest.mark.parametrize("token", [7, 1.5, True, ["a"], {"a": "b"}])
    def test_a_paging_token_that_is_no_text(self, token: t.Any) -> None:
        answer = {"results": [], "metadata": {"next_paging_token": token}}
        script = Script(Call("GET", "/api/v2/clouds/?count=50", answer=answer))
        with pytest.raises(AnyscaleError, match="a paging token that is not text") as error:
            list(script.client().clouds())
        assert "anyscale_host" in error.value.remedy

    @pytest.mark.parametrize("spec", ["text", 7, ["rules"]])
    def test_a_mapping_that_is_none(self, spec: t.Any) -> None:
        answer = {"result": {"spec": {"dataplane_iam_mapping": spec}}}
        script = Script(
            Call("GET", "/api/v2/clouds/cld_x/deployment/cldrsrc_x/config", answer=answer)
        )
        with pytest.raises(AnyscaleError, match="mapping of another form"):
            script.client().iam_mapping("cld_x", "cldrsrc_x")

    @pytest.mark.parametrize("level", [30, 200, 900, 100_000])
    def test_an_error_that_is_nested(self, level: int) -> None:
        body = b'{"error": ' + b"[" * level + b"]" * level + b"}"
        with pytest.raises(AnyscaleError, match="HTTP 403"):
            Script(Call("GET", "/api/v2/clouds/cld_x", 403, body)).client().cloud("cld_x")

    @pytest.mark.parametrize("location", ["http://[::1", "//[", "https://a]b/", "http://[x]/"])
    def test_a_redirect_to_what_is_no_address(self, location: str) -> None:
        script = Script(Call("GET", "/api/v2/clouds/cld_x", 302, headers={"Location": location}))
        with pytest.raises(AnyscaleError, match="redirects to an address that is none") as error:
            script.client().cloud("cld_x")
        assert "anyscale_host" in error.value.remedy

    def test_redirects_are_not_followed(self) -> None:
        script = Script(
            Call(
                "GET",
                "/api/v2/clouds/cld_x",
                307,
                headers={"Location": "https://elsewhere.example.com/x?y=z"},
            )
        )
        with pytest.raises(
            AnyscaleError, match=r"redirects to https://elsewhere\.example\.com"
        ) as error:
            script.client().cloud("cld_x")
        assert "anyscale_host" in error.value.remedy

    def test_the_token_shows_nowhere(self) -> None:
        assert TOKEN not in repr(Script().client())


class TestPublishing:
    BODY: t.ClassVar[JsonObject] = {
        "name": "team-a",
        "anonymous": False,
        "new_version": True,
        "config": CONFIG,
    }

    def publish(self, *calls: Call) -> tuple[JsonObject, Script]:
        script = Script(*calls)
        made = script.client().publish_compute_config("team-a", CONFIG, previous_version=3)
        assert not script.calls
        return made, script

    def test_one_request(self) -> None:
        made, script = self.publish(
            Call("POST", CREATE, 201, {"result": template(4)}, body=self.BODY)
        )
        assert made["version"] == 4
        assert script.waits == []

    LOST: t.ClassVar[list[t.Any]] = [
        *(pytest.param({"raises": error}, id=name) for name, error in UNANSWERED.items()),
        pytest.param({"status": 500}, id="500"),
        pytest.param({"status": 502}, id="502"),
        pytest.param({"status": 503}, id="503"),
        pytest.param({"status": 504}, id="a gateway's time-out"),
        pytest.param({"status": 201, "answer": b"<html>"}, id="not JSON"),
        pytest.param(
            {"status": 201, "answer": {"result": {"id": "cpt_4"}}}, id="without a version"
        ),
    ]
    WAITS: t.ClassVar[list[float]] = [1.5, 3.0, 6.0, 12.0, 12.0, 12.0, 12.0, 12.0]

    def looks(self, *rows: JsonObject, times: int = len(WAITS)) -> list[Call]:
        """So many searches, which find these versions; without a number, as many as there are at
        the most.
        """
        return [Call("POST", SEARCH, answer=page(*rows)) for _look in range(times)]

    @pytest.mark.parametrize("lost", LOST)
    def test_a_lost_answer_is_found(self, lost: JsonObject) -> None:
        made, script = self.publish(
            Call("POST", CREATE, **lost),
            Call("POST", SEARCH, answer=page(template(4), template(3))),
        )
        assert made["version"] == 4
        assert script.sent[1]["version"] == -2

    @pytest.mark.parametrize("lost", LOST)
    @pytest.mark.parametrize("times", [3, 6])
    def test_a_lost_answer_is_found_where_searches_lag_behind(
        self, lost: JsonObject, times: int
    ) -> None:
        made, script = self.publish(
            Call("POST", CREATE, **lost),
            *self.looks(template(3), times=times),
            *self.looks(template(4), times=1),
        )
        assert made["version"] == 4
        assert script.waits == self.WAITS[: times + 1]

    @pytest.mark.parametrize("lost", LOST)
    def test_what_may_have_been_done_is_not_sent_again(self, lost: JsonObject) -> None:
        """However long it does not show: the client polls for a minute, and then it is said that
        it may be there.
        """
        script = Script(Call("POST", CREATE, **lost), *self.looks(template(3), template(2)))
        with pytest.raises(AnyscaleError, match=f"POST {CREATE}") as error:
            script.client().publish_compute_config("team-a", CONFIG, previous_version=3)
        assert not script.calls
        assert script.waits == self.WAITS
        assert "may have been published all the same" in error.value.remedy
        assert "run again" in error.value.remedy

    @pytest.mark.parametrize("unsent", UNSENT.values(), ids=UNSENT)
    def test_what_was_not_sent_is_sent_again(self, unsent: Exception) -> None:
        made, script = self.publish(
            Call("POST", CREATE, raises=unsent),
            Call("POST", CREATE, 201, {"result": template(4)}, body=self.BODY),
        )
        assert made["version"] == 4
        assert script.waits == [1.0]

    @pytest.mark.parametrize("unsent", UNSENT.values(), ids=UNSENT)
    def test_what_could_not_be_sent_is_not_searched_for(self, unsent: Exception) -> None:
        script = Script(*[Call("POST", CREATE, raises=unsent)] * 3)
        with pytest.raises(AnyscaleError, match=f"POST {CREATE} failed") as error:
            script.client().publish_compute_config("team-a", CONFIG, previous_version=3)
        assert not script.calls
        assert "may have been" not in error.value.remedy

    def test_a_control_plane_that_is_not_the_one_is_not_asked_again(self) -> None:
        with pytest.raises(AnyscaleError, match="self-signed certificate") as error:
            self.publish(Call("POST", CREATE, raises=UNTRUSTED))
        assert "may have been" not in error.value.remedy

    def test_what_cannot_be_searched_for_is_not_sent_again(self) -> None:
        with pytest.raises(AnyscaleError, match=f"POST {CREATE} failed") as error:
            self.publish(Call("POST", CREATE, 500), Call("POST", SEARCH, 403))
        assert "may have been published all the same" in error.value.remedy

    @pytest.mark.parametrize(
        "older",
        [
            pytest.param(
                (template(4, {**CONFIG, "flags": {"x": True}}), template(3)), id="another writer's"
            ),
            pytest.param(
                (template(3, {**CONFIG, "flags": {"x": True}}), template(2)),
                id="an equal one of old",
            ),
        ],
    )
    def test_another_version_is_not_what_was_made(self, older: tuple[JsonObject, ...]) -> None:
        with pytest.raises(AnyscaleError, match=f"POST {CREATE} failed"):
            self.publish(Call("POST", CREATE, 502), *self.looks(*older))

    def test_our_version_is_found_below_one_of_another_writer(self) -> None:
        theirs = {**CONFIG, "flags": {"x": True}}
        made, _script = self.publish(
            Call("POST", CREATE, 504),
            Call("POST", SEARCH, answer=page(template(5, theirs), template(4), template(3))),
        )
        assert made["version"] == 4

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 599])
    def test_a_refusal_is_final(self, status: int) -> None:
        with pytest.raises(AnyscaleError) as error:
            self.publish(Call("POST", CREATE, status))
        assert error.value.status == status

    def test_one_request_too_many_was_not_done(self) -> None:
        made, script = self.publish(
            Call("POST", CREATE, 429, headers={"Retry-After": "60"}),
            Call("POST", CREATE, 201, {"result": template(4)}),
        )
        assert made["version"] == 4
        assert script.waits == [61.0]


class TestArchiving:
    PATH = "/api/v2/compute_templates/cpt_3/archive"

    @pytest.mark.parametrize("status", [200, 202, 204, 404])
    def test_done_or_gone(self, status: int) -> None:
        Script(Call("POST", self.PATH, status)).client().archive_compute_config("cpt_3")

    def test_repeated_when_the_answer_is_lost(self) -> None:
        script = Script(Call("POST", self.PATH, 503), Call("POST", self.PATH, 204))
        script.client().archive_compute_config("cpt_3")

    @pytest.mark.parametrize(("first", "is_unknown"), [(503, True), (429, False)])
    def test_a_refusal_does_not_tell_what_an_earlier_attempt_did(
        self, first: int, is_unknown: bool
    ) -> None:
        script = Script(Call("POST", self.PATH, first), Call("POST", self.PATH, 403))
        with pytest.raises(AnyscaleError, match="HTTP 403") as caught:
            script.client().archive_compute_config("cpt_3")
        assert caught.value.outcome_unknown is is_unknown
        assert not script.calls

    def test_in_use(self) -> None:
        with pytest.raises(AnyscaleError, match="in use"):
            Script(
                Call("POST", self.PATH, 409, {"error": {"detail": "in use"}})
            ).client().archive_compute_config("cpt_3")


class TestConfigOfAResource:
    PATH = "/api/v2/clouds/cld_x/deployment/cldrsrc_x/config"
    SPEC: t.ClassVar[JsonObject] = {
        "cloud_provider": "AWS",
        "compute_stack": "VM",
        "dataplane_iam_mapping": {"rules": [{"selector": "project=ml", "value": "ray-ml"}]},
        "user_tag_annotation_prefix": "team/",
    }

    def test_all_that_it_has_is_read(self) -> None:
        script = Script(Call("GET", self.PATH, answer={"result": {"spec": self.SPEC}}))
        assert script.client().deployment_config("cld_x", "cldrsrc_x") == self.SPEC

    @pytest.mark.parametrize("spec", [{}, None, {"dataplane_iam_mapping": None}])
    def test_one_without_a_mapping_has_an_empty_one(self, spec: t.Any) -> None:
        script = Script(Call("GET", self.PATH, answer={"result": {"spec": spec}}))
        found = script.client().deployment_config("cld_x", "cldrsrc_x")
        assert found["dataplane_iam_mapping"] == {}

    def test_it_is_sent_without_the_envelope_of_the_answer(self) -> None:
        script = Script(Call("PUT", self.PATH, answer={}, body={"spec": self.SPEC}))
        script.client().put_deployment_config("cld_x", "cldrsrc_x", self.SPEC)

    @pytest.mark.parametrize(
        ("outcome", "error"),
        [
            *[
                pytest.param({"status": status}, f"HTTP {status}", id=str(status))
                for status in (429, 500, 502, 503, 504)
            ],
            *[
                pytest.param({"raises": unsent}, "no answer", id=name)
                for name, unsent in UNSENT.items()
            ],
        ],
    )
    def test_a_write_that_failed_is_not_sent_again(self, outcome: t.Any, error: str) -> None:
        """Another writer may have written since: the caller looks first."""
        script = Script(Call("PUT", self.PATH, **outcome))
        with pytest.raises(AnyscaleError, match=error):
            script.client().put_deployment_config("cld_x", "cldrsrc_x", self.SPEC)
        assert script.waits == []

    @pytest.mark.parametrize(
        ("level", "expected"), [("owner", "owner"), ("collaborator", "collaborator"), (None, None)]
    )
    def test_what_the_user_is(self, level: str | None, expected: str | None) -> None:
        answer = {"result": {"organization_permission_level": level}}
        script = Script(Call("GET", "/api/v2/userinfo/", answer=answer))
        assert script.client().permission_level() == expected
