"""What admins may ask of Servers, once this process leads."""

from kilonova_api.admin import (
    LIST_DECISIONS,
    SCHEDULE_DRY_RUN,
    DecisionsRequest,
    DryRunRequest,
)
from kilonova_operator.context import ProcessContext
from kilonova_operator.services.admin_verbs import TypedVerb
from kilonova_operator.services.servers.claiming import HostClaimer
from kilonova_operator.services.servers.decisions import DecisionReader
from kilonova_operator.services.servers.dry_run import DryRun
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.hosts import HostDirectory


def register_admin_verbs(context: ProcessContext, claimer: HostClaimer) -> None:
    """Let admins ask."""
    dry_run = DryRun(
        ReferenceReader(context.kube),
        claimer,
        HostDirectory(context.informers.compute_hosts),
    )
    decisions = DecisionReader(context.stores.api)
    context.admin.register(SCHEDULE_DRY_RUN, TypedVerb(DryRunRequest, dry_run.answer))
    context.admin.register(
        LIST_DECISIONS, TypedVerb(DecisionsRequest, decisions.answer)
    )
