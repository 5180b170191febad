"""Where the lab keeps things.

Programs are cached per user (they are expensive and hold no secrets). State of
a running lab is root's, on a real file system, because containerd's overlay
file systems and the nodes' mounts live in it.
"""

from __future__ import annotations

import os
from pathlib import Path

STATE_ROOT = Path("/var/lib/kilonova-lab")
"""Root's folder: one folder a running lab, and the prepared image stores."""

SOURCES = Path(__file__).resolve().parent.parent / "go"
"""The Go modules of the lab's programs."""

REPOSITORY = Path(__file__).resolve().parent.parent.parent
"""The checkout, which holds ``kind-config.yaml``."""


def build_cache_folder() -> Path:
    """Return this user's cache of built programs and images."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kilonova"


def build_user_state_folder(lab_id: str) -> Path:
    """Return where this user's kubeconfig of a lab lies."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "kilonova" / lab_id
