"""Command lines and files of the lab's programs."""

import json
import shutil
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from kilonova_lab import cli, commands, nodefiles, requirements, uplink
from kilonova_lab.cluster import check_id
from kilonova_lab.commands import ControlPlaneLayout
from kilonova_lab.errors import LabError, NotRunning, ProgramsMissing

LAYOUT = ControlPlaneLayout(
    folder=Path("/lab"),
    programs=Path("/programs"),
    bind_address="127.0.0.1",
    advertise_address="127.0.0.1",
    port=1,
    etcd_port=2,
    etcd_peer_port=3,
)


def test_the_audit_policy_records_every_write_and_no_read() -> None:
    policy = json.loads(commands.build_audit_policy())
    with_words, writes, rest = policy["rules"]
    assert set(writes["verbs"]) == {
        *("create", "update", "patch", "delete", "deletecollection")
    }
    assert set(writes) == {"level", "verbs"}
    assert set(with_words["verbs"]) <= set(writes["verbs"])
    assert rest == {"level": "None"}


def test_words_are_kept_of_statuses_only_which_hold_no_secret() -> None:
    with_words, *others = json.loads(commands.build_audit_policy())["rules"]
    (group,) = with_words["resources"]
    assert group["resources"] == ["servers/status", "instances/status"]
    assert all(rule["level"] in ("Metadata", "None") for rule in others)


def test_only_a_lab_that_lives_long_begins_its_audit_log_anew() -> None:
    rotating = replace(LAYOUT, rotates_audit_log=True)
    kept = {
        name: [
            word.removeprefix("--audit-log-")
            for word in commands.build_apiserver(layout, with_nodes=True)
            if word.startswith("--audit-log-max")
        ]
        for name, layout in (("tests", LAYOUT), ("make up", rotating))
    }
    assert kept == {
        "tests": ["maxsize=100000"],
        "make up": ["maxsize=64", "maxbackup=1"],
    }


def test_etcd_and_a_control_plane_alone_listen_on_loopback_only() -> None:
    etcd = commands.build_etcd(LAYOUT)
    urls = [word.partition("=")[2] for word in etcd if "-urls=" in word]
    assert len(urls) == 4
    assert all(url.startswith("http://127.0.0.1:") for url in urls)
    assert "--bind-address=127.0.0.1" in commands.build_apiserver(
        LAYOUT, with_nodes=False
    )


def test_made_up_nodes_of_tests_are_not_tainted_by_the_controller_manager() -> None:
    alone = commands.build_controller_manager(LAYOUT, with_nodes=False)
    whole = commands.build_controller_manager(LAYOUT, with_nodes=True)
    assert any("-node-lifecycle-controller" in word for word in alone)
    assert "--controllers=*" in whole


def test_nodes_of_two_labs_are_different_machines_to_libvirt_and_kubernetes() -> None:
    ids = {nodefiles.build_host_uuid(lab, "hv1") for lab in ("a", "b")}
    assert len(ids) == 2
    machines = {
        nodefiles.build_etc_files("hv1", {}, lab_id=lab, dns=IPv4Address("10.96.0.10"))[
            "machine-id"
        ]
        for lab in ("a", "b")
    }
    assert len(machines) == 2


def test_pods_keep_their_addresses_towards_other_pods() -> None:
    bridge = json.loads(nodefiles.build_cni_config(IPv4Network("10.244.1.0/24")))[
        "plugins"
    ][0]
    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]


@pytest.mark.parametrize(
    "lab_id", ["", "UPPER", "-x", "x-", "twelve-chars", "a/b", ".."]
)
def test_an_id_that_cannot_name_devices_and_folders_is_refused(lab_id: str) -> None:
    with pytest.raises(LabError, match="cannot name a lab"):
        check_id(lab_id)


def test_a_device_of_the_longest_id_fits_the_kernels_15_characters() -> None:
    check_id("x" * 11)
    assert len(uplink.get_link_name("x" * 11)) <= 15


def test_everything_missing_is_named_with_one_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    present = {"runc", "tini"}
    monkeypatch.setattr(
        shutil,
        "which",
        lambda name, path=None: name if name in present else None,
    )
    with pytest.raises(ProgramsMissing) as missing:
        requirements.check_requirements()
    assert {"libvirtd", "conntrack"} <= set(missing.value.programs)
    assert "runc" not in missing.value.programs
    assert "libvirt-daemon" in str(missing.value)


def test_every_package_that_is_named_for_a_missing_program_is_in_the_list() -> None:
    lines = (Path(requirements.__file__).parents[1] / "debian-packages.txt").read_text()
    listed = {line for line in lines.splitlines() if not line.startswith("#")}
    named = {
        *requirements.FOR_CLUSTER.values(),
        *requirements.FILES_FOR_CLUSTER.values(),
    }
    assert named <= listed


def test_an_error_of_the_lab_is_one_line_for_people_and_a_failure_for_scripts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["status", "--id", "nosuchlab"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert str(NotRunning("nosuchlab")) in said
    assert "Traceback" not in said
