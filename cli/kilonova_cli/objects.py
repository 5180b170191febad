"""Objects as the models of this program's version read them."""

from typing import Any, TypeVar

from pydantic import ValidationError

from kilonova_api.meta import KubeObject
from kilonova_cli.errors import CliError

K = TypeVar("K", bound=KubeObject)


def read(kind: type[K], obj: dict[str, Any]) -> K:
    """Read an object.

    Raises:
        CliError: it is newer than this program.
    """
    try:
        return kind.model_validate(obj)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"]))
        raise CliError(
            f"{kind.__name__} {obj['metadata'].get('name')}: {path}: {first['msg']}. "
            "Upgrade kubectl nova to the version of the cluster"
        ) from None
