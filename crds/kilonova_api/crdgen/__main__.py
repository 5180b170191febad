"""Writes the generated files, or with ``--check`` compares them."""

import argparse
import sys
from pathlib import Path

from kilonova_api.crdgen.files import build_files, find_differences

_REPOSITORY = Path(__file__).resolve().parents[3]


def main() -> int:
    """Run the generator; the exit code is 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="crdgen", description=__doc__)
    parser.add_argument("--root", type=Path, default=_REPOSITORY)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail on a difference"
    )
    options = parser.parse_args()
    files = build_files(options.root)
    different = find_differences(files)
    if options.check:
        for path in different:
            sys.stderr.write(f"{path} is not what the models say: run `make crds`\n")
        return 1 if different else 0
    for path in different:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(options.root)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
