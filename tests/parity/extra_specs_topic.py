"""Extra specs: which keys there are, and what may stand in them."""

import re
from collections.abc import Mapping
from random import Random

from kilonova_api.extra_specs.check import check_extra_specs
from kilonova_api.extra_specs.standard_traits import STANDARD_TRAITS
from kilonova_api.extra_specs.table import (
    GROUP_PATTERN,
    GROUPED,
    KEYS,
    STANDARD_RESOURCE_CLASSES,
)
from parity.oracle_client import Answer, Case
from parity.topic import Judgement

UNKNOWN_NAMESPACE = "UnknownExtraSpecNamespace"
"""Nova lets a key pass whose namespace it does not know; here it is said, since
nothing would read it. A site names those of its own filters."""
READ_BUT_UNLISTED = "ReadButUnlistedExtraSpec"
"""Nova's libvirt driver reads these keys, and its own API refuses them."""
_UNLISTED = {"hw:maxphysaddr_mode", "hw:maxphysaddr_bits"}

_FAMILIES = ("hw:", "quota:", "trait", "resources", "capabilities:")
_NAMESPACES = {key.partition(":")[0] for key in KEYS if ":" in key}
_NAMESPACES.add("aggregate_instance_extra_specs")
_FIXED = sorted(KEYS)
_TRAITS = [*sorted(STANDARD_TRAITS), "CUSTOM_GOLD", "CUSTOM_", "gold"]
_CLASSES = [*sorted(STANDARD_RESOURCE_CLASSES), "CUSTOM_FPGA", "CUSTOM_", "vcpu"]
_OTHERS = [
    *("hw:numa_cpus.0", "hw:numa_cpus.x", "hw:numa_mem.12", "hw:numa_mem."),
    *("capabilities:cpu_info:topology:cores", "capabilities:stats", "capabilities:x"),
    *("capabilities:limits:", "capabilities:vcpus:x"),
    *("aggregate_instance_extra_specs:ssd", "aggregate_instance_extra_specs:"),
    *("ssd", "acme:rack", ":", "hw:", "hw", "a:b:c"),
]
_GROUPS = ["", "", "1", "_a", "-", "a" * 64, "a" * 65, "ä"]
_VALUES = [
    *("", "0", "1", "-1", "15", "16", "007", "+1", " 1 ", "1_0", "1.5", "ten"),
    *("true", "Yes", "OFF", " t ", "maybe", "shared", "dedicated", "mixed", "Shared"),
    *("prefer", "isolate", "require", "share", "small", "2MB", "2Mi", "1G", "4 KB"),
    *("0-3", "^0", "0-3,^2", "1,", "1,,2", "3-", "a", "required", "forbidden"),
    *("preferred", "socket", "none", "pause", "disabled", "auto", "virtio", "ich9"),
    *("1.2", "2.0", "tpm-crb", "user", "luks", "amd-sev", "intel-tdx", "usb"),
    *("qemu-xhci", "custom", "low", "a:1", "a:1, b:2", "a:b", "4GB,16GB", "<in> a"),
]
_USUAL = ["1", "2", "true", "required", "forbidden"]


class ExtraSpecsTopic:
    """One key with one value."""

    name = "extra-specs"

    def draw(self, random: Random) -> Case:
        """Make up a key, at times misspelt, and a value."""
        key = _draw_key(random)
        if random.random() < 0.2:
            at = random.randrange(len(key) + 1)
            key = key[:at] + random.choice(["", "x", ":", "_"]) + key[at + 1 :]
        usual = random.random() < 0.3
        return {"key": key, "value": random.choice(_USUAL if usual else _VALUES)}

    def judge(self, case: Case, answer: Answer) -> Judgement:
        """Compare our verdict with Nova's."""
        problems = check_extra_specs({case["key"]: case["value"]})
        family = next((f for f in _FAMILIES if case["key"].startswith(f)), "another")
        outcomes = [f"{family}={'refused' if problems else 'taken'}"]
        if answer.get("taken") == (not problems):
            return Judgement(outcomes=outcomes)
        if answer.get("taken") and not _is_novas(case["key"].partition(":")[0]):
            return Judgement(deviations=[UNKNOWN_NAMESPACE], outcomes=outcomes)
        if case["key"] in _UNLISTED and not answer.get("taken"):
            return Judgement(deviations=[READ_BUT_UNLISTED], outcomes=outcomes)
        ours = [str(problem) for problem in problems] or "taken"
        return Judgement([f"{case}: Nova {answer}, Kilonova {ours}"], outcomes=outcomes)

    def unreached(self, outcomes: Mapping[str, int], _cases: int) -> list[str]:
        """Say which namespaces were never taken, or never refused."""
        verdicts = ("refused", "taken")
        wanted = [f"{f}={verdict}" for f in _FAMILIES for verdict in verdicts]
        return [outcome for outcome in wanted if not outcomes.get(outcome)]


def _is_novas(namespace: str) -> bool:
    grouped = (re.fullmatch(name + GROUP_PATTERN, namespace) for name in GROUPED)
    return namespace in _NAMESPACES or any(grouped)


def _draw_key(random: Random) -> str:
    kind = random.randrange(4)
    if kind == 0:
        return f"trait{random.choice(_GROUPS)}:{random.choice(_TRAITS)}"
    if kind == 1:
        return f"resources{random.choice(_GROUPS)}:{random.choice(_CLASSES)}"
    return random.choice(_OTHERS if kind == 2 else _FIXED)
