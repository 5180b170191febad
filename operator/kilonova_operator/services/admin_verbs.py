"""What admins may ask the process that leads, by name."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from kilonova_api.admin import AdminMessage
from kilonova_operator.domain.errors import KilonovaError

Verb = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Takes a request and gives an answer, both as JSON has them."""
Q = TypeVar("Q", bound=AdminMessage)
M = TypeVar("M", bound=BaseModel)
_MOST_PROBLEMS = 5


class BadRequest(KilonovaError):
    """What was asked cannot be read; each thing that is wrong with its place."""


class UnknownVerb(KilonovaError):
    """Nobody answers to that name."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"no verb {name!r}; there are {', '.join(known) or 'none'}")


class AdminVerbs:
    """The verbs there are; who can answer one registers it once super is held."""

    def __init__(self) -> None:
        self._verbs: dict[str, Verb] = {}

    def register(self, name: str, verb: "TypedVerb[Any]") -> None:
        """Let a verb be asked for."""
        self._verbs[name] = verb

    @property
    def registered(self) -> bool:
        """Whether anything can be asked for yet."""
        return bool(self._verbs)

    def get(self, name: str) -> Verb:
        """Return a verb.

        Raises:
            UnknownVerb: it names those there are.
        """
        verb = self._verbs.get(name)
        if verb is None:
            raise UnknownVerb(name, sorted(self._verbs))
        return verb


class TypedVerb(Generic[Q]):
    """A verb whose request is read before it is answered."""

    def __init__(
        self, request: type[Q], answer: Callable[[Q], Awaitable[AdminMessage]]
    ) -> None:
        self._request = request
        self._answer = answer

    async def __call__(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a request as JSON has it."""
        answer = await self._answer(read_strictly(self._request, body))
        return await asyncio.to_thread(answer.wire)  # it may tell of many hosts


def read_strictly(model: type[M], body: object, *, where: str = "") -> M:
    """Read what a person wrote: a field that nobody knows is refused.

    Raises:
        BadRequest: it names what is wrong and where, never what is in it.
    """
    try:
        return model.model_validate(body, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        raise BadRequest(_tell(error, where)) from None


def _tell(error: ValidationError, where: str) -> str:
    wrong = error.errors(include_url=False, include_input=False, include_context=False)
    told = []
    for one in wrong[:_MOST_PROBLEMS]:
        path = ".".join(str(part) for part in (where, *one["loc"]) if part != "")
        text = "unknown field" if one["type"] == "extra_forbidden" else one["msg"]
        told.append(f"{path or 'the request'}: {text}")
    if len(wrong) > _MOST_PROBLEMS:
        told.append(f"and {len(wrong) - _MOST_PROBLEMS} more")
    return "; ".join(told)
