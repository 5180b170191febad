"""Command line: ``python -m kilonova_lab.images build [--target …] [--json]``."""

import argparse
import json
import sys
import time
from dataclasses import asdict

from kilonova_lab.errors import LabError
from kilonova_lab.images.build import build_images
from kilonova_lab.images.inputs import TARGETS


def main() -> int:
    """Build images, print where they are."""
    options = _parse()
    began = time.monotonic()

    def progress(step: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {step}", file=sys.stderr)

    try:
        images = build_images(options.target or TARGETS, progress=progress)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        values = {name: asdict(image) for name, image in images.items()}
        print(json.dumps(values, default=str))
    else:
        for image in images.values():
            size_mb = image.archive.stat().st_size / 1e6
            print(f"{image.reference}  {size_mb:.0f} MB  {image.archive}")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kilonova_lab.images")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build the images of this checkout")
    build.add_argument("--target", action="append", choices=TARGETS)
    build.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
