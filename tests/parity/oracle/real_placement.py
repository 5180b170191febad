"""Placement on SQLite in memory: rows go in by SQL, questions through its code."""

import contextlib
import json
from typing import Any

import webob
from cloud_state import uuid_of
from oslo_config import cfg
from oslo_utils import uuidutils
from placement import conf, db_api, deploy
from placement.db.sqlalchemy import models
from sqlalchemy import delete, insert, select

Host = dict[str, Any]

CUSTOM_CLASSES = ("CUSTOM_GPU", "CUSTOM_LICENSE")
CUSTOM_TRAITS = ("CUSTOM_FAST_DISK", "CUSTOM_GOLD", "CUSTOM_SSD", "CUSTOM_UNSEEN")
_FIRST_CUSTOM = 10000
"""Where Placement begins to number classes of a site."""
_VERSION = "1.36"
"""What Nova 34 asks with: nova.scheduler.client.report.SAME_SUBTREE_VERSION."""
_CHANGING = (
    models.Allocation,
    models.Consumer,
    models.Inventory,
    models.ResourceProviderAggregate,
    models.ResourceProviderTrait,
    models.PlacementAggregate,
    models.ResourceProvider,
)


class RealPlacement:
    """The application and its database."""

    def __init__(self) -> None:
        config = cfg.ConfigOpts()
        conf.register_opts(config)
        config.set_override("connection", "sqlite://", group="placement_database")
        config([], project="placement", default_config_files=[])
        config.set_override("auth_strategy", "noauth2", group="api")
        db_api.configure(config)
        self._engine = db_api.get_placement_engine()
        models.BASE.metadata.create_all(self._engine)
        self._app = deploy.loadapp(config)
        with self._engine.begin() as connection:
            connection.execute(
                insert(models.ResourceClass),
                [
                    {"name": name, "id": _FIRST_CUSTOM + n}
                    for n, name in enumerate(CUSTOM_CLASSES)
                ],
            )
            connection.execute(
                insert(models.Trait), [{"name": name} for name in CUSTOM_TRAITS]
            )
            self._classes = dict(
                connection.execute(
                    select(models.ResourceClass.name, models.ResourceClass.id)
                ).all()
            )
            self._traits = dict(
                connection.execute(select(models.Trait.name, models.Trait.id)).all()
            )

    def fill(self, hosts: list[Host], aggregates: list[str]) -> None:
        """Replace all providers; ``aggregates`` are their uuids, by number."""
        providers = [
            {
                "id": number,
                "uuid": uuid_of(host["name"]),
                "name": host["name"],
                "generation": 0,
                "root_provider_id": number,
            }
            for number, host in enumerate(hosts, 1)
        ]
        rows = {
            models.ResourceProvider: providers,
            models.PlacementAggregate: [
                {"id": number, "uuid": uuid}
                for number, uuid in enumerate(aggregates, 1)
            ],
            models.ResourceProviderAggregate: [
                {"resource_provider_id": number, "aggregate_id": aggregate + 1}
                for number, host in enumerate(hosts, 1)
                for aggregate in host["aggregates"]
            ],
            models.ResourceProviderTrait: [
                {"resource_provider_id": number, "trait_id": self._traits[trait]}
                for number, host in enumerate(hosts, 1)
                for trait in host["traits"]
            ],
            models.Inventory: [
                {
                    "resource_provider_id": number,
                    "resource_class_id": self._classes[name],
                    **inventory,
                }
                for number, host in enumerate(hosts, 1)
                for name, inventory in host["inventories"].items()
            ],
            models.Allocation: [
                {
                    "resource_provider_id": number,
                    "resource_class_id": self._classes[name],
                    "consumer_id": uuid_of(f"guest of {host['name']}"),
                    "used": used,
                }
                for number, host in enumerate(hosts, 1)
                for name, used in host["used"].items()
                if used
            ],
        }
        with self._engine.begin() as connection:
            for model in _CHANGING:
                connection.execute(delete(model))
            for model, values in rows.items():
                if values:
                    connection.execute(insert(model), values)

    def find_candidates(self, query: str) -> dict[str, Any]:
        """Return the answer of GET /allocation_candidates; empty if it refuses."""
        status, body = self._ask("GET", f"/allocation_candidates?{query}")
        return body if status == 200 else {"refused": body["errors"][0]["detail"]}

    def claim(self, host: str, amounts: dict[str, int]) -> bool:
        """Try to claim amounts of one host for a new consumer."""
        consumer = uuidutils.generate_uuid()
        body = {
            "allocations": {uuid_of(host): {"resources": amounts}},
            "consumer_generation": None,
            "project_id": "project",
            "user_id": "user",
        }
        status, answer = self._ask("PUT", f"/allocations/{consumer}", body)
        if status not in (204, 409):
            raise RuntimeError(f"Placement answers {status}: {answer}")
        return bool(status == 204)

    def build_adapter(self) -> "Adapter":
        """Return what Nova's report client asks through."""
        return Adapter(self._app)

    def _ask(self, method: str, url: str, body: Any = None) -> tuple[int, Any]:
        response = _call(self._app, method, url, body=body, version=_VERSION)
        with contextlib.suppress(ValueError):
            return response.status_int, response.json_body
        return response.status_int, None


class Adapter:
    """Stands in for keystoneauth's: no HTTP, the application is called."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, url: str, **more: Any) -> "_Response":
        """Send a GET."""
        return self._send("GET", url, **more)

    def put(self, url: str, **more: Any) -> "_Response":
        """Send a PUT."""
        return self._send("PUT", url, **more)

    def post(self, url: str, **more: Any) -> "_Response":
        """Send a POST."""
        return self._send("POST", url, **more)

    def delete(self, url: str, **more: Any) -> "_Response":
        """Send a DELETE."""
        return self._send("DELETE", url, **more)

    def _send(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        microversion: str | None = None,
        global_request_id: str | None = None,
    ) -> "_Response":
        del global_request_id
        version = microversion or _VERSION
        return _Response(_call(self._app, method, url, body=json, version=version))


class _Response:
    """An answer as ``requests`` has it."""

    def __init__(self, response: webob.Response) -> None:
        self.status_code = response.status_int
        self.headers = response.headers
        self.text = response.text
        self.json = lambda: json.loads(response.body)

    def __bool__(self) -> bool:
        return self.status_code < 400


def _call(app: Any, method: str, url: str, *, body: Any, version: str) -> Any:
    request = webob.Request.blank(url, method=method)
    request.headers["X-Auth-Token"] = "admin"
    request.headers["OpenStack-API-Version"] = f"placement {version}"
    request.headers["Accept"] = "application/json"
    if body is not None:
        request.content_type = "application/json"
        request.body = json.dumps(body).encode()
    return request.get_response(app)


__all__ = ["RealPlacement"]
