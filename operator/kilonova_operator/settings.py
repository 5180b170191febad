"""What a site sets: environment variables ``KILONOVA_*``, typed and checked.

The chart renders its values into them. Nothing secret is among them: database
URLs, which hold passwords, are files of a mounted Secret.
"""

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kilonova_api.names import CELL0
from kilonova_operator.roles import SUPER, cell_of_role, cell_role

API_DATABASE = "api"
"""Name of the API database among the cells' names."""

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
CommaList = NoDecode
"""A list is written with commas, as people write environment variables."""


class Settings(BaseSettings):
    """All of the operator's settings; each field's variable is its upper case name."""

    model_config = SettingsConfigDict(
        env_prefix="KILONOVA_", frozen=True, extra="ignore", allow_inf_nan=False
    )

    # Who this process is.
    namespace: DnsLabel = "kilonova-system"
    release: DnsLabel = "kilonova"
    pod_name: str = "kilonova-operator"
    roles: Annotated[tuple[str, ...], CommaList] = ()
    """Roles to take, in this order: all of them, which is what empty means too."""
    cells: Annotated[tuple[DnsLabel, ...], CommaList] = ("cell1",)
    """In-cluster cells with hosts; cell0 is always there beside them."""
    default_cell: DnsLabel = "cell1"
    """Cell of a host whose Node has no cell label."""

    # Where the API server is.
    kubeconfig: Path | None = None
    """A kubeconfig file; without it the pod's own ServiceAccount is used."""
    context: str | None = None

    # Databases.
    database_urls_dir: Path | None = None
    """Folder of a mounted Secret: files ``api``, ``cell0`` and one per cell, each
    an SQLAlchemy URL. Without it the databases are SQLite files in data_dir."""
    data_dir: Path = Path("/var/lib/kilonova")
    database_pool_size: Annotated[int, Field(ge=1, le=64)] = 8

    # Networks.
    network_pool: IPv4Network = IPv4Network("10.128.0.0/12")
    """Tenants' Networks without a cidr take their ranges from here."""
    network_pool_prefix: Annotated[int, Field(ge=16, le=29)] = 24
    forbidden_ranges: Annotated[tuple[IPv4Network, ...], CommaList] = ()
    """Ranges no tenant may take: of nodes, Pods and Services."""

    # Hosts.
    host_cluster_role: str = "kilonova-agent-host"
    """ClusterRole that a host's account is bound to in the host's namespace."""
    conductor_cluster_role: str = "kilonova-conductor-host"
    """ClusterRole that the operator itself is bound to there, for Secrets."""
    service_account: str = "kilonova-operator"
    """The operator's own account, in its own namespace."""
    reserved_host_memory_mib: Annotated[int, Field(ge=0)] = 512
    reserved_host_cpus: Annotated[int, Field(ge=0)] = 0
    reserved_host_disk_gib: Annotated[int, Field(ge=0)] = 0
    cpu_allocation_ratio: Annotated[float, Field(gt=0)] = 4.0
    ram_allocation_ratio: Annotated[float, Field(gt=0)] = 1.0
    disk_allocation_ratio: Annotated[float, Field(gt=0)] = 1.0
    host_down_seconds: Annotated[float, Field(ge=5)] = 60.0
    silent_hosts_percent: Annotated[int, Field(ge=1, le=100)] = 40
    """With more of a cell's hosts silent at once, and at least three, none of them
    is called down: below that a share says nothing."""

    # What a namespace without a ServerQuota may use; empty: no limit.
    quota_instances: Annotated[int | None, Field(ge=0)] = None
    quota_cores: Annotated[int | None, Field(ge=0)] = None
    quota_ram_mib: Annotated[int | None, Field(ge=0)] = None

    # The scheduler.
    scheduling: Annotated[dict[str, Any], NoDecode] = Field(default_factory=dict)
    """Options by nova.conf's names, as an object in JSON; domain/scheduling/options.py
    lists them."""

    # Patience.
    reference_grace_seconds: Annotated[float, Field(ge=0)] = 60.0
    no_valid_host_grace_seconds: Annotated[float, Field(ge=0)] = 120.0
    count_interval_seconds: Annotated[float, Field(ge=1)] = 30.0
    """Counts in a status are written at most this often per object."""

    tombstone_days: Annotated[int, Field(ge=1)] = 35
    history_days: Annotated[int, Field(ge=1)] = 90

    # The process.
    lease_seconds: Annotated[float, Field(ge=3)] = 15.0
    drain_seconds: Annotated[float, Field(ge=1)] = 20.0
    """After SIGTERM: what is not done by then is cut off and resumed elsewhere."""
    store_check_seconds: Annotated[float, Field(ge=1)] = 60.0
    sweep_settle_seconds: Annotated[float, Field(ge=0)] = 120.0
    """After a store went back: agents notice it within 90 s and report anew."""
    crd_check_seconds: Annotated[float, Field(ge=1)] = 3600.0
    http_host: str = "0.0.0.0"  # noqa: S104 - the kubelet probes the pod's address
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    admin_socket: Path | None = None
    """Where kilonova-manage asks this process; its folder becomes 0700. Without it
    nobody can ask."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"

    @model_validator(mode="before")
    @classmethod
    def _split_commas(cls, values: dict[str, object]) -> dict[str, object]:
        split = ("roles", "cells", "forbidden_ranges")
        return {
            name: _split(value) if name in split and isinstance(value, str) else value
            for name, value in values.items()
        }

    @field_validator("scheduling", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"no JSON: {error}") from error

    @model_validator(mode="after")
    def _check_cells(self) -> Self:
        if CELL0 in self.cells:
            raise ValueError(f"KILONOVA_CELLS: {CELL0} never has hosts, leave it out")
        if self.default_cell not in self.cells:
            raise ValueError(
                f"KILONOVA_DEFAULT_CELL {self.default_cell!r} is not in "
                f"KILONOVA_CELLS ({', '.join(self.cells)})"
            )
        known = {SUPER, *map(cell_role, self.cells)}
        if unknown := set(self.roles) - known:
            raise ValueError(
                f"KILONOVA_ROLES: {', '.join(sorted(unknown))} is no role here; "
                f"roles are {', '.join(sorted(known))}"
            )
        if self.roles and (missing := known - set(self.roles)):
            # A store that went back freezes all roles, and one process sweeps it.
            raise ValueError(
                f"KILONOVA_ROLES: {', '.join(sorted(missing))} is missing: one "
                "process takes all roles so far. Leave KILONOVA_ROLES empty"
            )
        return self

    @property
    def wanted_roles(self) -> tuple[str, ...]:
        """Roles this process takes, super first."""
        return self.roles or (SUPER, *map(cell_role, self.cells))

    @property
    def databases(self) -> tuple[str, ...]:
        """Names of all databases of this release."""
        return (API_DATABASE, CELL0, *self.cells)

    def databases_of(self, role: str) -> tuple[str, ...]:
        """Return the databases whose epoch a role raises and holds."""
        cell = cell_of_role(role)
        return (API_DATABASE, CELL0) if cell is None else (cell,)

    def database_url(self, name: str) -> SecretStr:
        """Return the URL of one of ``databases``.

        Raises:
            FileNotFoundError: the Secret has no such key; the text names it.
        """
        if self.database_urls_dir is None:
            return SecretStr(f"sqlite:///{self.data_dir / name}.sqlite")
        path = self.database_urls_dir / name
        try:
            return SecretStr(path.read_text(encoding="utf-8").strip())
        except FileNotFoundError as missing:
            raise FileNotFoundError(
                f"no URL for database {name!r}: the Secret mounted at "
                f"{self.database_urls_dir} needs a key {name!r}"
            ) from missing


def _split(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
