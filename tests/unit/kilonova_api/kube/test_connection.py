import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.connection import (
    Connection,
    ProvidedToken,
    TokenFile,
    build_tls,
)
from kilonova_api.kube.errors import Unauthorized
from kilonova_api.kube.resources import LEASE
from support.clock import FakeClock, HastyClock
from support.scripted_api import answer_json, answer_status, scripted_api

ClientFactory = Callable[..., KubeClient]


async def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "token"
    path.write_text("first\n")
    token = TokenFile(path, clock)
    assert await token.authorization() == "Bearer first"
    path.write_text("second")
    assert await token.authorization() == "Bearer first"
    clock.shift_wall_clock(-86_400)
    await clock.advance(60)
    assert await token.authorization() == "Bearer second"


async def test_a_rejected_token_is_read_again_and_the_request_repeated_once(
    client_of: ClientFactory, tmp_path: Path, hasty_clock: HastyClock
) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    credentials = TokenFile(path, hasty_clock)
    await credentials.authorization()
    path.write_text("new")
    async with scripted_api(answer_status(401), answer_json({"ok": 1})) as api:
        client = client_of(api, credentials)
        assert await client.get(LEASE, "shop", "web-0") == {"ok": 1}
    assert [seen.headers["Authorization"] for seen in api.seen] == [
        "Bearer old",
        "Bearer new",
    ]


async def test_a_token_that_stays_rejected_is_not_offered_again(
    client_of: ClientFactory,
) -> None:
    rejections: list[int] = []

    async def provider() -> str:
        return "hunter2"

    credentials = ProvidedToken(provider, lambda: rejections.append(1))
    async with scripted_api(answer_status(401, "Unauthorized")) as api:
        with pytest.raises(Unauthorized) as caught:
            await client_of(api, credentials).get(LEASE, "shop", "web-0")
    assert len(api.seen) == 1
    assert rejections == [1]
    assert "hunter2" not in str(caught.value) + repr(vars(caught.value))


def test_a_connection_shows_no_credentials(tmp_path: Path) -> None:
    connection = Connection(
        "https://a", credentials=TokenFile(tmp_path, FakeClock()), proxy="http://u:p@x"
    )
    assert repr(connection) == "Connection(server='https://a', tls_server_name=None)"


async def test_a_redirect_is_not_followed(client_of: ClientFactory) -> None:
    moved = answer_json({}, 307, Location="http://127.0.0.1:9/elsewhere")
    async with scripted_api(moved) as api:
        with pytest.raises(Exception, match="307"):
            await client_of(api).get(LEASE, "shop", "web-0")
    assert len(api.seen) == 1


async def test_every_answer_tells_how_far_this_machines_clock_is_off(
    client_of: ClientFactory, hasty_clock: HastyClock
) -> None:
    dates = (
        "Thu, 01 Jan 2026 00:00:00 GMT",
        "Wed, 31 Dec 2025 23:00:00 GMT",
        "rubbish",
    )
    script = [answer_json({}, Date=date) for date in dates]
    async with scripted_api(*script) as api:
        client = client_of(api)
        assert client.clock_skew_seconds is None
        await client.get(LEASE, "shop", "web-0")
        assert client.clock_skew_seconds == pytest.approx(0, abs=1)
        await client.get(LEASE, "shop", "web-0")
        assert client.clock_skew_seconds == pytest.approx(3600, abs=1)
        await client.get(LEASE, "shop", "web-0")
        assert client.clock_skew_seconds == pytest.approx(3600, abs=1)


def test_certificates_without_key_identifiers_are_verified_as_by_other_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    default = ssl.create_default_context

    def build_as_python_3_13_does(*, cafile: None, cadata: None) -> ssl.SSLContext:
        context = default(cafile=cafile, cadata=cadata)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", build_as_python_3_13_does)
    context = build_tls()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
