"""Comparing versions of the agent."""


def is_older(version: str, than: str) -> bool:
    """Tell whether a version ``major.minor.patch`` is below another."""
    return _numbers(version) < _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    # A development build (0.2.0.dev1, 0.2.0+g1234) counts as its release.
    words = version.replace("+", ".").split(".")[:3]
    return tuple(int("".join(filter(str.isdigit, word)) or 0) for word in words)
