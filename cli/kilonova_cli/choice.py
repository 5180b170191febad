"""Which cluster is meant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """What ``--kubeconfig``, ``--context`` and ``--namespace`` say."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
