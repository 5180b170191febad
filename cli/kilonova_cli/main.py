"""``kubectl nova``: all commands, and how they end."""

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import typer

from kilonova_cli.commands import aggregates, claims, explain, groups, hosts
from kilonova_cli.commands.quotas import add_quota
from kilonova_cli.commands.schedule import add_schedule
from kilonova_cli.errors import EXIT_FAILED, EXIT_OK, CliError
from kilonova_cli.output import clean

PROGRAM = "kubectl nova"

EPILOG = (
    "Exit codes: 0 done; 1 nothing could be said (no cluster, no such object, no "
    "right); 2 the command line or a file is wrong; 3 the answer is no (no host fits, "
    "an audit found something)."
)


def build_app() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        name=PROGRAM,
        help="Virtual machines on Kubernetes: what kubectl get does not tell.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.add_typer(explain.app, name="explain")
    add_schedule(app)
    app.add_typer(hosts.app, name="host")
    app.add_typer(aggregates.app, name="aggregate")
    add_quota(app)
    app.add_typer(groups.app, name="group")
    app.add_typer(claims.app, name="claim")
    app.command("version")(show_version)
    return app


def show_version() -> None:
    """Print the version of kubectl nova."""
    try:
        print(version("kilonova"))
    except PackageNotFoundError:
        print("unknown: it runs from a source tree")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code."""
    try:
        code = build_app()(args=arguments, prog_name=PROGRAM, standalone_mode=False)
    except CliError as error:
        return _complain(str(error), error.exit_code)
    except typer.TyperException as error:  # a usage error of Typer's own
        if not error.format_message():  # the help was printed instead
            return error.exit_code
        path = getattr(getattr(error, "ctx", None), "command_path", PROGRAM)
        text = " ".join(error.format_message().split())
        end = "" if text.endswith((".", "?")) else "."
        return _complain(f"{text}{end} See {path} --help", error.exit_code)
    except typer.Abort:
        return EXIT_FAILED
    return code if isinstance(code, int) else EXIT_OK


def _complain(text: str, code: int) -> int:
    print(f"error: {clean(text)}", file=sys.stderr)
    return code


def main() -> None:
    """Be the program ``kubectl-nova``."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read us, head for example, has enough.
        sys.stdout = None
        code = EXIT_FAILED
    sys.exit(code)


if __name__ == "__main__":
    main()
