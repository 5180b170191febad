"""The oracle: real Nova and Placement, asked over a pipe.

Run by the Python that ``scripts/parity-venv`` prints. It knows nothing of
Kilonova, and Kilonova imports nothing of it: JSON is all they share.

Framing: one JSON object a line, UTF-8, on stdin and stdout; stderr is for people.

- At the start the oracle says ``{"ready": {"nova": "34.0.0", "placement":
  "16.0.0", "calls": ["numa", ...]}}``.
- A request is ``{"id": 7, "call": "numa", "cases": [case, ...]}``. What a case
  holds is told by the module of the call.
- Its reply is ``{"id": 7, "answers": [answer, ...]}``, an answer for each case in
  the same order. A case that made the real code raise where the call expects no
  exception is answered ``{"error": "ValueError: ..."}``, and the next one goes on.
- ``{"id": 7, "error": "..."}`` is the reply to a request that could not be read
  (then ``id`` is null) or names no call.
- The end of stdin ends the oracle.

Cases are put many to a line because a round trip costs more than most of them.

A new call is a module beside this one with ``answer(case) -> answer``, and a line
in ``CALLS``. It is imported when it is first asked for.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO

CALLS = {
    "domains": "domains_call",
    "extra-specs": "extra_specs_call",
    "filters": "filters_call",
    "fit": "fit_call",
    "numa": "numa_call",
    "schedule": "schedule_call",
    "weighers": "weighers_call",
}
"""Name of a call to the module that answers it."""


def main() -> None:
    """Answer until stdin ends."""
    # Libraries print at times: only this file may write to the real stdout.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _send(replies, {"ready": _about()})
    for line in sys.stdin:
        _send(replies, _reply(line))


def _about() -> dict[str, Any]:
    return {
        "nova": importlib.metadata.version("nova"),
        "placement": importlib.metadata.version("openstack-placement"),
        "calls": sorted(CALLS),
    }


def _send(replies: TextIO, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _reply(line: str) -> dict[str, Any]:
    request_id = None
    try:
        request = json.loads(line)
        request_id = request["id"]
        answer = importlib.import_module(CALLS[request["call"]]).answer
        cases = list(request["cases"])
    except Exception as error:  # noqa: BLE001 (the other side must hear of it)
        traceback.print_exc()
        return {"id": request_id, "error": _described(error)}
    return {"id": request_id, "answers": [_answer(answer, case) for case in cases]}


def _answer(answer: Callable[[Any], dict[str, Any]], case: Any) -> dict[str, Any]:
    try:
        return answer(case)
    except Exception as error:  # noqa: BLE001 (what Nova raises is an answer)
        return {"error": _described(error)}


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


main()
