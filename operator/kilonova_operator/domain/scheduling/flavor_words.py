"""What a flavor and an image say together, where both may say the same thing.

Source: _get_flavor_image_meta and _get_unique_flavor_image_meta of
nova.virt.hardware, Nova 34.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from kilonova_operator.domain.errors import KilonovaError

_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})


class MalformedRequest(KilonovaError):
    """A flavor or an image asks in a way that cannot be read."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}. Mend the flavor or the image.")
        self.key = key


@dataclass(frozen=True, slots=True)
class Words:
    """Extra specs and image properties."""

    extra_specs: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    def find(
        self, name: str, known: Collection[str] = (), *, prefix: str = "hw"
    ) -> str | None:
        """Return the flavor's word, or else the image's.

        Raises:
            MalformedRequest: they contradict each other, or the word is not ``known``.
        """
        key, property_key = f"{prefix}:{name}", f"{prefix}_{name}"
        of_flavor = self.extra_specs.get(key) or None
        of_image = self.properties.get(property_key) or None
        if of_flavor and of_image and of_flavor != of_image:
            raise MalformedRequest(
                key, f"the flavor says {of_flavor!r}, the image {of_image!r}"
            )
        word = of_flavor or of_image
        if word is not None and known and word not in known:
            said_by = key if of_flavor else property_key
            raise MalformedRequest(said_by, f"{word!r} is none of {', '.join(known)}")
        return word

    def is_true(self, name: str) -> bool:
        """Tell whether flavor or image say yes.

        Raises:
            MalformedRequest: one says yes and the other no.
        """
        key, property_key = f"hw:{name}", f"hw_{name}"
        said = {
            _read_truth(words[at])
            for words, at in ((self.extra_specs, key), (self.properties, property_key))
            if at in words
        }
        if len(said) > 1:
            raise MalformedRequest(key, f"contradicts the image's {property_key}")
        return True in said


def _read_truth(word: str) -> bool:
    """Read yes or no; oslo_utils.strutils.bool_from_string."""
    return word.strip().lower() in _TRUE
