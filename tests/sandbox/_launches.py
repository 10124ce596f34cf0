# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was launched in the clouds of an organization, by kind: clusters, services, jobs, schedules
and workspaces.

The paths, the query parameters, the largest pages and the keys of the rows are those of
``client/openapi_client`` in Anyscale's Python package 0.26.112 (``api/default_api.py``, and the
models named below). Guesses: that a filter of states compares exactly, that rows are listed in the
order of their creation, and that an unknown cloud has none instead of being an error.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._clock import Clock

Json = dict[str, t.Any]

# By path: the kind, the largest page, and whether a filter of states is taken.
PATHS: dict[str, tuple[str, int, bool]] = {
    "/api/v2/decorated_sessions/": ("cluster", 50, True),
    "/api/v2/services-v2/": ("service", 50, True),
    "/api/v2/decorated_ha_jobs/": ("job", 1000, True),
    "/api/v2/experimental_cron_jobs/": ("schedule", 50, False),
    "/api/v2/experimental_workspaces/": ("workspace", 50, True),
}
STATES = {
    "cluster": "Running",
    "service": "RUNNING",
    "job": "RUNNING",
    "schedule": "ENABLED",
    "workspace": "Running",
}
# What rows contain that must not be shown.
SECRET = "sandbox-launch-secret"
_PROJECT = {"id": "prj_sandbox", "name": "sandbox", "is_default": True, "directory_name": "sandbox"}
_PREFIXES = {
    "cluster": "ses",
    "service": "service2",
    "job": "prodjob",
    "schedule": "cronjob",
    "workspace": "expwrk",
}


class Launches:
    """All launches. Not thread-safe: the caller holds a lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, list[Json]] = {kind: [] for kind in STATES}

    def add(
        self, kind: str, name: str, cloud: Json, template: Json | None, creator: Json, state: str
    ) -> str:
        """Add a launch with the version of a compute config, and return its id. ``template`` of
        ``None``: it names none.
        """
        launch_id = f"{_PREFIXES[kind]}_{len(self._rows[kind]):020d}"
        now = self._clock.now()
        row = {
            "id": launch_id,
            "name": name,
            "project_id": _PROJECT["id"],
            "cloud_id": cloud["id"],
            "creator_id": creator["id"],
            "created_at": now,
            "updated_at": now,
        }
        found = _MAKERS[kind](state, template, cloud, creator, now)
        self._rows[kind].append({**row, **found})
        return launch_id

    def find(self, path: str, query: t.Any) -> list[Json]:
        """The rows that a query of a path asks for."""
        kind, _largest, takes_states = PATHS[path]
        states = query.getlist("state_filter") if takes_states else []
        exact = {key: query.get(key) for key in ("cloud_id", "project_id", "creator_id")}
        return [
            row
            for row in self._rows[kind]
            if all(value in (None, row[key]) for key, value in exact.items())
            and (not states or _state_of(kind, row) in states)
        ]


def _state_of(kind: str, row: Json) -> str:
    state = row["current_state"] if kind == "service" else row["state"]
    return str(state["current_state"] if kind == "job" else state)


def _mini(template: Json | None) -> Json | None:
    """``mini_compute_template.py``."""
    if template is None:
        return None
    keys = ("id", "name", "version", "archived_at", "anonymous")
    config = {"cloud_id": template["config"]["cloud_id"]}
    return {**{key: template[key] for key in keys}, "config": config}


def _cluster(state: str, template: Json | None, cloud: Json, creator: Json, now: str) -> Json:
    """``decorated_session.py``."""
    return {
        "state": state,
        "cluster_config": "{}",
        "compute_template_id": template and template["id"],
        "compute_template": _mini(template),
        "access_token": SECRET,
        "ssh_authorized_keys": [],
        "ssh_private_key": SECRET,
        "tensorboard_available": False,
        "cluster_config_last_modified_at": now,
        "cloud": cloud,
        "creator": creator,
        "project": _PROJECT,
    }


def _service(state: str, template: Json | None, cloud: Json, creator: Json, now: str) -> Json:
    """``decorated_list_service_api_model.py``."""
    version: Json = {
        "id": f"svcver_{now}",
        "created_at": now,
        "version": "v1",
        "weight": 100,
        "current_weight": 100,
        "target_weight": 100,
        "ray_serve_config": {},
        "build_id": "bld_sandbox",
        "compute_config_id": template and template["id"],
        "production_job_ids": [],
        "current_state": "TERMINATED" if state == "TERMINATED" else "RUNNING",
    }
    urls = dict.fromkeys(("service_dashboard_url", "service_dashboard_embedding_url"))
    return {
        "hostname": "service.example.com",
        "base_url": "https://service.example.com",
        "auth_token": SECRET,
        "current_state": state,
        "goal_state": "TERMINATED" if state == "TERMINATED" else "RUNNING",
        "auto_rollout_enabled": True,
        "versions": [version],
        "primary_version": version,
        "canary_version": None,
        "service_observability_urls": urls,
        "creator": creator,
        "is_multi_version": False,
        "type": "V2",
    }


def _job(state: str, template: Json | None, cloud: Json, creator: Json, now: str) -> Json:
    """``decorated_production_job.py``."""
    return {
        "config": _job_config(template),
        "state": {"id": f"state_{now}", "state_transitioned_at": now, "current_state": state},
        "overview_url": "https://console.example.com/job",
        "is_service": False,
        "token": SECRET,
        "project": _PROJECT,
        "creator": creator,
    }


def _schedule(state: str, template: Json | None, cloud: Json, creator: Json, now: str) -> Json:
    """``decorated_schedule.py``; ``next_trigger_at`` is what Anyscale's own SDK takes the state
    from (``schedule/_private/schedule_sdk.py``).
    """
    return {
        "config": _job_config(template),
        "schedule": {"cron_expression": "0 0 * * *", "timezone": "UTC"},
        "next_trigger_at": now if state == "ENABLED" else None,
        "last_executions": [],
        "compute_template": _mini(template),
        "project": _PROJECT,
        "creator": creator,
        "cloud": cloud,
    }


def _workspace(state: str, template: Json | None, cloud: Json, creator: Json, now: str) -> Json:
    """``experimental_workspace.py``."""
    return {
        "state": state,
        "compute_config_id": template and template["id"],
        "creator_email": creator["email"],
        "organization_id": "org_sandbox",
        "cluster_id": "ses_workspace",
        "environment_id": "bld_sandbox",
        "is_deleted": False,
    }


def _job_config(template: Json | None) -> Json:
    """``production_job_config.py``."""
    return {
        "entrypoint": "python main.py",
        "build_id": "bld_sandbox",
        "compute_config_id": template and template["id"],
        "runtime_env": {"env_vars": {"TOKEN": SECRET}},
    }


_MAKERS: dict[str, t.Callable[[str, Json | None, Json, Json, str], Json]] = {
    "cluster": _cluster,
    "service": _service,
    "job": _job,
    "schedule": _schedule,
    "workspace": _workspace,
}
