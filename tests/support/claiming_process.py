"""A process that claims: several of them share a database and a term.

``python -m support.claiming_process``: the order is JSON on stdin, and each
answered claim is a line on stdout as soon as it is answered.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from random import Random

from pydantic import SecretStr

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.groups import GroupClaim
from kilonova_operator.domain.placement import ClaimRequest
from kilonova_operator.domain.quota import QuotaLimits
from kilonova_operator.domain.refusals import ClaimRefused
from kilonova_operator.storage.sql.stores import open_api_store
from support.databases import OWNER, made_claim
from support.numa import made_numa_claim, pinned_guest
from support.store_contract.claims import ETH0

GROUPS = 50


@dataclass(frozen=True)
class ClaimingOrder:
    """What one process claims: numbers from ``first``, on hosts drawn by ``seed``."""

    url: str
    term: Term
    first: int
    count: int
    hosts: int
    seed: int
    callers: int = 64

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> "ClaimingOrder":
        fields = json.loads(text)
        return cls(**(fields | {"term": Term(**fields["term"])}))


def build_request(number: int, host: str) -> ClaimRequest:
    """Every fourth Server is in a group, every other one has an address.

    Every eighth wants six dedicated CPUs of a cell that has eight.
    """
    request = made_claim(number, host, nics=(ETH0,) if number % 2 else ())
    name = f"group-{number % GROUPS}"
    group = None if number % 4 else GroupClaim(name, "AntiAffinity", max_per_domain=2)
    quota = QuotaLimits(instances=10**6)
    numa = made_numa_claim(pinned_guest(6, memory_mib=64)) if number % 8 == 5 else None
    return replace(request, quota=quota, group=group, numa=numa)


async def claim_all_of(order: ClaimingOrder) -> None:
    """Claim with as many callers as ordered, and tell each answer."""
    random = Random(order.seed)
    store = open_api_store(
        SecretStr(order.url), OWNER, utcnow=lambda: datetime.now(UTC), random=random
    )
    numbers = iter(range(order.first, order.first + order.count))

    async def work() -> None:
        for number in numbers:
            host = f"hv{random.randrange(order.hosts)}"
            request = build_request(number, host)
            try:
                await store.claim(order.term, request)
            except ClaimRefused as refused:
                print(f"{refused.reason} {request.server.uid}", flush=True)
            else:
                print(f"Claimed {request.server.uid}", flush=True)

    await asyncio.gather(*(work() for _ in range(order.callers)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(claim_all_of(ClaimingOrder.of_json(sys.stdin.read())))
