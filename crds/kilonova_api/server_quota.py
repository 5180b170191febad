"""ServerQuota: how much a namespace's Servers may take in all."""

from typing import Annotated, ClassVar

from pydantic import Field

from kilonova_api.meta import (
    AGE_COLUMN,
    READY_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    Status,
    cel,
)

QUOTA_NAME = "quota"
"""The one name of a ServerQuota: two in a namespace would have no meaning."""
_MAX = 2_147_483_647


def _limit_rule(field: str) -> tuple[str, str]:
    """Return the rule that refuses Nova's -1, which people will try."""
    return (
        f"!has(self.{field}) || self.{field} >= 0",
        f"{field} must be 0 or more: for no limit leave it out",
    )


class ServerQuotaSpec(CrdModel):
    """What an admin allows a namespace. What is left out has no limit."""

    instances: Annotated[
        int | None,
        Field(description="Most Servers; no limit when left out.", ge=-1, le=_MAX),
    ] = None
    cores: Annotated[
        int | None,
        Field(description="Most virtual CPUs; no limit when left out.", ge=-1, le=_MAX),
    ] = None
    ram_mib: Annotated[
        int | None,
        Field(
            alias="ramMiB",
            description="Most memory in MiB; no limit when left out.",
            ge=-1,
            le=_MAX,
        ),
    ] = None


_USE = (
    "in use and allowed, as 5/20; what is in use alone, where there is no limit; at "
    "most half a minute old."
)


class ServerQuotaStatus(Status):
    """What the operator counts in the namespace."""

    instances: Annotated[
        str | None, Field(description=f"Servers {_USE}", max_length=32)
    ] = None
    cores: Annotated[
        str | None, Field(description=f"Virtual CPUs {_USE}", max_length=32)
    ] = None
    ram_mib: Annotated[
        str | None,
        Field(alias="ramMiB", description=f"Memory in MiB {_USE}", max_length=32),
    ] = None


class ServerQuota(KubeObject):
    """How much the Servers of its namespace may take in all; written by admins."""

    crd: ClassVar[Crd] = Crd(
        plural="serverquotas",
        short_names=("nquota",),
        namespaced=True,
        categories=("nova",),
        rules=(
            (
                f"self.metadata.name == '{QUOTA_NAME}'",
                (
                    f"metadata.name must be {QUOTA_NAME}: a namespace has one "
                    "ServerQuota"
                ),
            ),
        ),
        columns=(
            Column("Instances", ".status.instances", "Servers in use and allowed."),
            Column("Cores", ".status.cores", "Virtual CPUs in use and allowed."),
            Column("RAM-MiB", ".status.ramMiB", "Memory in use and allowed."),
            READY_COLUMN.in_wide(),
            AGE_COLUMN,
        ),
    )

    spec: Annotated[
        ServerQuotaSpec,
        Field(
            description="What is allowed.",
            json_schema_extra=cel(
                _limit_rule("instances"), _limit_rule("cores"), _limit_rule("ramMiB")
            ),
        ),
    ]
    status: ServerQuotaStatus = ServerQuotaStatus()
