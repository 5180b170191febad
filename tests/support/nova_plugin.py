"""kubectl nova as a plugin that kubectl finds on PATH."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = {
    "kubectl-nova": "kilonova_cli.main",
    "kubectl_complete-nova": "kilonova_cli.completion",
}


def install_plugins(folder: Path) -> None:
    """Put the programs there that pip would."""
    folder.mkdir()
    roots = [str(ROOT / "crds"), str(ROOT / "cli")]
    for name, module in PLUGINS.items():
        program = folder / name
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path[:0] = {roots!r}\n"
            f"from {module} import main\nmain()\n"
        )
        program.chmod(0o755)
