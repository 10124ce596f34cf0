# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the threads of a run share: one session, one client, and one read of what is registered for a
cloud.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import default_role_name
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    ComputeConfigModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources import (
    services as subject,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services

pytestmark = pytest.mark.core

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ray"
CLOUD_ID = "cld_4fxb3wsbdcq2n1p9"
SETTINGS = CloudSettings(ACCOUNT, cloud_id=CLOUD_ID, compute_config="default", backup=False)
CLOUDS = 500
Json = dict[str, t.Any]


class Sessions:
    """Sessions by what is asked of them."""

    def session(self, params: t.Mapping[str, t.Any]) -> t.Any:
        """A session."""
        return f"session of {params['account_id']}"

    def fresh_session(self, params: t.Mapping[str, t.Any]) -> t.Any:
        """One without bulk reads."""
        return f"fresh session of {params['account_id']}"


class Anyscale:
    """A client: what is registered, and what was asked."""

    resources: t.ClassVar[list[Json]] = [{"aws_config": {"cluster_iam_role_id": ROLE}}]

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        if params.get("anyscale_host") == "invalid":
            raise InputError("anyscale_host is 'invalid'.")
        self.calls: list[t.Any] = []

    def cloud_resources(self, cloud_id: str) -> list[Json]:
        """The resources of any cloud."""
        self.calls.append(("resources", cloud_id))
        return self.resources

    def newest_compute_config(self, name: str, cloud_id: str) -> Json:
        """Read singly."""
        self.calls.append(("newest", name, cloud_id))
        return {"version": 2}


class Pages:
    """Compute configs by the page of a client."""

    def __init__(self, client: Anyscale) -> None:
        self._client = client

    def newest(self, name: str, cloud_id: str, names_wanted: int) -> Json:
        """Read with others."""
        self._client.calls.append(("page", name, cloud_id, names_wanted))
        return {"version": 1}


@pytest.fixture(name="clients")
def _clients(monkeypatch: pytest.MonkeyPatch) -> list[Anyscale]:
    """The clients that are made."""
    made: list[Anyscale] = []

    def make(params: t.Mapping[str, t.Any]) -> Anyscale:
        made.append(Anyscale(params))
        return made[-1]

    monkeypatch.setattr(subject, "anyscale_client", make)
    monkeypatch.setattr(subject, "ComputeConfigPages", Pages)
    return made


@pytest.fixture(name="services")
def _services() -> Services:
    return Services(t.cast(t.Any, Sessions()), CLOUDS)


def connected(**options: t.Any) -> CloudSettings:
    """The settings of a cloud with these options of its connection."""
    return dataclasses.replace(SETTINGS, connection=options)


@pytest.mark.parametrize(("fresh", "words"), [(False, "session of"), (True, "fresh session of")])
def test_modules_connect_by_the_sessions_of_the_run(
    services: Services, fresh: bool, words: str
) -> None:
    """To write, without bulk reads."""
    connect = t.cast(t.Any, services.connect(fresh))
    assert connect(SETTINGS.shared_options()) == f"{words} {ACCOUNT}"


# --- the role -------------------------------------------------------------------------------------


def test_a_role_that_the_inventory_has_read_is_not_asked_for(
    services: Services, clients: list[Anyscale]
) -> None:
    assert services.default_role(SETTINGS, ROLE) == ROLE
    assert clients == []


def test_the_registered_role_is_asked_for_once(services: Services, clients: list[Anyscale]) -> None:
    """As is each other cloud's, by the same client."""
    other = dataclasses.replace(SETTINGS, cloud_id="cld_other")
    for settings in (SETTINGS, SETTINGS, other):
        assert services.default_role(settings, None) == ROLE
    [client] = clients
    assert client.calls == [("resources", CLOUD_ID), ("resources", "cld_other")]


def test_the_known_role_is_never_asked_for(services: Services, clients: list[Anyscale]) -> None:
    assert services.known_default_role(SETTINGS) is None
    services.default_role(SETTINGS, None)
    calls = list(clients[0].calls)
    assert services.known_default_role(SETTINGS) == ROLE
    assert services.known_default_role(dataclasses.replace(SETTINGS, cloud_id=None)) is None
    assert clients[0].calls == calls


def test_what_is_known_needs_no_way_to_anyscale(
    services: Services, clients: list[Anyscale]
) -> None:
    """As of a cloud without a token, of which nothing is asked."""
    assert services.known_default_role(connected(anyscale_host="invalid")) is None
    assert clients == []


def test_without_a_registered_role_it_is_the_one_that_anyscale_makes(
    services: Services, clients: list[Anyscale], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Anyscale, "resources", [{}])
    assert services.default_role(SETTINGS, None) == default_role_name(CLOUD_ID)


def test_a_role_that_is_not_known_is_refused(
    services: Services, clients: list[Anyscale], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several resources none is the primary one."""
    monkeypatch.setattr(Anyscale, "resources", [{}, {}])
    with pytest.raises(RefusedError, match="0 primary resources"):
        services.default_role(SETTINGS, None)


@pytest.mark.parametrize(
    ("cloud_id", "words"),
    [
        (None, "Neither cloud_iam_role nor cloud_iam_cloud_id is set"),
        ("x", "cloud_iam_cloud_id is"),
    ],
    ids=["no cloud", "no ID of a cloud"],
)
def test_the_variable_is_named(
    services: Services, clients: list[Anyscale], cloud_id: str | None, words: str
) -> None:
    """And nothing is asked of Anyscale."""
    with pytest.raises(InputError, match=words):
        services.default_role(dataclasses.replace(SETTINGS, cloud_id=cloud_id), None)
    assert [client.calls for client in clients if client.calls] == []


def test_a_cloud_in_another_account_is_refused_before_its_role_is_read(
    services: Services, clients: list[Anyscale]
) -> None:
    other = dataclasses.replace(SETTINGS, account_id="210987654321")
    with pytest.raises(InputError, match=f"210987654321.*{CLOUD_ID}.*{ACCOUNT}"):
        services.default_role(other, None)


# --- organizations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    ["anyscale_host", "anyscale_token", "anyscale_allow_http", "validate_certs", "aws_ca_bundle"],
)
def test_what_leads_elsewhere_has_a_client_of_its_own(
    services: Services, clients: list[Anyscale], option: str
) -> None:
    """What one organization answers is none of another's."""
    for settings in (SETTINGS, connected(**{option: "other"}), SETTINGS):
        services.default_role(settings, None)
    assert [client.calls for client in clients] == [[("resources", CLOUD_ID)]] * 2


def test_what_leads_to_the_same_organization_shares_a_client(
    services: Services, clients: list[Anyscale]
) -> None:
    """Whichever AWS account and credentials it has."""
    for settings in (SETTINGS, connected(access_key="a", region="us-west-2", profile="p")):
        services.default_role(settings, None)
    assert len(clients) == 1


def test_an_invalid_address_is_an_error_of_its_cloud_alone(
    services: Services, clients: list[Anyscale]
) -> None:
    """Each time."""
    for _time in range(2):
        with pytest.raises(InputError, match="anyscale_host"):
            services.default_role(connected(anyscale_host="invalid"), None)
    assert services.default_role(SETTINGS, None) == ROLE


# --- compute configs ------------------------------------------------------------------------------


def module_of(services: Services, settings: CloudSettings = SETTINGS) -> ComputeConfigModule:
    """The module for a cloud. It has a client of its own, which is not used."""
    options = {**settings.compute_config_options("present"), "publish": False}
    return ComputeConfigModule(options, lambda _params: t.cast(t.Any, None), services.known)


@pytest.mark.parametrize(
    ("fresh", "call", "version"),
    [
        (False, ("page", "default", CLOUD_ID, CLOUDS), 1),
        (True, ("newest", "default", CLOUD_ID), 2),
    ],
    ids=["to plan", "to write"],
)
def test_a_compute_config_is_planned_from_a_page_and_written_from_a_read_of_its_own(
    services: Services, clients: list[Anyscale], fresh: bool, call: t.Any, version: int
) -> None:
    """A page is worth it for the clouds of the run."""
    store = services.config_store(module_of(services), fresh)
    assert store.newest() == {"version": version}
    assert clients[0].calls == [call]


def test_the_resources_are_those_that_were_read_for_the_role(
    services: Services, clients: list[Anyscale]
) -> None:
    """One call for both, in any order."""
    services.default_role(SETTINGS, None)
    for fresh in (False, True):
        store = services.config_store(module_of(services), fresh)
        assert store.resources == Anyscale.resources
    assert clients[0].calls == [("resources", CLOUD_ID)]
