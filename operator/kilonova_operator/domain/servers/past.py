"""Objects that are older than what was acted on, and what is said of them."""

from datetime import datetime

from kilonova_operator.domain.servers.mirror import build_notice
from kilonova_operator.domain.servers.server_status import StatusWrite, Verdict
from kilonova_operator.domain.servers.super_step import ServerFacts
from kilonova_operator.domain.servers.waiting import build_waiting

OBJECT_FROM_THE_PAST = "ObjectFromThePast"


def judge_the_past(facts: ServerFacts) -> Verdict:
    """Say in which way the object is from the past, and what to do."""
    if facts.tombstoned:
        text = (
            "This Server was deleted; the object came back, probably with a restored "
            "etcd. Nothing is done for it. Delete it; create it anew if it is wanted."
        )
    else:
        acted_on = facts.mapping.object_generation if facts.mapping else 0
        text = (
            f"Generation {acted_on} of this Server was acted on already, and this is "
            f"{facts.server.metadata.generation}: the object is older, probably from "
            "a restored etcd. The guest is left as it is. Apply the manifest again "
            "until the generation is higher."
        )
    return Verdict("Ready", "Unknown", OBJECT_FROM_THE_PAST, text)


def build_from_the_past(facts: ServerFacts, *, now: datetime) -> StatusWrite:
    """Build the status of an object from the past, for whoever speaks for it."""
    verdict = judge_the_past(facts)
    if facts.server.status.cell is None:
        return build_waiting(
            facts.server,
            (verdict,),
            now=now,
            scheduling=facts.server.status.scheduling,
        )
    return build_notice(facts.server, verdict, now=now)
