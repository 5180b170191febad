"""``kilonova-operator``: reads the settings, connects, runs until told to stop."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from kubernetes.aio.config.config_exception import ConfigException
from pydantic.fields import FieldInfo

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.config import load_in_cluster, load_kubeconfig
from kilonova_api.kube.connection import Connection
from kilonova_api.settings import BadSettings, read_settings
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.defaults import Scheduling
from kilonova_operator.process.databases import open_stores
from kilonova_operator.process.logs import configure_logging
from kilonova_operator.process.parts import Parts
from kilonova_operator.process.run import OperatorProcess
from kilonova_operator.process.scheduling import (
    build_scheduling_options,
    load_scheduling,
)
from kilonova_operator.services.servers.cell_wiring import build_cell_controllers
from kilonova_operator.services.servers.super_wiring import build_super_controllers
from kilonova_operator.settings import Settings

logger = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_BAD_SETTINGS = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the operator; the exit code tells an order (0) from a failure."""
    _build_parser().parse_args(arguments)
    try:
        settings = read_settings(Settings)
        scheduling = _load_scheduling(settings)
    except BadSettings as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(EXIT_BAD_SETTINGS)
    configure_logging(settings.log_level, settings.log_format)
    code = asyncio.run(_run(settings, scheduling))
    logging.shutdown()
    # Not sys.exit: it would wait for database threads that hang in a call, and
    # a process whose Lease is lost must be gone before the next one leads.
    os._exit(code)


def _load_scheduling(settings: Settings) -> Scheduling:
    """Load the scheduler's rules; one that is wrong is a wrong setting."""
    try:
        return load_scheduling(build_scheduling_options(settings.scheduling))
    except KilonovaError as wrong:
        raise BadSettings(f"KILONOVA_SCHEDULING: {wrong}") from wrong


def _build_parser() -> argparse.ArgumentParser:
    fields = Settings.model_fields.items()
    variables = "\n".join(
        f"  KILONOVA_{name.upper()}  (default: {_describe_default(field)})"
        for name, field in fields
    )
    return argparse.ArgumentParser(
        prog="kilonova-operator",
        description="Conducts Kilonova's Servers, hosts, cells and networks. It takes "
        "no arguments; environment variables set it.",
        epilog=f"environment variables:\n{variables}\n\nOutside a pod set "
        "KILONOVA_KUBECONFIG.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _describe_default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}):
        return "none"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


async def _run(settings: Settings, scheduling: Scheduling) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        connection = await _connect(settings)
    except (ConfigException, OSError) as error:
        logger.error(  # noqa: TRY400 - the text says it all
            "no API server to connect to: %s. Outside a pod set KILONOVA_KUBECONFIG",
            error,
        )
        return EXIT_FAILED
    async with KubeClient(connection, user_agent="kilonova-operator") as kube:
        parts = Parts(
            kube=kube,
            connection=connection,
            open_stores=open_stores,
            super_controllers=(build_super_controllers,),
            cell_controllers=(build_cell_controllers,),
            scheduling=scheduling,
        )
        try:
            await OperatorProcess(settings, parts).run(stop)
        except Exception as error:
            logger.exception("the operator ends: %s", error)  # noqa: TRY401
            return EXIT_FAILED
    logger.info("the operator has ended as asked")
    return 0


async def _connect(settings: Settings) -> Connection:
    clock = SystemClock()
    if settings.kubeconfig is None:
        return load_in_cluster(clock=clock)
    return await load_kubeconfig(
        settings.kubeconfig, clock=clock, context=settings.context
    )
