"""The admin socket over a real unix socket, asked as kilonova-manage asks."""

import asyncio
import io
import json
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kilonova_api.admin import MAX_REQUEST_BYTES, AdminMessage
from kilonova_api.kube.errors import Call, ServerTimeout
from kilonova_operator.admin_client import answer_request
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.process.admin_socket import AdminSocket, AdminSocketUnusable
from kilonova_operator.services.admin_verbs import AdminVerbs, TypedVerb


class Question(AdminMessage):
    text: str = ""


class Echo(AdminMessage):
    text: str


async def echo(question: Question) -> Echo:
    return Echo(text=question.text)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Unix sockets need short paths."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture
def verbs() -> AdminVerbs:
    made = AdminVerbs()
    made.register("echo", TypedVerb(Question, echo))
    return made


class Served:
    """A socket that listens, and its client."""

    def __init__(self, path: Path, verbs: AdminVerbs, **options: Any) -> None:
        self.leading = True
        self.path = path
        self.socket = AdminSocket(verbs, leads=lambda: self.leading, **options)

    async def __aenter__(self) -> "Served":
        await self.socket.start(self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def ask(self, verb: str, body: bytes) -> tuple[bool, dict[str, Any]]:
        answered, text = await asyncio.to_thread(
            answer_request, self.path, verb, io.BytesIO(body)
        )
        read: dict[str, Any] = json.loads(text)
        return answered, read


async def test_a_verb_is_answered(folder: Path, verbs: AdminVerbs) -> None:
    async with Served(folder / "s", verbs) as served:
        assert await served.ask("echo", b'{"text": "hello"}\n') == (
            True,
            {"text": "hello"},
        )


async def test_only_the_own_account_reaches_the_socket(
    folder: Path, verbs: AdminVerbs
) -> None:
    path = folder / "admin" / "s"
    async with Served(path, verbs):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


async def test_a_folder_that_is_open_to_others_is_closed(
    folder: Path, verbs: AdminVerbs
) -> None:
    path = folder / "admin" / "s"
    path.parent.mkdir(mode=0o777)
    path.parent.chmod(0o2777)
    async with Served(path, verbs):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_dead_processs_socket_is_taken_over(
    folder: Path, verbs: AdminVerbs
) -> None:
    path = folder / "s"
    dead = Served(path, verbs)
    await dead.socket.start(path)
    async with Served(path, verbs) as served:
        assert (await served.ask("echo", b"{}\n"))[0]
    dead.socket._path = None
    await dead.socket.close()


async def test_a_file_that_is_no_socket_is_left_alone(
    folder: Path, verbs: AdminVerbs
) -> None:
    path = folder / "s"
    path.write_text("mine")
    with pytest.raises(AdminSocketUnusable, match="no socket"):
        await AdminSocket(verbs, leads=lambda: True).start(path)
    assert path.read_text() == "mine"


async def test_a_path_that_no_socket_can_have_is_refused_with_what_to_do(
    folder: Path, verbs: AdminVerbs
) -> None:
    with pytest.raises(AdminSocketUnusable, match="KILONOVA_ADMIN_SOCKET"):
        await AdminSocket(verbs, leads=lambda: True).start(folder / ("s" * 100))


async def test_who_does_not_lead_says_so(folder: Path, verbs: AdminVerbs) -> None:
    async with Served(folder / "s", verbs) as served:
        served.leading = False
        answered, said = await served.ask("echo", b"{}\n")
    assert not answered
    assert said["reason"] == "NotLeader"


async def test_a_leader_that_has_not_begun_yet_is_none(folder: Path) -> None:
    async with Served(folder / "s", AdminVerbs()) as served:
        assert (await served.ask("echo", b"{}\n"))[1]["reason"] == "NotLeader"


@pytest.mark.parametrize(
    ("verb", "body", "reason", "told"),
    [
        ("sing", b"{}", "UnknownVerb", "there are echo"),
        ("echo", b"{", "BadRequest", "no JSON"),
        ("echo", b"[1]", "BadRequest", "one JSON object"),
        ("echo", b'{"tekst": "x"}', "BadRequest", "tekst: unknown field"),
        ("echo", b'{"text": {"a": 1}}', "BadRequest", "text: "),
        ("echo", b"\xff\xfe", "BadRequest", "no JSON"),
        ("echo", b'{"a":' * 5000, "BadRequest", "no JSON"),
    ],
)
async def test_hostile_input_gets_one_line_and_the_process_goes_on(
    folder: Path, verbs: AdminVerbs, verb: str, body: bytes, reason: str, told: str
) -> None:
    async with Served(folder / "s", verbs) as served:
        answered, said = await served.ask(verb, body)
        assert not answered
        assert said["reason"] == reason
        assert told in said["message"]
        assert "\n" not in said["message"]
        assert (await served.ask("echo", b"{}\n"))[0]


async def test_a_huge_body_is_refused_by_client_and_server(
    folder: Path, verbs: AdminVerbs
) -> None:
    huge = b'{"text":"' + b"x" * MAX_REQUEST_BYTES + b'"}\n'
    async with Served(folder / "s", verbs) as served:
        assert (await served.ask("echo", huge))[1]["reason"] == "RequestTooLarge"
        reader, writer = await asyncio.open_unix_connection(str(served.path))
        writer.write(
            b"POST /echo HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(20):
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        writer.write(b"0\r\n\r\n")
        head = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        assert b"413" in head
        assert (await served.ask("echo", b"{}\n"))[0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DatabaseUnavailable("api", "connection refused"), "DatabaseUnavailable"),
        (ServerTimeout(Call("GET", "/x")), "ServerTimeout"),
        (RuntimeError("a bug with a secret in it"), "InternalError"),
    ],
)
async def test_a_failure_behind_a_verb_is_told_by_its_name(
    folder: Path, error: Exception, reason: str
) -> None:
    async def fail(_: Question) -> Echo:
        raise error

    verbs = AdminVerbs()
    verbs.register("fail", TypedVerb(Question, fail))
    async with Served(folder / "s", verbs) as served:
        answered, said = await served.ask("fail", b"{}\n")
    assert (answered, said["reason"]) == (False, reason)
    assert "secret" not in said["message"]


