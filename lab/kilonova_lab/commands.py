"""The command lines of the control plane's programs. Nothing here has effects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

DEFAULT_SERVICE_RANGE = "10.96.0.0/16"

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "Request",
            "verbs": ["update", "patch"],
            "resources": [
                {
                    "group": "compute.kilonova.dev",
                    "resources": ["servers/status", "instances/status"],
                }
            ],
        },
        {
            "level": "Metadata",
            "verbs": ["create", "update", "patch", "delete", "deletecollection"],
        },
        {"level": "None"},
    ],
}
"""Metadata of every write, of no read: what tests count and crash on.

Of what hosts and operator say of a Server also the words, which hold no secret.
"""

_WHOLE_MIB = 100_000
_ROTATED_MIB = 64


@dataclass(frozen=True, slots=True)
class ControlPlaneLayout:
    """Where one control plane's files and ports are."""

    folder: Path
    programs: Path
    bind_address: str
    advertise_address: str
    port: int
    etcd_port: int
    etcd_peer_port: int
    service_range: str = DEFAULT_SERVICE_RANGE
    pod_range: str | None = None
    rotates_audit_log: bool = False

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.folder / "pki"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.advertise_address}:{self.port}"

    @property
    def etcd_data(self) -> Path:
        """All that etcd stores."""
        return self.folder / "etcd"

    @property
    def audit_log(self) -> Path:
        """One JSON event a line, for each write."""
        return self.folder / "audit.log"

    def get_log(self, program: str) -> Path:
        """Return where a program's output goes."""
        return self.folder / "log" / f"{program}.log"


def build_etcd(layout: ControlPlaneLayout) -> tuple[str, ...]:
    """Return etcd's command line: loopback only, no fsync (a lab may lose data)."""
    client = f"http://127.0.0.1:{layout.etcd_port}"
    peer = f"http://127.0.0.1:{layout.etcd_peer_port}"
    return (
        str(layout.programs / "etcd"),
        f"--data-dir={layout.etcd_data}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--quota-backend-bytes={8 << 30}",
    )


def build_apiserver(layout: ControlPlaneLayout, *, with_nodes: bool) -> tuple[str, ...]:
    """Return the API server's command line.

    The audit log is written before the answer (blocking), so a test that has
    its answer can count. It is whole unless the layout rotates it, as that of a
    cluster which lives for long does; then there are two files of 64 MiB.
    """
    audit_files = (
        (f"--audit-log-maxsize={_ROTATED_MIB}", "--audit-log-maxbackup=1")
        if layout.rotates_audit_log
        else (f"--audit-log-maxsize={_WHOLE_MIB}",)
    )
    pki = layout.pki
    nodes = (
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
    )
    return (
        str(layout.programs / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{layout.etcd_port}",
        f"--bind-address={layout.bind_address}",
        f"--advertise-address={layout.advertise_address}",
        f"--secure-port={layout.port}",
        f"--service-cluster-ip-range={layout.service_range}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--audit-policy-file={layout.folder}/audit-policy.json",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-mode=blocking",
        *audit_files,
        f"--endpoint-reconciler-type={'lease' if with_nodes else 'none'}",
        *(nodes if with_nodes else ()),
    )


def build_controller_manager(
    layout: ControlPlaneLayout, *, with_nodes: bool
) -> tuple[str, ...]:
    """Return the controller manager's command line.

    Without nodes no kubelet reports for the Node objects tests make up, so the
    controllers that would taint and empty such nodes stay off.
    """
    idle = (
        ()
        if with_nodes
        else ("-node-lifecycle-controller", "-taint-eviction-controller")
    )
    ranges = (f"--cluster-cidr={layout.pod_range}",) if layout.pod_range else ()
    return (
        str(layout.programs / "kube-controller-manager"),
        f"--kubeconfig={layout.folder}/controller-manager.kubeconfig",
        f"--service-account-private-key-file={layout.pki}/sa.key",
        f"--root-ca-file={layout.pki}/ca.crt",
        "--use-service-account-credentials",
        "--leader-elect=false",
        f"--controllers={','.join(('*', *idle))}",
        "--allocate-node-cidrs=false",
        *ranges,
        "--kube-api-qps=100",
        "--kube-api-burst=200",
        *(() if with_nodes else ("--secure-port=0",)),
    )


def build_scheduler(layout: ControlPlaneLayout) -> tuple[str, ...]:
    """Return the scheduler's command line; DaemonSet pods need it too."""
    return (
        str(layout.programs / "kube-scheduler"),
        f"--kubeconfig={layout.folder}/scheduler.kubeconfig",
        "--leader-elect=false",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
    )


def build_audit_policy() -> str:
    """Return the audit policy file's text."""
    return json.dumps(AUDIT_POLICY)
