"""CEL rules of a Server: what never changes, and what goes together."""

from kilonova_api.meta import cel, immutable_optional


def _immutable_list(field: str) -> tuple[str, str]:
    """Return the CEL rule of an optional list-map whose items never change.

    Their order may: the API server does not keep it for lists of this type. An
    empty list is the same as none: tools that render one write the other.
    """
    now, before = f"self.{field}", f"oldSelf.{field}"
    same = (
        f"{now}.size() == {before}.size() && {now}.all(n, {before}.exists(o, o == n))"
    )
    rule = (
        f"(has({now}) && {now}.size() > 0) == (has({before}) && {before}.size() > 0)"
        f" && (!has({now}) || !has({before}) || ({same}))"
    )
    return rule, f"{field} is immutable"


SERVER_RULES = cel(
    (
        "!(has(self.userData) && has(self.userDataRef))",
        "userData and userDataRef must not both be set",
    ),
    (
        "!has(self.userData) || bytes(self.userData).size() <= 49151",
        (
            "userData must be no more than 49151 bytes: put more into a file that the "
            "guest downloads"
        ),
    ),
    (
        (
            "!has(self.configDrive) || self.configDrive || !(has(self.userData) || "
            "has(self.userDataRef) || (has(self.sshKeys) && self.sshKeys.size() > 0) "
            "|| (has(self.metadata) && self.metadata.size() > 0))"
        ),
        (
            "configDrive: false would leave userData, userDataRef, sshKeys and "
            "metadata unread, since the guest gets them by its config drive alone: "
            "remove them or leave configDrive true"
        ),
    ),
    immutable_optional("serverGroupRef"),
    immutable_optional("availabilityZone"),
    immutable_optional("schedulingHints"),
    immutable_optional("scheduling"),
    _immutable_list("networks"),
    _immutable_list("sshKeys"),
    (
        (
            "!has(self.sshKeys) || "
            "self.sshKeys.all(k, has(k.publicKey) != has(k.secretRef))"
        ),
        "each of sshKeys must have either publicKey or secretRef",
    ),
)
"""CEL rules of the spec as a whole."""
