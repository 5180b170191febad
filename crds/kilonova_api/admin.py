"""What ``kubectl nova`` asks the leading operator, and what it answers.

A request is one JSON object, and so is the answer: they travel through
``kilonova-manage`` in the operator's pod and a unix socket there.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from kilonova_api.server_status import SchedulingRecord

SCHEDULE_DRY_RUN = "schedule-dry-run"
LIST_DECISIONS = "list-decisions"
LIST_CLAIMS = "list-claims"
AUDIT_CLAIMS = "audit-claims"
SHOW_QUOTA = "show-quota"
ADMIN_VERBS = (
    SCHEDULE_DRY_RUN,
    LIST_DECISIONS,
    LIST_CLAIMS,
    AUDIT_CLAIMS,
    SHOW_QUOTA,
)

MAX_REQUEST_BYTES = 1 << 20
"""A Server's manifest is much smaller: etcd takes no object above 1.5 MiB."""
MAX_HOSTS = 10_000
"""To tell of so many takes the scheduler half a second."""


class AdminMessage(BaseModel):
    """A part of a request or an answer: camelCase on the wire.

    Unknown fields are ignored on reading, since the other side may be newer;
    who must not ignore them says so when it validates.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    def wire(self) -> dict[str, Any]:
        """Return it as JSON takes it, without what is not there."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Refusal(AdminMessage):
    """Why there is no answer, in one word and in one sentence."""

    reason: str
    message: str


class DryRunRequest(AdminMessage):
    """Where would this Server go? ``server`` is its manifest."""

    server: dict[str, Any]
    hosts: int = Field(20, ge=0, le=MAX_HOSTS)
    """How many hosts to tell of, the best first."""


class HostJudgement(AdminMessage):
    """One host: the first constraint it failed, or each weight and their sum."""

    host: str
    failed: str | None = None
    weights: dict[str, float] = Field(default_factory=dict)
    total: float | None = None


class DryRunProblem(Refusal):
    """What is wrong with what the Server refers to; some of it may yet come."""

    waits: bool = False


class DryRunAnswer(AdminMessage):
    """Where the Server would go, and why not elsewhere. Nothing was claimed.

    ``host`` is None where none fits. ``scheduling`` is None where a problem stands
    before the choice of a host.
    """

    server: str
    host: str | None = None
    cell: str | None = None
    zone: str | None = None
    problem: DryRunProblem | None = None
    scheduling: SchedulingRecord | None = None
    hosts: tuple[HostJudgement, ...] = ()
    hosts_not_shown: int = 0


class DecisionsRequest(AdminMessage):
    """The last decisions about a Server, by its uid."""

    uid: str = Field(min_length=1, max_length=64)
    hosts: int = Field(20, ge=0, le=MAX_HOSTS)
    """How many hosts to tell of with each, the best first."""


class FullDecision(AdminMessage):
    """One decision as the database keeps it.

    ``record`` is Server.status.scheduling, or what stood in the way; ``hosts`` are
    those that were considered, best first. ``hosts_not_kept`` says why there are none.
    """

    decided_at: datetime | None = None
    outcome: str
    host: str | None = None
    record: dict[str, Any] = Field(default_factory=dict)
    hosts: tuple[HostJudgement, ...] = ()
    hosts_not_shown: int = 0
    hosts_not_kept: str | None = None


class DecisionsAnswer(AdminMessage):
    """The last three decisions, newest first."""

    decisions: tuple[FullDecision, ...] = ()


class ClaimsRequest(AdminMessage):
    """Claims of one host, of one Server, or all."""

    host: str | None = Field(None, max_length=253)
    namespace: str | None = Field(None, max_length=63)
    name: str | None = Field(None, max_length=253)
    after: str = Field("", max_length=64)
    """Start after the Server of this uid: where the page before ended."""


ClaimState = Literal["Placed", "Former", "Deleting", "Retained", "Orphan"]


class HeldCell(AdminMessage):
    """What a claim holds of one NUMA cell of its host.

    ``cpus`` are the host's CPUs that are for this guest alone, as ``4-5,12``; empty
    where it shares. ``page_size_kib`` is None where no size was asked for.
    """

    cell: int
    cpus: str = ""
    memory_mib: int
    page_size_kib: int | None = None


class ClaimRow(AdminMessage):
    """What one placement of a Server holds.

    ``state``: Placed (the Server is there), Former (it moved, its old guest is not
    yet proven gone), Deleting (its delete is recorded), Retained (its guest goes
    on without it), Orphan (no mapping speaks of it).
    """

    server: str
    uid: str
    host: str
    generation: int
    state: ClaimState
    amounts: dict[str, int] = Field(default_factory=dict)
    shared: dict[str, dict[str, int]] = Field(default_factory=dict)
    cells: tuple[HeldCell, ...] = ()


class ClaimsAnswer(AdminMessage):
    """One page of claims; ``next`` is where the next one starts, empty at the end."""

    claims: tuple[ClaimRow, ...] = ()
    next: str = ""


class AuditRequest(AdminMessage):
    """Compare claims with Servers. There is nothing to choose."""


class AuditFinding(AdminMessage):
    """One thing that does not add up."""

    kind: str
    subject: str
    message: str


class AuditAnswer(AdminMessage):
    """What was compared, and what differs: nothing on a healthy database."""

    servers: int
    """Servers that have a host."""
    claims: int
    hosts: int
    findings: tuple[AuditFinding, ...] = ()
    findings_not_shown: int = 0


class QuotaRequest(AdminMessage):
    """What holds in this namespace, with a ServerQuota or without?"""

    namespace: str = Field(min_length=1, max_length=63)


class QuotaAnswer(AdminMessage):
    """Each as 5/20, in use and allowed; what is in use alone has no limit."""

    instances: str
    cores: str
    ram_mib: str
