"""What admins may ask of Servers, once this process leads."""

from kilonova_api.admin import (
    AUDIT_CLAIMS,
    LIST_CLAIMS,
    LIST_DECISIONS,
    SCHEDULE_DRY_RUN,
    SHOW_QUOTA,
    AuditRequest,
    ClaimsRequest,
    DecisionsRequest,
    DryRunRequest,
    QuotaRequest,
)
from kilonova_operator.context import ProcessContext
from kilonova_operator.services.admin_verbs import TypedVerb
from kilonova_operator.services.quotas.quota_reader import QuotaReader
from kilonova_operator.services.servers.claim_audit import ClaimAuditor
from kilonova_operator.services.servers.claim_list import ClaimLister
from kilonova_operator.services.servers.claiming import HostClaimer
from kilonova_operator.services.servers.decisions import DecisionReader
from kilonova_operator.services.servers.dry_run import DryRun
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.hosts import HostDirectory


def register_admin_verbs(context: ProcessContext, claimer: HostClaimer) -> None:
    """Let admins ask."""
    api, admin = context.stores.api, context.admin
    dry_run = DryRun(
        references=ReferenceReader(context.kube),
        claimer=claimer,
        hosts=HostDirectory(context.informers.compute_hosts),
        quotas=claimer.quotas,
        api=api,
    )
    decisions, claims = DecisionReader(api), ClaimLister(api)
    auditor = ClaimAuditor(api, context.kube)
    quotas = QuotaReader(claimer.quotas, api)
    admin.register(SCHEDULE_DRY_RUN, TypedVerb(DryRunRequest, dry_run.answer))
    admin.register(LIST_DECISIONS, TypedVerb(DecisionsRequest, decisions.answer))
    admin.register(LIST_CLAIMS, TypedVerb(ClaimsRequest, claims.answer))
    admin.register(AUDIT_CLAIMS, TypedVerb(AuditRequest, auditor.answer))
    admin.register(SHOW_QUOTA, TypedVerb(QuotaRequest, quotas.answer))
