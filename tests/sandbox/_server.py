# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's life: both servers, the environment for child commands, and what a test may turn."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

import boto3
from botocore.config import Config

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale import AnyscaleApplication
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws import AwsApplication
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import (
    TOOLING_ACCOUNT,
    caller_key,
    setup_key,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._control import ControlApplication
from ansible_collections.rayfleet.anyscale.tests.sandbox._faults import Faults
from ansible_collections.rayfleet.anyscale.tests.sandbox._http import HOST, HttpServer
from ansible_collections.rayfleet.anyscale.tests.sandbox._in_process import answered_in_process
from ansible_collections.rayfleet.anyscale.tests.sandbox._journal import Journal
from ansible_collections.rayfleet.anyscale.tests.sandbox._nodes import (
    PREFIX as NODES,
    NodeApplication,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import (
    OWNER_TOKEN,
    Organization,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed import (
    seed_fleet,
    seed_for_guide,
    seed_running,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import LAMBDA_ONLY
from ansible_collections.rayfleet.anyscale.tests.sandbox._settings import Settings
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    BROKEN_CLOUD,
    FLEET,
    REGION,
    Cloud,
)

_SECRET = "sandbox"


class Sandbox:
    """AWS and the Anyscale control plane on free ports of loopback, from ``with`` to the end of its
    block.

    Moto keeps its state in the process, so there is one sandbox at a time in a process.
    ``organization`` is the state behind the Anyscale API, for tests that prepare clouds and compute
    configs; ``accounts`` is AWS's, for tests that prepare many roles and buckets.
    """

    token = OWNER_TOKEN

    def __init__(self) -> None:
        self.organization = Organization()
        self._journal = Journal()
        self._faults = Faults()
        self._settings = Settings()
        self._aws = AwsApplication(self._journal, self._faults, self._settings)
        self.accounts = self._aws.accounts
        anyscale = AnyscaleApplication(
            self.organization, self._journal, self._faults, self._settings
        )
        self._servers = (
            HttpServer(
                ControlApplication(self, NodeApplication(self.organization, self._aws), self._aws)
            ),
            HttpServer(anyscale),
        )
        self._session = boto3.Session(region_name=REGION)
        self._clients: dict[tuple[str, str], t.Any] = {}
        self._seed: t.Callable[[Sandbox], None] = Sandbox.reset
        self.aws_url, self.anyscale_url = (server.url for server in self._servers)

    def __enter__(self) -> Sandbox:
        self.reset()
        for server in self._servers:
            server.start()
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self._servers:
            server.stop()

    def in_process(self) -> contextlib.AbstractContextManager[None]:
        """Within, requests of this process are answered without sockets, those of other processes
        by the servers.
        """
        return answered_in_process(self._servers, self._faults.need_sockets)

    def child_variables(self) -> dict[str, str]:
        """The environment variables that make a command use the sandbox."""
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ACCESS_KEY_ID": caller_key(TOOLING_ACCOUNT),
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "ANYSCALE_HOST": self.anyscale_url,
            "ANYSCALE_CLI_TOKEN": self.token,
            "ANYSCALE_TELEMETRY_SAMPLE_RATE": "0",
            "ANYSCALE_SUPPRESS_UPGRADE_WARNING": "1",
            "NO_PROXY": HOST,
            "no_proxy": HOST,
        }

    def node_variables(self, cloud: str) -> dict[str, str]:
        """The environment variables of a node of a cloud's cluster: nothing of the controller's, the
        credentials come from the instance metadata.
        """
        variables = {
            name: value
            for name, value in self.child_variables().items()
            if not name.startswith("ANYSCALE_")
        }
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
            del variables[name]
        return {
            **variables,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{self.aws_url}{NODES}{cloud}/",
        }

    def environment(self) -> dict[str, str]:
        """The environment for a child command: this process's own, with the sandbox's AWS and
        Anyscale alone.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "ANYSCALE_", "MOTO_"))
        }
        return {**inherited, **self.child_variables()}

    def credentials(self, account_id: str = TOOLING_ACCOUNT, setup: bool = False) -> dict[str, str]:
        """Keyword arguments of a boto3 session in an account, whose calls are recorded unless they
        are for ``setup``.
        """
        key = setup_key(account_id) if setup else caller_key(account_id)
        return {"aws_access_key_id": key, "aws_secret_access_key": _SECRET, "region_name": REGION}

    def client(self, service: str, account_id: str = TOOLING_ACCOUNT) -> t.Any:
        """A boto3 client to prepare and inspect an account: not recorded, and without faults and
        delays.
        """
        if (service, account_id) not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, proxies={}, max_pool_connections=30)
            credentials = self.credentials(account_id, setup=True)
            client = self._session.client(
                service, endpoint_url=self.aws_url, config=config, **credentials
            )
            self._clients[service, account_id] = client
        return self._clients[service, account_id]

    def reset(self) -> None:
        """Empty AWS, the Anyscale organization, the calls, the faults and the settings; both
        servers answer again.
        """
        self.come_back()
        self._aws.reset()
        with self.organization.lock:
            self.organization.reset()
        self._journal.clear()
        self._faults.clear()
        self._settings.reset()

    def begin(self, seed: t.Callable[[Sandbox], None]) -> None:
        """Seed the sandbox, and remember how for ``restart``."""
        self._seed = seed
        self.restart()

    def restart(self) -> None:
        """Be as at the beginning."""
        self.reset()
        self._seed(self)
        self.clear_calls()

    def calls(self) -> list[dict[str, t.Any]]:
        """The calls since the last reset or ``clear_calls``: service, operation, account_id,
        resource, status, write.
        """
        return self._journal.calls()

    def writes(self) -> list[dict[str, t.Any]]:
        """The calls among them that write."""
        return self._journal.writes()

    def clear_calls(self) -> None:
        """Forget the calls."""
        self._journal.clear()

    def fault(self, operation: str, **fault: t.Any) -> None:
        """Make the next calls of an operation fail, wait or break off; see ``_faults.Fault`` for
        the keywords.
        """
        self._faults.add(operation=operation, **fault)

    def come_back(self) -> None:
        """Answer again, after a fault that made a server leave."""
        for server in self._servers:
            server.come_back()

    def faults(self) -> list[dict[str, t.Any]]:
        """The faults still to come."""
        return self._faults.pending()

    def clear_faults(self) -> None:
        """No faults any more."""
        self._faults.clear()

    def settings(self, **changes: t.Any) -> dict[str, t.Any]:
        """Turn settings (see ``_settings.Settings``); returns them all."""
        return self._settings.update(**changes)

    def seed(self, fleet: t.Iterable[Cloud] = FLEET) -> None:
        """Put a fleet into AWS and the Anyscale organization."""
        seed_fleet(self, fleet)

    def seed_for_guide(self) -> None:
        """Put the fleet there, and what the pages of the guide find beside it."""
        seed_for_guide(self)

    def seed_running(self, cloud: str) -> None:
        """Let something of each kind run on a cloud of the seeded fleet, by its name."""
        found = [one for one in FLEET if one.name == cloud]
        if not found:
            raise ValueError(f"The fleet has no cloud {cloud}.")
        seed_running(self, found[0])

    def open_queue(self) -> None:
        """Make the queue that gets the events of all writes from now on."""
        self._aws.trail.open()

    def events(self) -> dict[str, t.Any]:
        """The events of the writes so far, as ansible-rulebook gives a playbook those that a rule
        matched.
        """
        events = {f"m_{number}": event for number, event in enumerate(self._aws.trail.events())}
        return {"ansible_eda": {"events": events}}

    def clear_events(self) -> None:
        """Forget the events, but for those in the queue."""
        self._aws.trail.clear()

    def drift(self, cloud: str) -> None:
        """Let another writer change the trust policy of the role of a cloud, so that no cluster can
        run with it.
        """
        role = self.organization.role_of(cloud)
        account_id = role.split(":")[4]
        iam = self._session.client("iam", endpoint_url=self.aws_url, **self.credentials(account_id))
        iam.update_assume_role_policy(
            RoleName=role.rpartition("/")[2], PolicyDocument=json.dumps(LAMBDA_ONLY)
        )

    def seed_broken(self) -> None:
        """Add one more cloud, whose role does not exist."""
        self.seed((BROKEN_CLOUD,))
