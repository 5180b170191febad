"""What every command has in common: cluster, usage, help, completion."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kilonova_api.compute_host import ComputeHost
from kilonova_cli.completion import complete
from kilonova_cli.main import PROGRAM, build_app
from support.kube_front import KubeFront
from support.nova_cli import Nova

COMMANDS = (
    ("explain", "server"),
    ("schedule",),
    ("host", "list"),
    ("host", "show"),
    ("aggregate", "list"),
    ("quota",),
    ("group", "show"),
    ("claim", "list"),
    ("claim", "audit"),
    ("version",),
)


@pytest.mark.parametrize("command", [(), *COMMANDS], ids=" ".join)
def test_help_says_kubectl_nova(command: tuple[str, ...]) -> None:
    ended = CliRunner().invoke(
        build_app(), [*command, "--help"], prog_name=PROGRAM, terminal_width=200
    )
    assert ended.exit_code == 0
    usage = re.sub(r"\s+", " ", ended.output)
    assert f"Usage: {' '.join((PROGRAM, *command))} " in usage
    assert "kubectl-nova" not in ended.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("hosts",), "No such command 'hosts'"),
        (("host", "show"), "Missing argument 'NAME'"),
        (("host", "list", "--colour"), "No such option: --colour"),
        (("host", "list", "-o", "xml"), "'xml' is not one of"),
        (("schedule", "--dry-run"), "Missing option '--filename'"),
        (("claim", "list", "--host", "a", "--server", "b/c"), "must not both be set"),
        (("claim", "list", "--server", "web-0"), "give NAMESPACE/NAME"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    nova: Nova, arguments: tuple[str, ...], told: str
) -> None:
    code, said = nova.refuse(*arguments)
    assert code == 2
    assert told in said


def test_usage_points_to_the_commands_own_help(nova: Nova) -> None:
    assert nova.refuse("host", "show")[1].endswith("See kubectl nova host show --help")


def test_a_context_and_a_kubeconfig_are_chosen_as_in_kubectl(
    front: KubeFront,
    nova: Nova,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    front.put(ComputeHost.resource(), {"metadata": {"name": "hv1"}})
    assert (
        "127.0.0.1:9 does not answer"
        in nova.refuse("host", "list", "--context", "elsewhere")[1]
    )
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert "Set --kubeconfig" in nova.refuse("host", "list")[1]
    assert nova("host", "list", "--kubeconfig", str(nova.kubeconfig)).code == 0
    monkeypatch.setenv("KUBECONFIG", f"{nova.kubeconfig}:{tmp_path / 'none'}")
    assert nova("host", "list").code == 0


def test_a_context_that_is_missing_is_named(nova: Nova) -> None:
    code, said = nova.refuse("host", "list", "--context", "mars")
    assert code == 1
    assert "mars" in said


@pytest.mark.parametrize("text", ["{a: [", "[]", "a: 1", "", "contexts: 7"])
def test_a_kubeconfig_that_is_none_is_named(
    nova: Nova, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "broken"
    path.write_text(text)
    code, said = nova.refuse("host", "list", "--kubeconfig", str(path))
    assert code == 1
    assert str(path) in said


def offered(*words: str) -> tuple[list[str], str]:
    *lines, directive = complete(words)
    return [line.split("\t")[0] for line in lines], directive


def test_tab_offers_commands_options_and_values() -> None:
    assert "schedule" in offered("")[0]
    assert offered("host", "") == (["list", "show"], ":4")
    assert "--zone" in offered("host", "list", "--")[0]
    assert offered("host", "list", "-o", "") == (["table", "json", "yaml"], ":4")
    assert offered("schedule", "-f", "") == ([], ":0")


def test_tab_offers_names_of_the_cluster(front: KubeFront, nova: Nova) -> None:
    assert nova.kubeconfig.exists()
    for name in ("hv1", "hv2", "db1"):
        front.put(ComputeHost.resource(), {"metadata": {"name": name}})
    assert offered("host", "show", "hv") == (["hv1", "hv2"], ":4")
    assert offered("claim", "list", "--host", "d") == (["db1"], ":4")


def test_tab_is_silent_where_no_cluster_answers(nova: Nova) -> None:
    assert json.loads(nova.kubeconfig.read_text())
    assert offered("host", "show", "--context", "elsewhere", "") == ([], ":4")
