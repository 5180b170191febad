"""The process: settings, identity, driver, signals."""

import asyncio
import base64
import binascii
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

import orjson

from kilonova_agent.agent import Agent, StateDirInUse
from kilonova_agent.drivers.libvirt.domain_xml import GuestCpu
from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_agent.guest_view import run_guest_command
from kilonova_agent.logs import set_up_logs
from kilonova_agent.services.canary import Canary
from kilonova_agent.services.host_token import HostToken
from kilonova_agent.settings import AgentSettings
from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import Clock, SystemClock
from kilonova_api.kube.config import load_in_cluster, load_kubeconfig
from kilonova_api.kube.connection import Connection, ProvidedToken
from kilonova_api.kube.errors import StoreWentBack
from kilonova_api.settings import BadSettings, read_settings

log = logging.getLogger(__name__)

_POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
EXIT_BAD_SETTINGS = 2
EXIT_STATE_DIR_IN_USE = 3
EXIT_STORE_WENT_BACK = 4


@dataclass(frozen=True, slots=True)
class _Identity:
    kube: KubeClient
    canary: Canary | None
    node_uid: str


def main() -> None:
    """Run the agent until SIGTERM, or show one guest (``guest VERB UUID``)."""
    try:
        settings = read_settings(AgentSettings)
    except BadSettings as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(EXIT_BAD_SETTINGS)
    if run_guest_command(sys.argv[1:], settings):
        return
    set_up_logs(settings.log_level, settings.log_format)
    raise SystemExit(asyncio.run(_main(settings)))


async def _main(settings: AgentSettings) -> int:
    clock, random = SystemClock(), SystemRandom()
    async with _identity(settings, clock, random) as identity:
        settings = settings.model_copy(
            update={"node_uid": settings.node_uid or identity.node_uid}
        )
        driver = LibvirtDriver(
            settings.libvirt_uri,
            state_dir=settings.state_dir,
            virt_type=settings.virt_type,
            clock=clock,
            random=random,
            cpu=_cpu(settings),
        )
        agent = Agent(
            settings,
            identity.kube,
            driver,
            clock=clock,
            random=random,
            canary=identity.canary,
            clock_skew_seconds=lambda: identity.kube.clock_skew_seconds,
        )
        return await _run_until_told(agent)


async def _run_until_told(agent: Agent) -> int:
    task = asyncio.create_task(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("the agent ends; guests go on")
    except StoreWentBack as error:
        log.critical("%s", error)
        return EXIT_STORE_WENT_BACK
    except StateDirInUse as error:
        log.critical("%s", error)
        return EXIT_STATE_DIR_IN_USE
    return 0


@contextlib.asynccontextmanager
async def _identity(
    settings: AgentSettings, clock: Clock, random: SystemRandom
) -> AsyncIterator[_Identity]:
    """Give the API server as this host sees it."""
    if settings.kubeconfig is not None:
        connection = await load_kubeconfig(settings.kubeconfig, clock=clock)
        async with KubeClient(connection, clock=clock, random=random) as kube:
            yield _Identity(kube, None, settings.node_uid)
        return
    pod = load_in_cluster(clock=clock)
    async with KubeClient(pod, clock=clock, random=random) as asking:
        token = HostToken(
            asking,
            namespace=settings.hosts_namespace,
            account=settings.node_name,
            clock=clock,
            random=random,
        )
        canary = Canary(
            asking,
            namespace=settings.hosts_namespace,
            account=settings.canary_account,
            interval_seconds=settings.canary_seconds,
            clock=clock,
            random=random,
        )
        own = Connection(
            server=pod.server,
            tls=pod.tls,
            credentials=ProvidedToken(token.get, token.reject),
        )
        async with KubeClient(own, clock=clock, random=random) as kube:
            yield _Identity(kube, canary, _read_node_uid(_POD_TOKEN))


def _read_node_uid(token: Path) -> str:
    """Read the Node's uid, which the API server wrote into the pod's token."""
    try:
        payload = token.read_text(encoding="ascii").split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(f"{payload}=="))
        return str(claims["kubernetes.io"]["node"]["uid"])
    except (OSError, ValueError, KeyError, IndexError, TypeError, binascii.Error):
        log.warning("the pod's token names no Node")
        return ""


def _cpu(settings: AgentSettings) -> GuestCpu | None:
    if settings.cpu_mode is None:
        return None
    return GuestCpu(settings.cpu_mode, settings.cpu_model)


if __name__ == "__main__":
    main()
