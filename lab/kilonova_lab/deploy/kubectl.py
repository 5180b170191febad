"""kubectl and helm as programs: what a person would type, with timeouts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilonova_lab.errors import CommandFailed, NotReady

_OUTPUT_TAIL_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program answered, success or not."""

    command: Sequence[str]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended without an error."""
        return self.returncode == 0

    def __str__(self) -> str:
        return (
            f"{' '.join(self.command)}: exit code {self.returncode}\n"
            f"{self.stdout}{self.stderr}"
        )


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl and helm for one cluster.

    ``kubectl`` and ``helm`` are the programs' paths; the environment's own
    KUBECONFIG is never used.
    """

    kubeconfig: Path
    kubectl: Path
    helm: Path

    def run(
        self, *arguments: str, text: str | None = None, timeout_seconds: float = 60
    ) -> str:
        """Run ``kubectl`` with these arguments and return what it prints.

        Raises:
            CommandFailed: it ended with an error; carries what it said.
            NotReady: it did not end in time.
        """
        return _demand(
            self.attempt(
                self.kubectl, *arguments, text=text, timeout_seconds=timeout_seconds
            )
        )

    def run_helm(self, *arguments: str, timeout_seconds: float = 300) -> str:
        """Run ``helm`` with these arguments and return what it prints.

        Raises:
            CommandFailed: it ended with an error; carries what it said.
            NotReady: it did not end in time.
        """
        return _demand(
            self.attempt(self.helm, *arguments, timeout_seconds=timeout_seconds)
        )

    def attempt(
        self,
        program: Path,
        *arguments: str,
        text: str | None = None,
        timeout_seconds: float = 60,
    ) -> Outcome:
        """Run one of the two programs and return whatever it answers.

        Raises:
            NotReady: it did not end in time.
        """
        command = (program.name, *arguments)
        try:
            done = subprocess.run(
                [str(program), *arguments],
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_seconds,
                env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise NotReady(
                f"`{' '.join(command)}`",
                seconds=timeout_seconds,
                detail=_decode(late.stderr) or _decode(late.stdout),
            ) from None
        return Outcome(command, done.returncode, done.stdout, done.stderr)

    def find(
        self, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """Return an object, or None where there is none."""
        where = ("-n", namespace) if namespace else ()
        out = self.run("get", kind, name, *where, "-o", "json", "--ignore-not-found")
        found: dict[str, Any] | None = json.loads(out) if out.strip() else None
        return found

    def items(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """Return all objects of a kind, of one namespace or of all."""
        where = ("-n", namespace) if namespace else ("-A",)
        listed = json.loads(self.run("get", kind, *where, "-o", "json"))
        found: list[dict[str, Any]] = listed["items"]
        return found

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects as a person's ``kubectl apply -f -`` would."""
        bundle = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.run("apply", "-f", "-", text=json.dumps(bundle))

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        wait_seconds: float = 60,
    ) -> None:
        """Delete an object and wait until it is gone; one that is gone is fine."""
        where = ("-n", namespace) if namespace else ()
        self.run(
            *("delete", kind, name, *where, "--ignore-not-found"),
            f"--timeout={wait_seconds:.0f}s",
            timeout_seconds=wait_seconds + 10,
        )


def _demand(outcome: Outcome) -> str:
    if not outcome.ok:
        output = (outcome.stderr + outcome.stdout)[-_OUTPUT_TAIL_CHARACTERS:]
        raise CommandFailed(outcome.command, outcome.returncode, output)
    return outcome.stdout


def _decode(output: bytes | str | None) -> str:
    if output is None:
        return ""
    text = output.decode(errors="replace") if isinstance(output, bytes) else output
    return text.strip()[-_OUTPUT_TAIL_CHARACTERS:]
