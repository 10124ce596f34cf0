# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients of the control planes that a run reads from, for many threads. They read clouds and
compute configs by the page where that needs fewer calls, and what is one for the organization once.

This module util is private to the collection. I/O.
"""

from __future__ import annotations

import functools
import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_pages import (
    ComputeConfigPages,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_layers import (
    InstanceConfigs,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

JsonObject = dict[str, t.Any]

# At most one page of clouds is read per this many requested reads, however many there are.
_READS_PER_PAGE = 10
_CONNECTION = (*anyscale_argument_spec(), "validate_certs", "aws_ca_bundle")


class SharedClients:
    """One client for all clouds whose parameters lead to the same control plane with the same
    token.
    """

    def __init__(self, configs_wanted: int) -> None:
        """``configs_wanted``: how many compute configs are going to be read in all."""
        self._make = functools.partial(BulkClient, configs_wanted=configs_wanted)
        self._lock = threading.Lock()
        self._clients: dict[tuple[t.Any, ...], AnyscaleClient] = {}

    def client(self, params: t.Mapping[str, t.Any]) -> AnyscaleClient:
        """The client for the parameters of a module."""
        key = tuple(params.get(option) for option in _CONNECTION)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = anyscale_client(params, self._make)
            return self._clients[key]


class BulkClient(AnyscaleClient):
    """A client that answers reads from the pages it has loaded, and otherwise queries Anyscale."""

    def __init__(self, *arguments: t.Any, configs_wanted: int, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._configs_wanted = configs_wanted
        self._configs = ComputeConfigPages(AnyscaleClient(*arguments, **options))
        self._clouds = _CloudPages(self.cloud_pages())
        self._scheduler_flavors = _Once(super().scheduler_flavors)
        self._machine_pools = _Once(super().machine_pools)

    def cloud(self, cloud_id: str) -> JsonObject:
        """One cloud, by its id."""
        found = self._clouds.find(cloud_id)
        return super().cloud(cloud_id) if found is None else self.checked_cloud(found)

    def newest_compute_config(self, name: str, cloud_id: str) -> JsonObject | None:
        """The newest version of a compute config."""
        return self._configs.newest(name, cloud_id, self._configs_wanted)

    def scheduler_flavors(self) -> InstanceConfigs:
        """What the organization's scheduler sets for instances."""
        return self._scheduler_flavors.get()

    def machine_pools(self) -> InstanceConfigs:
        """What the organization's machine pools set for instances."""
        return self._machine_pools.get()


class _Once:
    """What is one for the whole organization: read once for all threads, and where it is refused,
    refused once.
    """

    def __init__(self, read: t.Callable[[], InstanceConfigs]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._value: InstanceConfigs | None = None
        self._error: AnyscaleError | None = None

    def get(self) -> InstanceConfigs:
        """The value, or its error again."""
        with self._lock:
            if self._value is None and self._error is None:
                try:
                    self._value = self._read()
                except AnyscaleError as error:
                    self._error = error
            if self._error is not None:
                raise self._error
            return t.cast(InstanceConfigs, self._value)


class _CloudPages:
    """The clouds of the pages that were loaded."""

    def __init__(self, pages: t.Iterator[t.Sequence[JsonObject]]) -> None:
        self._pages: t.Iterator[t.Sequence[JsonObject]] | None = pages
        self._lock = threading.Lock()
        self._reads = 0
        self._pages_read = 0
        self._found: dict[str, JsonObject] = {}

    def find(self, cloud_id: str) -> JsonObject | None:
        """A cloud, if a page has it; may load further pages to find it."""
        with self._lock:
            self._reads += 1
            while (
                cloud_id not in self._found
                and self._pages is not None
                and self._pages_read < self._reads // _READS_PER_PAGE
            ):
                self._load(self._pages)
            return self._found.get(cloud_id)

    def _load(self, pages: t.Iterator[t.Sequence[JsonObject]]) -> None:
        """Load another page. Where clouds cannot be listed, they are read one by one."""
        self._pages_read += 1
        try:
            page = next(pages, None)
        except AnyscaleError:
            page = None
        if page is None:
            self._pages = None
            return
        self._found.update({row["id"]: row for row in page if isinstance(row.get("id"), str)})
