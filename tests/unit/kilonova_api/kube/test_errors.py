import pytest

from kilonova_api.kube.errors import (
    AlreadyExists,
    ApiError,
    Call,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    SchemaTooOld,
    ServerTimeout,
    ServerUnavailable,
    TooManyRequests,
    Unauthorized,
)
from kilonova_api.kube.resources import LEASE, SECRET
from kilonova_api.kube.statuses import build_error, parse_retry_after, parse_status

CALL = Call.on("apply", LEASE, "shop", "web-0")


@pytest.mark.parametrize(
    ("code", "reason", "message", "expected"),
    [
        (401, "Unauthorized", "", Unauthorized),
        (403, "Forbidden", "", Forbidden),
        (404, "NotFound", "", NotFound),
        (409, "AlreadyExists", "", AlreadyExists),
        (409, "Conflict", "", Conflict),
        (410, "Expired", "", Gone),
        (422, "Invalid", "", Invalid),
        (429, "TooManyRequests", "", TooManyRequests),
        (500, "InternalError", "etcd", ServerUnavailable),
        (500, "", ".spec.x: field not declared in schema", SchemaTooOld),
        (500, "ServerTimeout", "", ServerTimeout),
        (503, "ServiceUnavailable", "", ServerUnavailable),
        (504, "Timeout", "Too large resource version", ServerTimeout),
        (400, "BadRequest", "", ApiError),
        (302, "", "", ApiError),
    ],
)
def test_each_answer_becomes_the_error_that_says_how_to_react(
    code: int, reason: str, message: str, expected: type[ApiError]
) -> None:
    status = {"reason": reason, "message": message}
    error = build_error(CALL, status, status_code=code)
    assert type(error) is expected
    assert error.status_code == code


def test_an_error_says_what_was_done_where_and_what_to_do() -> None:
    error = build_error(CALL, {"message": "no"}, status_code=403)
    assert str(error) == (
        "apply Lease shop/web-0: 403 Forbidden: no. "
        "Check the account's roles and the admission policies."
    )


def test_what_is_in_a_secret_never_gets_into_its_error() -> None:
    call = Call.on("apply", SECRET, "shop", "web-0-user-data")
    words = {"message": 'data.userData: Invalid value: "hunter2"', "reason": "Invalid"}
    error = build_error(call, words, status_code=422)
    assert "hunter2" not in str(error) + repr(error) + repr(vars(error))
    refused = {"message": 'secrets "web-0" is forbidden', "reason": "Forbidden"}
    assert "is forbidden" in str(build_error(call, refused, status_code=403))


def test_a_long_message_is_cut() -> None:
    error = build_error(CALL, {"message": "x" * 10_000}, status_code=422)
    assert len(str(error)) < 1200


def test_an_answer_that_is_no_status_still_becomes_an_error() -> None:
    page = parse_status(b"<html>bad gateway</html>")
    assert type(build_error(CALL, page, status_code=502)) is ServerUnavailable
    assert parse_status(b"[1]") == {}


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (None, None), ("soon", None), ("-1", None)]
)
def test_retry_after_is_read_in_seconds(
    header: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(header) == seconds


def test_retry_after_in_the_status_is_read_too() -> None:
    status = {"details": {"retryAfterSeconds": 3}}
    assert build_error(CALL, status, status_code=429).retry_after_seconds == 3


def test_an_apply_to_a_namesake_is_a_conflict_although_the_server_says_invalid() -> (
    None
):
    status = {
        "reason": "Invalid",
        "message": "metadata.uid: Invalid value: field is immutable",
        "details": {"causes": [{"field": "metadata.uid"}]},
    }
    assert type(build_error(CALL, status, status_code=422)) is Conflict
