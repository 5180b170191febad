"""How a command ends that does not end well: one line, and an exit code."""

EXIT_OK = 0
EXIT_FAILED = 1
"""Nothing could be said: no cluster, no such object, no right, no answer."""
EXIT_USAGE = 2
"""The command line, or the file it names, is wrong."""
EXIT_NO = 3
"""There is an answer, and it is no: no host fits, an audit found something."""

_BAD_REQUEST = "BadRequest"
"""How the operator says that what it was given is wrong."""


class CliError(Exception):
    """What is wrong and what to do, in one line."""

    exit_code = EXIT_FAILED


class UsageProblem(CliError):
    """What was typed, or the file that was named, cannot be used."""

    exit_code = EXIT_USAGE


class NotThere(CliError):
    """The API server has no such object."""


class NotAllowed(CliError):
    """The caller may not do that."""


class ClusterSilent(CliError):
    """The API server does not answer."""


class OperatorRefused(CliError):
    """The operator gave no answer, and said why."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        if reason == _BAD_REQUEST:
            self.exit_code = EXIT_USAGE
        super().__init__(f"the operator answers {reason}: {message}")
