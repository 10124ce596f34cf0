# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the fleet engine in this process, step by step as its action does, without Ansible around
it.
"""

from __future__ import annotations

import tempfile
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.credential_cache import (
    SessionCache,
    new_key,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.run import Run, RunOptions
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import STAGES
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import FAILED

Json = dict[str, t.Any]

THREADS = 4


def converge(
    clouds: t.Mapping[str, t.Mapping[str, t.Any]], state: str = "present", **options: t.Any
) -> dict[str, Json]:
    """The outcome of each cloud of a run, with its diff. clouds: the variables of each, without
    their prefix. options: those of ``RunOptions``.
    """
    engine_clouds = {
        name: Cloud(
            name, parse_settings({PREFIX + option: value for option, value in variables.items()})
        )
        for name, variables in clouds.items()
    }
    # The folder of a run, and what was read for it, go with the run.
    with tempfile.TemporaryDirectory() as folder:
        services = Services(
            AccountSessions(SessionCache(folder, new_key()), THREADS), len(engine_clouds)
        )
        engine = Engine(services, state=state, stages=STAGES, threads=THREADS, keeps_documents=True)
        with Feed(folder, lambda _line, **_color: None) as feed:
            run_options = RunOptions(diff=True, **options)
            run = Run(engine, run_options, Clouds(for_engine=engine_clouds), feed)
            run.plan()
            while not run.is_finished:
                run.converge_next()
            run.end()
    return {
        name: {**outcome, "failed": outcome["state"] == FAILED}
        for name, outcome in run.outcomes.items()
    }