async def test_an_answer_that_hangs_is_given_up_and_no_more_than_four_are_at_work(
    folder: Path,
) -> None:
    begun = asyncio.Semaphore(0)
    may_go_on = asyncio.Event()

    async def wait(_: Question) -> Echo:
        begun.release()
        await may_go_on.wait()
        return Echo(text="done")

    verbs = AdminVerbs()
    verbs.register("wait", TypedVerb(Question, wait))
    async with Served(folder / "s", verbs, answer_seconds=2.0) as served:
        asking = [asyncio.create_task(served.ask("wait", b"{}\n")) for _ in range(4)]
        for _ in range(4):
            await begun.acquire()
        assert (await served.ask("wait", b"{}\n"))[1]["reason"] == "Busy"
        reasons = {said["reason"] for _, said in await asyncio.gather(*asking)}
        assert reasons == {"AnswerTimeout"}
        may_go_on.set()
        assert (await served.ask("wait", b"{}\n"))[0]


async def test_nobody_at_the_socket_is_told_with_its_path(folder: Path) -> None:
    answered, text = await asyncio.to_thread(
        answer_request, folder / "s", "echo", io.BytesIO(b"{}\n")
    )
    assert not answered
    said = json.loads(text)
    assert said["reason"] == "OperatorSilent"
    assert str(folder / "s") in said["message"]


def test_without_a_setting_the_variable_is_named() -> None:
    answered, text = answer_request(None, "echo", io.BytesIO(b"{}\n"))
    assert not answered
    assert "KILONOVA_ADMIN_SOCKET" in text
