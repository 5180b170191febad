"""``python -m kilonova_lab.deploy``: what ``make up`` runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kilonova_lab.cluster import DEFAULT_ID, check_id
from kilonova_lab.deploy.up import up
from kilonova_lab.errors import LabError


def main() -> int:
    """Bring everything up; an error of the lab is one message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", default=DEFAULT_ID, help="lab id (%(default)s)")
    parser.add_argument("--cluster", type=Path, help="kubeconfig of a cluster to use")
    parser.add_argument("--registry", help="where its nodes pull the images from")
    arguments = parser.parse_args()
    try:
        check_id(arguments.id)
        up(arguments.id, arguments.cluster, registry=arguments.registry)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


raise SystemExit(main())
