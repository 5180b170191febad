"""The lab's commands: ``python -m kilonova_lab COMMAND``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kilonova_lab.choose import open_target, start_target, stop_target
from kilonova_lab.cluster import DEFAULT_CONFIG, DEFAULT_ID, Cluster, check_id
from kilonova_lab.errors import LabError
from kilonova_lab.programs import CONTAINERD, COREDNS, KUBE, ProgramCache
from kilonova_lab.supervised import Program
from kilonova_lab.target import Target

_PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
_INTERRUPTED = 130  # as shells count a program that SIGINT ended


def build_shell_environment(
    target: Target, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return an environment with the cluster's kubectl, helm and kubeconfig.

    ``kubectl nova`` is this checkout's, wherever else one is installed.
    """
    folders = [str(folder) for folder in (*target.bin_folders, _PLUGINS)]
    path = ":".join([*folders, environment.get("PATH", "/usr/bin:/bin")])
    return {**environment, "PATH": path, "KUBECONFIG": str(target.kubeconfig)}


def _build(_: argparse.Namespace) -> None:
    cache = ProgramCache()
    for name, folder in cache.ensure(KUBE, CONTAINERD, COREDNS).items():
        print(f"{name:12} {folder}")


def _up(arguments: argparse.Namespace) -> None:
    target = start_target(
        arguments.id, kubeconfig=arguments.cluster, config_path=arguments.config
    )
    print(f"kubeconfig: {target.kubeconfig} (a shell with it: make shell)")


def _down(arguments: argparse.Namespace) -> None:
    print(stop_target(arguments.id))


def _status(arguments: argparse.Namespace) -> None:
    cluster = Cluster.open(arguments.id)
    print(f"lab {cluster.id}: {cluster.layout.server}, kubeconfig {cluster.kubeconfig}")
    for program in ("etcd", "apiserver", "controller_manager", "scheduler"):
        _print_state("", getattr(cluster.control_plane, program))
    for node in cluster.nodes:
        print(f"  node {node.name} {node.ip}: {'up' if node.running else 'DOWN'}")
        for supervised in node.programs.values() if node.running else ():
            _print_state("  ", supervised)


def _print_state(indent: str, program: Program) -> None:
    state = "running" if program.running else f"DOWN, see {program.log}"
    print(f"  {indent}{program.name}: {state}")


def _shell(arguments: argparse.Namespace) -> None:
    target = open_target(arguments.id)
    environment = build_shell_environment(target, os.environ)
    shell = environment.get("SHELL", "/bin/bash")
    print(
        f"kubectl, kubectl nova and helm here talk to {target.kubeconfig}; leave with: "
        "exit"
    )
    os.execvpe(shell, [shell], environment)  # noqa: S606 - the user's own shell


def _node(arguments: argparse.Namespace) -> None:
    inside = Cluster.open(arguments.id).node(arguments.name).build_shell_argv()
    argv = [*inside, *(arguments.argv or ["bash"])]
    if os.getuid() != 0:
        argv = ["sudo", *argv]
    os.execvp(argv[0], argv)  # noqa: S606 - fixed, then what the user typed


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m kilonova_lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--id", default=DEFAULT_ID, help="lab id (%(default)s)")
        return command

    add("build", _build, "Build the programs from Go modules, once")
    up = add("up", _up, "Bring up the cluster")
    up.add_argument("--cluster", type=Path, help="kubeconfig of a cluster to use")
    up.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="cluster file")
    add("down", _down, "Take it down, without a trace")
    add("status", _status, "Show what runs")
    add("shell", _shell, "A shell with kubectl, kubectl nova and helm of the lab")
    node = add("node", _node, "A root shell, or one command, in a node of the lab")
    node.add_argument("name")
    node.add_argument("argv", nargs=argparse.REMAINDER)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; an error of the lab is one message, not a traceback."""
    arguments = build_parser().parse_args(argv)
    try:
        check_id(arguments.id)
        arguments.run(arguments)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was begun is undone", file=sys.stderr)
        return _INTERRUPTED
    return 0
