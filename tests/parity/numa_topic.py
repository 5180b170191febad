"""NUMA: constraints, fit, pinning, pages and usage. Still without our side."""

from collections.abc import Mapping
from random import Random

from parity.oracle_client import Answer, Case
from parity.topic import Judgement


class NumaTopic:
    """Asks, and counts what Nova answers."""

    name = "numa"

    def draw(self, random: Random) -> Case:
        """Make up a flavor and a host of one NUMA cell."""
        policy = random.choice(["dedicated", "shared", "isolated"])
        flavor = {"vcpus": random.randint(1, 8), "memory_mb": 1024}
        cell = {
            "id": 0,
            "cpuset": [0, 1],
            "pcpuset": list(range(2, 8)),
            "memory": 4096,
            "cpu_usage": 0,
            "memory_usage": 0,
            "pinned_cpus": [],
            "siblings": [[0, 1], [2, 3], [4, 5], [6, 7]],
            "mempages": [{"size_kb": 4, "total": 2**20, "used": 0, "reserved": 0}],
        }
        return {
            "flavor": flavor | {"extra_specs": {"hw:cpu_policy": policy}},
            "image": {},
            "host": [cell],
            "ratios": {"cpu": 4.0, "ram": 1.0},
            "packing": False,
        }

    def judge(self, case: Case, answer: Answer) -> Judgement:
        """Count the answer; an exception of the oracle is a difference."""
        if "error" in answer:
            return Judgement(differences=[answer["error"]])
        if "refused" in answer:
            return Judgement(outcomes=["refused"])
        return Judgement(outcomes=["passes" if answer["passes"] else "rejected"])

    def unreached(self, outcomes: Mapping[str, int], cases: int) -> list[str]:
        """Want every answer."""
        return [n for n in ("refused", "passes", "rejected") if not outcomes.get(n)]
