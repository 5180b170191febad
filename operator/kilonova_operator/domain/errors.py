"""The root of the operator's own errors."""

from typing import ClassVar


class KilonovaError(Exception):
    """Something that has a name for people and programs.

    ``reason`` is the condition's reason and the metric's label as well; it is
    the class's name, so that one search finds all three.
    """

    reason: ClassVar[str] = "KilonovaError"
    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later with nothing else changed."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "reason" not in vars(cls):
            cls.reason = cls.__name__
