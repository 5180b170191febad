"""Command line: ``python -m kilonova_lab.images build|guest [--json]``."""

import argparse
import json
import sys
import time
from dataclasses import asdict

from kilonova_lab.errors import LabError
from kilonova_lab.images.build import BuiltImage, build_images
from kilonova_lab.images.guest import GuestImage, ensure_guest_image
from kilonova_lab.images.inputs import TARGETS


def main() -> int:
    """Build images, print where they are."""
    options = _parse()
    began = time.monotonic()

    def progress(step: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {step}", file=sys.stderr)

    try:
        if options.command == "guest":
            _show_guest(ensure_guest_image(progress=progress), as_json=options.json)
        else:
            images = build_images(options.target or TARGETS, progress=progress)
            _show_images(list(images.values()), as_json=options.json)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _show_images(images: list[BuiltImage], *, as_json: bool) -> None:
    if as_json:
        values = {image.target: asdict(image) for image in images}
        print(json.dumps(values, default=str))
        return
    for image in images:
        size_mb = image.archive.stat().st_size / 1e6
        print(f"{image.reference}  {size_mb:.0f} MB  {image.archive}")


def _show_guest(guest: GuestImage, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(guest), default=str))
        return
    size_mb = guest.image.stat().st_size / 1e6
    print(f"{guest.image}  {size_mb:.0f} MB  sha256:{guest.sha256}  ({guest.release})")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kilonova_lab.images")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build the images of this checkout")
    build.add_argument("--target", action="append", choices=TARGETS)
    guest = commands.add_parser("guest", help="build the tiny guest's disk image")
    for command in (build, guest):
        command.add_argument(
            "--json", action="store_true", help="print one JSON object"
        )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
