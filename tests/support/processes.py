"""Whether processes that were killed are gone."""

from pathlib import Path


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone or a zombie that nobody has reaped yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")")[1].split()[0] == "Z"
