"""Whether the API server serves the CRDs that this program was built for."""

from collections.abc import Iterable
from dataclasses import dataclass

from kilonova_api import KINDS
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import CUSTOM_RESOURCE_DEFINITION, KubeObject
from kilonova_api.meta import KubeObject as OurObject
from kilonova_api.names import GROUP, VERSION
from kilonova_operator.domain.crd_fields import find_missing_fields
from kilonova_operator.domain.errors import KilonovaError

_MOST_FIELDS_SHOWN = 5


class HalfUpgraded(KilonovaError):
    """Operator and CRDs are of different versions: nothing may be written."""

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__(
            f"{'; '.join(problems)}. Apply the CRDs of this version "
            "(helm upgrade kilonova-crds, or kubectl apply --server-side -f crds/). "
            "Nothing is written until then; guests run on."
        )


@dataclass(frozen=True, slots=True)
class CrdCheck:
    """Looks at our CRDs, each by its name."""

    kube: KubeApi

    async def check(self) -> None:
        """Raise HalfUpgraded unless every kind is served as this program needs it."""
        problems = [
            problem
            for model in KINDS
            if (problem := await self._find_problem(model)) is not None
        ]
        if problems:
            raise HalfUpgraded(problems)

    async def _find_problem(self, model: type[OurObject]) -> str | None:
        crd = await self._find(model)
        if crd is None:
            return f"CRD {_name(model)} is missing"
        if "deletionTimestamp" in crd["metadata"]:
            return f"CRD {_name(model)} is being deleted"
        if not _is_established(crd):
            return f"CRD {_name(model)} is not served yet"
        missing = find_missing_fields(model, crd, VERSION)
        if not missing:
            return None
        shown = ", ".join(missing[:_MOST_FIELDS_SHOWN])
        more = len(missing) - _MOST_FIELDS_SHOWN
        return f"CRD {_name(model)} lacks {shown}" + (
            f" and {more} more" if more > 0 else ""
        )

    async def _find(self, model: type[OurObject]) -> KubeObject | None:
        return await self.kube.find(CUSTOM_RESOURCE_DEFINITION, None, _name(model))


def _name(model: type[OurObject]) -> str:
    return f"{model.crd.plural}.{GROUP}"


def _is_established(crd: KubeObject) -> bool:
    # A CRD that was made this moment has null there.
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(
        condition["type"] == "Established" and condition["status"] == "True"
        for condition in conditions
    )
