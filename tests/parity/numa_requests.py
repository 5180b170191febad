"""Made-up flavors and images that speak of NUMA, in the oracle's form."""

from random import Random
from typing import Any

Words = dict[str, str]

_CPU_POLICIES = ["dedicated", "shared", "mixed"]
_THREAD_POLICIES = ["prefer", "isolate", "require"]
_PAGES = ["small", "large", "any", "4", "2048", "1048576", "2MB", "1GB", "4KiB", "2MiB"]
_BAD_PAGES = ["big", "2M", "2mb", "", "0", "3KB", "1.5KB", "-4KB", "²", "16Mbit"]
_BAD_NUMBERS = ["0", "two", "-1", "02", "1.0", "", " 2"]
_BAD_CPUS = [
    "0-",
    "3-1",
    "x",
    "^",
    "0-999",
    "",
    "1,,2",
    " 0 - 1 ",
    "^0",
    "0-999999,^4-999999",
    "+0",
    "0,1_0",
]


class RequestDrawer:
    """Draws one request: most of them make sense, so that they reach a host.

    ``host_cells``: seldom more nodes than that are asked for.
    """

    def __init__(self, random: Random, host_cells: int) -> None:
        self._random = random
        self.specs: Words = {}
        self.image: Words = {}
        self.nodes = random.choices([1, 2, 3, 4], [6, 5, 1, 2])[0]
        if self._chance(0.85):
            self.nodes = min(self.nodes, host_cells)
        self.vcpus = self.nodes * random.choices([1, 2, 3, 4, 6], [2, 4, 1, 3, 1])[0]
        self.memory_mib = self.nodes * random.choice([256, 512, 1024, 2048, 500, 1023])

    def draw(self) -> tuple[dict[str, Any], Words]:
        """Return flavor and image."""
        self._draw_policies()
        self._draw_nodes()
        self._draw_pages()
        self._draw_rarities()
        if self._chance(0.05):
            self._spoil()
        if self._chance(0.02):
            self.memory_mib += 1
        flavor = {
            "vcpus": self.vcpus,
            "memory_mb": self.memory_mib,
            "extra_specs": self.specs,
        }
        return flavor, self.image

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _say(self, name: str, word: str, *, image_share: float = 0.15) -> None:
        """Say a word in the flavor, the image, or both."""
        if self._chance(image_share):
            self.image[f"hw_{name}"] = word
            if self._chance(0.5):
                return
        self.specs[f"hw:{name}"] = word

    def _draw_policies(self) -> None:
        policy = self._random.choices([None, *_CPU_POLICIES], [30, 40, 10, 20])[0]
        if policy:
            self._say("cpu_policy", policy)
        if self._chance(0.05):
            self.image["hw_cpu_policy"] = self._random.choice(_CPU_POLICIES)
        pinned = policy in ("dedicated", "mixed")
        if self._chance(0.6 if pinned else 0.02):
            self._say("cpu_thread_policy", self._random.choice(_THREAD_POLICIES))
        if pinned and self._chance(0.1):
            self.image["hw_cpu_thread_policy"] = self._random.choice(_THREAD_POLICIES)
        if self._chance(0.4 if pinned else 0.03):
            emulator = "share" if not pinned or self._chance(0.4) else "isolate"
            self.specs["hw:emulator_threads_policy"] = emulator
        if policy == "mixed" or self._chance(0.02):
            self._draw_mask()
        if self._chance(0.1 if pinned else 0.01):
            self._draw_realtime()

    def _draw_mask(self) -> None:
        if self.vcpus == 1 and self._chance(0.8):
            self.vcpus = 2 * self.nodes
        if self._chance(0.15):
            self._draw_realtime()
        else:
            self.specs["hw:cpu_dedicated_mask"] = self._mask()

    def _draw_realtime(self) -> None:
        self.specs["hw:cpu_realtime"] = self._random.choice(["yes", "True", "1", "no"])
        if self._chance(0.8):
            self._say("cpu_realtime_mask", self._mask())

    def _mask(self) -> str:
        number = self._random.randrange(self.vcpus)
        return self._random.choice(
            [f"^{number}", f"{number}", f"0-{number}", f"^0-{number}", f"^{number},^0"]
        )

    def _draw_nodes(self) -> None:
        if self.nodes == 1 and self._chance(0.6):
            return
        self._say("numa_nodes", str(self.nodes))
        if self._chance(0.3):
            self._draw_parts()

    def _draw_parts(self) -> None:
        """Split CPUs and memory unevenly, said by flavor or image."""
        cells = [self._random.randrange(self.nodes) for _ in range(self.vcpus)]
        cuts = sorted(
            self._random.sample(range(1, self.memory_mib // 64), k=self.nodes - 1)
        )
        edges = [0, *(64 * cut for cut in cuts), self.memory_mib]
        words, key = self.specs, "hw:"
        if self._chance(0.2):
            words, key = self.image, "hw_"
        if self.nodes > 1 and self._chance(0.05):
            edges[1] = self._random.choice([0, -64])
        for node in range(self.nodes):
            cpus = [str(cpu) for cpu, cell in enumerate(cells) if cell == node]
            words[f"{key}numa_cpus.{node}"] = ",".join(cpus)
            words[f"{key}numa_mem.{node}"] = str(edges[node + 1] - edges[node])

    def _draw_pages(self) -> None:
        if self._chance(0.45):
            self.specs["hw:mem_page_size"] = self._random.choice(_PAGES)
            if self._chance(0.15):
                self.image["hw_mem_page_size"] = self._random.choice(_PAGES)

    def _draw_rarities(self) -> None:
        if self._chance(0.04):
            amount = self.vcpus + (
                self.specs.get("hw:emulator_threads_policy") == "isolate"
            )
            key = self._random.choice(["resources:PCPU", "resources1:PCPU"])
            self.specs.pop("hw:cpu_policy", None)
            self.specs[key] = str(amount)
        if self._chance(0.02):
            self.specs["resources:VCPU"] = str(self.vcpus)
        if self._chance(0.05):
            self.specs.pop("hw:cpu_thread_policy", None)
            words = self._random.choice([self.specs, self.image])
            state = self._random.choice(["required", "required", "forbidden"])
            words["trait:HW_CPU_HYPERTHREADING"] = state
        if self._chance(0.05):
            self._say("locked_memory", self._random.choice(["true", "no", "1", ""]))
        if self._chance(0.03):
            self.image["hw_locked_memory"] = self._random.choice(["true", "no"])

    def _spoil(self) -> None:
        """Make one word bad."""
        name, bad = self._random.choice(
            [
                ("numa_nodes", _BAD_NUMBERS),
                ("numa_mem.0", [*_BAD_NUMBERS, "-64", "100"]),
                ("numa_cpus.0", _BAD_CPUS),
                ("numa_cpus.1", _BAD_CPUS),
                ("mem_page_size", _BAD_PAGES),
                ("cpu_policy", ["pinned", "", "Dedicated"]),
                ("cpu_thread_policy", ["both", ""]),
                ("cpu_dedicated_mask", _BAD_CPUS),
                ("cpu_realtime_mask", _BAD_CPUS),
                ("emulator_threads_policy", ["own", ""]),
            ]
        )
        word = self._random.choice(bad)
        if self._chance(0.3) and name != "emulator_threads_policy":
            self.image[f"hw_{name}"] = word
        else:
            self.specs[f"hw:{name}"] = word
