"""The agent's settings, from the environment (prefix ``KILONOVA_``)."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kilonova_api.names import HOSTS_NAMESPACE

IpNetwork = IPv4Network | IPv6Network


def _split(value: Any) -> Any:
    """Read a comma list; empty words are the trailing commas of templates."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(word.strip()) for word in value.split(",") if word.strip())


def _split_words(value: Any) -> Any:
    """Read a comma list of words."""
    if not isinstance(value, str):
        return value
    return tuple(word.strip() for word in value.split(",") if word.strip())


Ranges = Annotated[tuple[IpNetwork, ...], NoDecode, BeforeValidator(_split)]
Monitors = Annotated[
    tuple[Literal["cpu.virt_driver"], ...], NoDecode, BeforeValidator(_split_words)
]


class AgentSettings(BaseSettings):
    """Everything that differs between installations; units are in the names."""

    model_config = SettingsConfigDict(
        env_prefix="KILONOVA_", frozen=True, extra="ignore"
    )

    node_name: Annotated[str, Field(min_length=1, max_length=253)]
    node_ip: Annotated[
        IPv4Address | IPv6Address | None, BeforeValidator(lambda text: text or None)
    ] = None
    """No image may come from it, nor from the link it is on."""
    node_uid: str = ""
    """Only where no pod token tells it."""
    hosts_namespace: str = HOSTS_NAMESPACE
    canary_account: str = "canary.kilonova.invalid"
    kubeconfig: Path | None = None
    """For running outside of a pod: then this is the agent's own identity."""

    libvirt_uri: str = "qemu:///system"
    state_dir: Path = Path("/var/lib/kilonova")
    virt_type: Literal["auto", "kvm", "qemu"] = "auto"
    cpu_mode: Literal["host-model", "host-passthrough", "maximum", "custom"] | None = (
        None
    )
    cpu_model: Annotated[str, Field(max_length=64)] = "qemu64"

    forbidden_ranges: Ranges = ()
    """Ranges of nodes, Pods and Services, which no image may come from."""
    images_allowed_ranges: Ranges = ()
    image_max_bytes: Annotated[int, Field(gt=0)] = 200 * 1024**3
    image_timeout_seconds: Annotated[float, Field(gt=0)] = 4 * 3600.0
    image_unused_seconds: Annotated[float, Field(ge=0)] = 24 * 3600.0
    min_free_disk_bytes: Annotated[int, Field(ge=0)] = 1024**3

    reclaim_after_seconds: Annotated[float, Field(ge=0)] = 24 * 3600.0
    """How long destroyed disks stay in the bin."""
    bin_min_free_percent: Annotated[int, Field(ge=0, le=100)] = 10
    """With less free space the bin is emptied earlier, oldest first."""

    compute_monitors: Monitors = ()
    """As Nova's compute_monitors. With one, the host's report changes each minute."""

    workers: Annotated[int, Field(ge=1, le=64)] = 10
    """Guests worked on at a time, as Nova's max_concurrent_builds."""
    shutdown_timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    shutdown_retry_seconds: Annotated[float, Field(gt=0)] = 10.0
    build_report_after_seconds: Annotated[float, Field(ge=0)] = 2.0
    resync_seconds: Annotated[float, Field(gt=0)] = 600.0
    host_poll_seconds: Annotated[float, Field(gt=0)] = 15.0
    canary_seconds: Annotated[float, Field(gt=0)] = 3600.0
    max_clock_skew_seconds: Annotated[float, Field(gt=0)] = 30.0

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 10680
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"
