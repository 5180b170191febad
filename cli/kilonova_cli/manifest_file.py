"""The manifest that a person names by ``-f``."""

import sys
from pathlib import Path
from typing import Any

import yaml

from kilonova_api.admin import MAX_REQUEST_BYTES
from kilonova_api.names import API_VERSION
from kilonova_cli.errors import UsageProblem

STDIN = "-"


def read_server(file: str, *, namespace: str, named: str | None) -> dict[str, Any]:
    """Return the one Server of a file, in the namespace that is meant.

    namespace: where it goes if it names none. ``named``: the namespace as it was
    typed, which must be the manifest's own if that has one.

    Raises:
        UsageProblem: what is wrong with the file.
    """
    servers = [doc for doc in _load(file) if doc.get("kind") == "Server"]
    if len(servers) != 1:
        raise UsageProblem(
            f"{file}: {len(servers)} Servers; one manifest of kind Server "
            f"({API_VERSION}) is needed"
        )
    server = servers[0]
    metadata = server.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise UsageProblem(f"{file}: metadata must hold names and values")
    own = metadata.get("namespace")
    if own and named and own != named:
        raise UsageProblem(
            f"{file}: the Server is of namespace {own}, and --namespace is {named}. "
            "Take one of the two away"
        )
    metadata["namespace"] = own or namespace
    return server


def _load(file: str) -> list[dict[str, Any]]:
    text = _read(file)
    try:
        found = [doc for doc in yaml.safe_load_all(text) if doc is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise UsageProblem(f"{file}: {line}no YAML: {problem}") from None
    except RecursionError:
        raise UsageProblem(f"{file}: nested too deeply") from None
    if not all(isinstance(doc, dict) for doc in found):
        raise UsageProblem(f"{file}: each document must be a Kubernetes object")
    return found


def _read(file: str) -> str:
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(MAX_REQUEST_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                data = opened.read(MAX_REQUEST_BYTES + 1)
    except OSError as error:
        raise UsageProblem(f"{file}: {error.strerror}") from None
    if len(data) > MAX_REQUEST_BYTES:
        raise UsageProblem(f"{file}: more than {MAX_REQUEST_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UsageProblem(f"{file}: no text in UTF-8") from None
