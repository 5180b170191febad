"""CEL rules of a flavor: sizes stay, and nothing is said twice."""

from kilonova_api.meta import cel

TYPED_KEYS = {
    "cpu.policy": "hw:cpu_policy",
    "cpu.threads": "hw:cpu_thread_policy",
    "cpu.dedicatedMask": "hw:cpu_dedicated_mask",
    "cpu.emulatorThreads": "hw:emulator_threads_policy",
    "cpu.topology.sockets": "hw:cpu_sockets",
    "cpu.topology.cores": "hw:cpu_cores",
    "cpu.topology.threads": "hw:cpu_threads",
    "numa.nodes": "hw:numa_nodes",
    "memory.pageSize": "hw:mem_page_size",
}
"""Fields of a flavor, and the extra spec that each stands for. Beside them stand
traits (trait:NAME) and resources (resources:CLASS)."""


def _same_size(field: str) -> tuple[str, str]:
    return (
        f"self.{field} == oldSelf.{field}",
        f"{field} is immutable: make a new flavor",
    )


def _same_optional_size(field: str) -> tuple[str, str]:
    now, before = (f"(has({o}.{field}) ? {o}.{field} : 0)" for o in ("self", "oldSelf"))
    return f"{now} == {before}", f"{field} is immutable: make a new flavor"


def _said_once(field: str, key: str) -> tuple[str, str]:
    """Return the rule that a field and its extra spec do not both stand there."""
    parts = field.split(".")
    there = " && ".join(
        f"has(self.{'.'.join(parts[: n + 1])})" for n in range(len(parts))
    )
    return (
        f"!(has(self.extraSpecs) && '{key}' in self.extraSpecs && {there})",
        f"extraSpecs must not hold {key} beside {field}",
    )


def _traits_said_once(field: str) -> tuple[str, str]:
    rule = (
        f"!(has(self.extraSpecs) && has(self.traits) && has(self.traits.{field})) || "
        f"!self.traits.{field}.exists(t, ('trait:' + t) in self.extraSpecs)"
    )
    return rule, f"extraSpecs must not hold a trait: that traits.{field} names"


FLAVOR_RULES = cel(
    *map(_same_size, ("vcpus", "ramMiB")),
    *map(_same_optional_size, ("rootGiB", "ephemeralGiB", "swapMiB")),
    *(_said_once(field, key) for field, key in TYPED_KEYS.items()),
    *map(_traits_said_once, ("required", "forbidden")),
    (
        (
            "!(has(self.extraSpecs) && has(self.resources)) || "
            "!self.resources.exists(c, ('resources:' + c) in self.extraSpecs)"
        ),
        "extraSpecs must not hold a resources: that resources names",
    ),
)
"""CEL rules of the spec as a whole."""

TRAITS_RULES = cel(
    (
        (
            "!(has(self.required) && has(self.forbidden)) || "
            "!self.required.exists(t, t in self.forbidden)"
        ),
        "traits must not be both required and forbidden",
    ),
)
"""CEL rules of a flavor's traits."""
