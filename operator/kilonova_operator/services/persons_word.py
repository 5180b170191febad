"""A person's word on a Cell: an annotation with the time at which it was given.

It holds for an hour: what it says of a state of now must not be taken for an
answer to a question of next month.
"""

import logging
from datetime import datetime, timedelta

from kilonova_api.cell import Cell
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.errors import KubeError
from kilonova_operator.services.servers.brake import parse_time

logger = logging.getLogger(__name__)

WORD_HOLDS = timedelta(hours=1)


async def find_word(
    kube: KubeApi, cell: str, annotation: str, *, now: datetime
) -> datetime | None:
    """Return when the word was given; None where none holds, or nobody can tell."""
    try:
        found = await kube.find(Cell.resource(), None, cell)
    except KubeError as error:
        logger.info("cell %s cannot be read now: %s", cell, error)
        return None
    annotations = (found or {}).get("metadata", {}).get("annotations") or {}
    given_at = parse_time(annotations.get(annotation, ""))
    if given_at is None or abs(now - given_at) > WORD_HOLDS:
        return None
    return given_at
