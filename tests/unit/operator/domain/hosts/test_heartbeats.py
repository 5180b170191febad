"""Up by signs of life, down by silence that could have been heard."""

import pytest

from kilonova_operator.domain.hosts.heartbeats import (
    HeartbeatJudge,
    HeartbeatSettings,
)


@pytest.fixture
def judge() -> HeartbeatJudge:
    return HeartbeatJudge(HeartbeatSettings(down_seconds=60, silent_hosts_percent=40))


def names(count: int) -> frozenset[str]:
    return frozenset(f"hv{number}" for number in range(count))


def live(judge: HeartbeatJudge, hosts: frozenset[str], beat: str = "2") -> None:
    for host in hosts:
        judge.hear(host, "1")
        judge.hear(host, beat)


def test_the_first_version_seen_is_no_sign_of_life(judge: HeartbeatJudge) -> None:
    assert not judge.hear("hv0", "7")
    assert judge.state("hv0") == "Unknown"


def test_a_changed_version_is_one(judge: HeartbeatJudge) -> None:
    judge.hear("hv0", "7")
    assert judge.hear("hv0", "8")
    assert judge.state("hv0") == "Up"


def test_a_lease_that_is_born_before_our_eyes_is_one(judge: HeartbeatJudge) -> None:
    assert judge.hear("hv0", "1", born=True)


def test_silence_of_the_whole_time_is_down(judge: HeartbeatJudge) -> None:
    live(judge, names(1))
    judge.pass_time(59)
    assert judge.judge(names(1)) == frozenset()
    judge.pass_time(1)
    assert judge.judge(names(1)) == names(1)
    assert judge.state("hv0") == "Down"


def test_a_change_is_told_once(judge: HeartbeatJudge) -> None:
    live(judge, names(1))
    judge.pass_time(60)
    judge.judge(names(1))
    assert judge.judge(names(1)) == frozenset()


def test_a_heartbeat_brings_a_host_back(judge: HeartbeatJudge) -> None:
    live(judge, names(1))
    judge.pass_time(60)
    judge.judge(names(1))
    assert judge.hear("hv0", "3")
    assert judge.state("hv0") == "Up"


def test_one_dead_host_of_two_is_called_down(judge: HeartbeatJudge) -> None:
    live(judge, names(2))
    judge.pass_time(60)
    judge.hear("hv1", "3")
    assert judge.judge(names(2)) == {"hv0"}


def test_nobody_is_called_down_when_too_many_are_silent_at_once(
    judge: HeartbeatJudge,
) -> None:
    live(judge, names(10))
    judge.pass_time(60)
    for host in ("hv5", "hv6", "hv7", "hv8", "hv9"):
        judge.hear(host, "3")
    assert judge.brakes(names(10))
    assert judge.judge(names(10)) == frozenset()


def test_forty_percent_are_not_too_many(judge: HeartbeatJudge) -> None:
    live(judge, names(10))
    judge.pass_time(60)
    for number in range(4, 10):
        judge.hear(f"hv{number}", "3")
    assert judge.judge(names(10)) == {"hv0", "hv1", "hv2", "hv3"}


def test_heartbeats_at_different_moments_do_not_slip_past_the_brake(
    judge: HeartbeatJudge,
) -> None:
    live(judge, names(10))
    judge.pass_time(9)
    live(judge, frozenset({f"hv{n}" for n in range(3, 10)}), beat="3")
    judge.pass_time(51)  # three are over their time, seven nearly
    assert judge.judge(names(10)) == frozenset()


def test_hosts_long_down_do_not_hold_back_the_judgement_of_another(
    judge: HeartbeatJudge,
) -> None:
    for number in range(6):
        judge.remember(f"hv{number}", "Down")
    live(judge, frozenset({"hv6", "hv7", "hv8"}))
    judge.pass_time(60)
    judge.hear("hv7", "3")
    judge.hear("hv8", "3")
    assert judge.judge(names(9)) == {"hv6"}


def test_a_remembered_state_stands_until_it_is_disproved(judge: HeartbeatJudge) -> None:
    judge.remember("hv0", "Up")
    assert judge.state("hv0") == "Up"
    judge.pass_time(60)
    assert judge.judge(names(1)) == {"hv0"}
