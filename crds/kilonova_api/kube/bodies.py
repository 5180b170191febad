"""JSON to and from the wire."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from kilonova_api.kube.resources import KubeObject, Resource

# The server reads an apply with a YAML parser. There these characters are
# refused, or are line breaks that fold into a blank, although JSON has them in
# strings as they are. Escaped they mean the same to both.
_NOT_PLAIN_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def encode_json(body: object) -> bytes:
    """Encode a body that a JSON parser will read."""
    return orjson.dumps(body)


def encode_apply(body: object) -> bytes:
    """Encode a body that a YAML parser will read."""
    encoded = orjson.dumps(body)
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return _NOT_PLAIN_IN_YAML.sub(_escape, encoded.decode()).encode()


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def build_typed(
    resource: Resource, body: Mapping[str, Any], *, uid: str = "", version: str = ""
) -> KubeObject:
    """Build the body to send: with its kind, and the uid and version it is for.

    Raises:
        ValueError: ``body`` names another uid itself.
    """
    metadata = dict(body.get("metadata", {}))
    if uid:
        if metadata.setdefault("uid", uid) != uid:
            raise ValueError(
                f"{resource.kind} {metadata.get('name')}: the body is for uid "
                f"{metadata['uid']}, the call for {uid}"
            )
        if version:
            metadata["resourceVersion"] = version
    return {
        **body,
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
    }


class LineSplitter:
    """Cuts a byte stream into lines; keeps the unfinished last one."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Give the lines that ``chunk`` completes.

        Raises:
            ValueError: a line is longer than the limit.
        """
        first, newline, rest = chunk.partition(b"\n")
        self._pieces.append(first)
        self._size_bytes += len(first)
        if self._size_bytes > self._limit_bytes:
            raise ValueError(f"a line of more than {self._limit_bytes} bytes")
        if not newline:
            return []
        lines = [b"".join(self._pieces), *rest.split(b"\n")]
        last = lines.pop()
        self._pieces, self._size_bytes = [last], len(last)
        return [line for line in lines if line]
