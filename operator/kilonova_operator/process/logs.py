"""Logging: one line an event, for people or for programs, never an object's body."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Literal

import orjson

LogFormat = Literal["json", "text"]


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["trace"] = "".join(traceback.format_exception(*record.exc_info))
        return orjson.dumps(entry).decode()


def configure_logging(level: str, form: LogFormat) -> None:
    """Write to standard error, which a container's runtime collects."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # kopf writes a line for each event of each object, and one for each request.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It warns that it gets no signals; ours are handled where they arrive.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
