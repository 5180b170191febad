"""Asking the operator that leads: by exec in its pod.

Its Lease names the pod. ``kilonova-manage`` there passes the request on to the
process's unix socket. So who may exec into that pod may ask, and nobody else.
"""

import json
import time
from dataclasses import dataclass
from typing import TypeVar

from kubernetes.client import ApiClient
from pydantic import ValidationError

from kilonova_api.admin import MAX_REQUEST_BYTES, AdminMessage, Refusal
from kilonova_api.kube.lease_record import LeaseRecord
from kilonova_api.kube.resources import LEASE
from kilonova_api.names import (
    OPERATOR_CONTAINER,
    SUPER_ROLE,
    pod_of_holder,
    role_lease,
)
from kilonova_cli.cluster import Cluster
from kilonova_cli.errors import CliError, NotThere, OperatorRefused, UsageProblem
from kilonova_cli.pod_exec import ExecTarget, PodGone, run_in_pod

A = TypeVar("A", bound=AdminMessage)

_ATTEMPTS = 3
_PAUSE_SECONDS = 2.0
_PASSING = frozenset({"NotLeader", "Busy", "OperatorSilent"})
"""Reasons that go by themselves: another process may just be taking over."""


@dataclass(frozen=True, slots=True)
class Leader:
    """The operator that schedules, wherever it runs at the moment."""

    cluster: Cluster
    namespace: str
    release: str

    def ask(self, verb: str, request: AdminMessage, answer: type[A]) -> A:
        """Ask a verb.

        Raises:
            OperatorRefused: its own words.
            CliError: nobody leads, or it may not be asked.
        """
        body = json.dumps(request.wire(), separators=(",", ":"), default=str).encode()
        if len(body) >= MAX_REQUEST_BYTES:
            raise UsageProblem(
                f"the request has {len(body)} bytes, less than {MAX_REQUEST_BYTES} can "
                "be asked"
            )
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._ask_once(verb, body, answer)
            except (OperatorRefused, PodGone) as refused:
                passing = getattr(refused, "reason", None) in _PASSING
                gone = isinstance(refused, PodGone)
                if attempt == _ATTEMPTS or not (passing or gone):
                    raise
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    def _ask_once(self, verb: str, body: bytes, answer: type[A]) -> A:
        target = ExecTarget(self.namespace, self.find_pod(), OPERATOR_CONTAINER)
        done = run_in_pod(
            self._own_client(), target, ["kilonova-manage", verb], body + b"\n"
        )
        try:
            if done.exit_code == 0:
                return answer.model_validate_json(done.stdout)
            refusal = Refusal.model_validate_json(done.stdout)
        except ValidationError:
            said = " ".join(
                (done.stderr or done.stdout).decode(errors="replace").split()
            )
            raise CliError(
                f"kilonova-manage {verb} in pod {target.pod} ended with code "
                f"{done.exit_code} and no answer that this kubectl nova knows: "
                f"{said.strip() or 'nothing'}"
            ) from None
        raise OperatorRefused(refusal.reason, refusal.message)

    def find_pod(self) -> str:
        """Return the name of the pod that holds the Lease of role super."""
        name = role_lease(self.release, SUPER_ROLE)
        try:
            lease = self.cluster.get(LEASE, name, namespace=self.namespace)
        except NotThere:
            raise NotThere(
                f"no operator: namespace {self.namespace} has no Lease {name}. Set "
                "--operator-namespace and --release to those of the installation"
            ) from None
        pod = pod_of_holder(LeaseRecord.of(lease).holder)
        if not pod:
            raise CliError(
                f"no operator leads: nobody holds Lease {name} in namespace "
                f"{self.namespace}. Look at its pods, or ask again in a minute"
            )
        return pod

    def _own_client(self) -> ApiClient:
        # The client's stream helper replaces a method of the client it is given.
        return ApiClient(self.cluster.chosen.api.configuration)
