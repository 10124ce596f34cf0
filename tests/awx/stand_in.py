# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for AWX's REST API: as much of it as the modules of awx.awx need to set up templates,
and no more.

Objects of any kind are kept as they are posted. What AWX refuses or does by itself, and a set-up
can trip over, is in _rules. https://ansible.readthedocs.io/projects/awx/en/24.6.1/rest_api/
"""

from __future__ import annotations

import itertools
import json
import typing as t
from urllib.parse import parse_qs

from werkzeug.wrappers import Request, Response

from ansible_collections.rayfleet.anyscale.tests.awx._rules import (
    ALL_TEMPLATES,
    DEFAULTS,
    TYPES,
    Refused,
    Store,
    deletable,
    playbooks_of,
    shown,
    taken_along,
    validate,
    validate_survey,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._http import HttpServer

TOKEN = "token-for-the-stand-in"
# The id of the role to approve in a workflow is its own and this.
APPROVAL = 100_000
_ROOT = "/api/v2/"
_PRODUCT = {"X-API-Product-Name": "AWX", "X-API-Product-Version": "24.6.1"}

# What is synchronized, and the kind of its jobs.
_UPDATES = {"projects": "project_updates", "inventory_sources": "inventory_updates"}

Json = dict[str, t.Any]


class StandIn:
    """A running AWX without jobs. ``writes`` are the requests that changed something, as method and
    path.
    """

    def __init__(self) -> None:
        self._server = HttpServer(self)
        self.url = self._server.url
        self.reset()

    def __enter__(self) -> StandIn:
        self._server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop()

    def reset(self) -> None:
        """An AWX as it is after its installation: with its own credential types and the Galaxy
        credential.
        """
        self.store: Store = {kind: {} for kind in TYPES}
        self.associations: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[int, Json] = {}
        # Whether the user of the token is a system administrator, and of which kinds synchronizations
        # fail from now on.
        self.is_administrator = True
        self.broken: set[str] = set()
        self.writes: list[tuple[str, str]] = []
        self._ids = itertools.count(1)
        aws = self.add(
            "credential_types",
            name="Amazon Web Services",
            kind="cloud",
            namespace="aws",
            managed=True,
        )
        galaxy = self.add(
            "credential_types",
            name="Ansible Galaxy/Automation Hub API Token",
            kind="galaxy",
            managed=True,
        )
        self.add("credentials", name="Ansible Galaxy", credential_type=galaxy["id"])
        self.aws_type = aws["id"]

    def add(self, path: str, /, **fields: t.Any) -> Json:
        """Make an object below a path of the API, as a user would have before."""
        item = {**DEFAULTS.get(path, {}), **fields, "id": next(self._ids), "type": TYPES[path]}
        self.store[path][item["id"]] = item
        return item

    def named(self, kind: str, name: str) -> Json:
        """The object of a name."""
        return next(
            item
            for item in self.store[kind].values()
            if item.get("identifier", item.get("name")) == name
        )

    def names(self) -> dict[str, set[str]]:
        """The names of all objects, by kind. Jobs are none."""
        return {
            kind: {item.get("identifier", item.get("name")) for item in items.values()}
            for kind, items in self.store.items()
            if kind not in ("project_updates", "inventory_updates")
        }

    def linked(self, kind: str, name: str, association: str) -> list[int]:
        """The ids of what is associated with an object."""
        return self.associations.get((kind, self.named(kind, name)["id"], association), [])

    def __call__(self, environ: Json, start_response: t.Any) -> t.Iterable[bytes]:
        request = Request(environ)
        try:
            status, body = self._answer(request)
        except Refused as refusal:
            status, body = refusal.status, refusal.body
        text = "" if status == 204 else json.dumps(body)
        return Response(text, status=status, headers=_PRODUCT, content_type="application/json")(
            environ, start_response
        )

    def _answer(self, request: Request) -> tuple[int, t.Any]:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, {"detail": "Authentication credentials were not provided."})
        kind, *rest = request.path.removeprefix(_ROOT).strip("/").split("/")
        if request.method != "GET":
            self.writes.append((str(request.method), request.path))
        body = json.loads(request.get_data() or "{}")
        if kind == "roles":
            return self._associated(str(request.method), (kind, int(rest[0]), rest[1]), body)
        if not rest:
            return (
                self._list(kind, request)
                if request.method == "GET"
                else (201, self._create(kind, body))
            )
        item = self._item(kind, int(rest[0]))
        if kind in _UPDATES and rest[1:] == ["update"]:
            return 202, self._synchronize(kind, item)
        if kind == "projects" and rest[1:] == ["playbooks"]:
            return 200, playbooks_of(item)
        if len(rest) == 1:
            return self._one(str(request.method), kind, item, body)
        if rest[1] == "survey_spec":
            return self._survey(str(request.method), item["id"], body)
        if rest[1] == "create_approval_template":
            template = self.add("workflow_approval_templates", **body)
            item["unified_job_template"] = template["id"]
            return 201, self._shown("workflow_approval_templates", template)
        return self._associated(str(request.method), (kind, item["id"], rest[1]), body)

    def _item(self, kind: str, number: int) -> Json:
        if number not in self.store.get(kind, {}):
            raise Refused(404, {"detail": "Not found."})
        return self.store[kind][number]

    def _list(self, kind: str, request: Request) -> tuple[int, Json]:
        if kind == "me":
            user = {"id": 1, "username": "admin", "is_superuser": self.is_administrator}
            return 200, {"count": 1, "next": None, "previous": None, "results": [user]}
        if kind not in (*TYPES, "unified_job_templates"):
            raise Refused(404, {"detail": "Not found."})
        kinds = ALL_TEMPLATES if kind == "unified_job_templates" else (kind,)
        query = {
            name: values[-1] for name, values in parse_qs(request.query_string.decode()).items()
        }
        found = [
            self._shown(each, item)
            for each in kinds
            for item in self.store[each].values()
            if self._matches(item, query)
        ]
        return 200, {"count": len(found), "next": None, "previous": None, "results": found}

    def _matches(self, item: Json, query: dict[str, str]) -> bool:
        """By each of its fields, and by one of those with ``or__``."""
        agrees = {
            name: str(self._field(item, name.removeprefix("or__"))) == value
            for name, value in query.items()
            if name != "page_size"
        }
        either = [agrees[name] for name in agrees if name.startswith("or__")]
        every = [agrees[name] for name in agrees if not name.startswith("or__")]
        return all(every) and (not either or any(either))

    def _field(self, item: Json, name: str) -> t.Any:
        """Of an object, or of what it refers to: organization__name."""
        reference, _separator, of_it = name.partition("__")
        if not of_it:
            return item.get(name)
        return self.store[f"{reference}s"].get(item.get(reference) or 0, {}).get(of_it)

    def _create(self, kind: str, body: Json) -> Json:
        validate(self.store, self.surveys, kind, {**DEFAULTS.get(kind, {}), **body})
        item = self.add(kind, **body)
        if kind == "projects":
            self._synchronize(kind, item)
        return self._shown(kind, item)

    def _synchronize(self, kind: str, item: Json) -> Json:
        """Ends at once. AWX begins with it where a project is created, or where its repository is
        changed, but does not try again by itself. It reads the source of an inventory before jobs.
        """
        succeeds = kind not in self.broken
        item["status"] = "successful" if succeeds else "failed"
        update = self.add(
            _UPDATES[kind],
            status=item["status"],
            failed=not succeeds,
            finished="2027-01-05T00:00:00Z",
            scm_revision=item.get("scm_revision", ""),
        )
        return self._shown(_UPDATES[kind], update)

    def _one(self, method: str, kind: str, item: Json, body: Json) -> tuple[int, Json]:
        if method == "PATCH":
            validate(self.store, self.surveys, kind, {**item, **body})
            moved = kind == "projects" and {**item, **body}["scm_url"] != item.get("scm_url")
            item.update(body)
            if moved:
                self._synchronize(kind, item)
        elif method == "DELETE":
            deletable(self.store, kind, item)
            self._remove(kind, item)
            return 204, {}
        return 200, self._shown(kind, item)

    def _remove(self, kind: str, item: Json) -> None:
        del self.store[kind][item["id"]]
        for other, dependant in taken_along(self.store, kind, item):
            if dependant["id"] in self.store[other]:
                self._remove(other, dependant)

    def _survey(self, method: str, number: int, body: Json) -> tuple[int, Json]:
        if method == "POST":
            validate_survey(body)
            self.surveys[number] = body
        elif method == "DELETE":
            self.surveys.pop(number, None)
        return 200, self.surveys.get(number, {}) if method == "GET" else {}

    def _associated(self, method: str, key: tuple[str, int, str], body: Json) -> tuple[int, Json]:
        ids = self.associations.setdefault(key, [])
        if method == "GET":
            return 200, {
                "count": len(ids),
                "next": None,
                "previous": None,
                "results": [{"id": number} for number in ids],
            }
        if body.get("disassociate"):
            ids.remove(body["id"])
        else:
            ids.append(body["id"])
        return 204, {}

    def _shown(self, kind: str, item: Json) -> Json:
        """An object as the API shows it: with its address, what is related to it, and without its
        secrets.
        """
        url = f"{_ROOT}{kind}/{item['id']}/"
        related = {"survey_spec": f"{url}survey_spec/", "update": f"{url}update/"}
        if item.get("unified_job_template"):
            owner = next(
                each for each in ALL_TEMPLATES if item["unified_job_template"] in self.store[each]
            )
            related["unified_job_template"] = f"{_ROOT}{owner}/{item['unified_job_template']}/"
        return {
            **shown(self.store, kind, item),
            "url": url,
            "related": related,
            "summary_fields": {"object_roles": _object_roles(kind, item["id"])},
        }


def _object_roles(kind: str, number: int) -> Json:
    """The roles of an object that are asked for: that to execute it has the object's own id."""
    approval = {"approval_role": {"id": APPROVAL + number}}
    return {"execute_role": {"id": number}, **(approval if "workflow" in kind else {})}
