"""Threads of calls that may never come back."""

import subprocess
import sys
import threading

import pytest

from kilonova_agent.drivers.libvirt.threads import Threads

_HANGS = """
import threading
from kilonova_agent.drivers.libvirt.threads import Threads
Threads("t").start(threading.Event().wait)
print("ends", flush=True)
"""


def test_results_and_errors_come_back_and_are_counted_no_more() -> None:
    threads, go_on = Threads("t"), threading.Event()
    waiting = threads.start(lambda: go_on.wait(10))
    failing = threads.start(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        failing.result(10)
    assert threads.running == 1
    go_on.set()

    assert waiting.result(10)
    assert threads.running == 0


def test_a_call_that_hangs_does_not_hold_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HANGS],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "ends\n"
