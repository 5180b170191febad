"""A real MariaDB for tests: data of its own, ended with the process that began it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pymysql
import pytest

START_TIMEOUT_SECONDS = 60.0
USER, PASSWORD = "kilonova", "not-a-secret"
SIZED_FOR_LOAD = (
    # With a log of 16 MiB it writes pages out all the time: half the claims.
    "--innodb-buffer-pool-size=1G",
    "--innodb-log-file-size=512M",
)
"""Options for measuring, as a server of its own has them in production."""
PREFIX = "kn_"
"""The user may make and use databases whose names begin with this."""

_OPTIONS = (
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    # What production runs with: a commit that was answered is on disk.
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--skip-log-bin",
    "--max-connections=100",
    "--performance-schema=OFF",
)


class MariaDb:
    """A server on a unix socket and a port of loopback, which tests may kill."""

    def __init__(
        self, folder: Path | None = None, *, options: tuple[str, ...] = ()
    ) -> None:
        self._options = (*_OPTIONS, *options)
        self.folder = folder or Path(tempfile.mkdtemp(prefix="kn-db-"))
        self.socket = self.folder / "mariadb.sock"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._install()
        self._make_certificate()
        self.start()
        self.run_as_root(
            f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL PRIVILEGES ON `{PREFIX.replace('_', chr(92) + '_')}%`.* "
            f"TO '{USER}'@'%'",
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        return f"mysql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        log = (self.folder / "output.log").open("ab")
        self._process = subprocess.Popen(
            [
                # It dies with this thread, however that ends.
                *("setpriv", "--pdeathsig", "KILL", "mariadbd", *self._options),
                *self._as_root(),
                f"--datadir={self.folder / 'data'}",
                f"--socket={self.socket}",
                f"--ssl-cert={self.certificate}",
                f"--ssl-key={self.folder / 'server.key'}",
                f"--port={self.port}",
                f"--pid-file={self.folder / 'mariadb.pid'}",
            ],
            stdout=log,
            stderr=log,
        )
        log.close()
        self._wait_ready()

    def stop(self, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """End the server; SIGKILL is a crash."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(with_signal)
        self._process.wait(START_TIMEOUT_SECONDS)
        self._process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let the server answer nothing for a while, as on a dead network."""
        process = self._process
        if process is None:
            raise RuntimeError("MariaDB is not running")
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def run_as_root(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the server's root; return the last one's rows."""
        with (
            pymysql.connect(
                unix_socket=str(self.socket),
                user="root",
                autocommit=True,
                ssl_disabled=True,
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @property
    def certificate(self) -> Path:
        """The server's self-signed certificate, good for 127.0.0.1."""
        return self.folder / "server.pem"

    def _make_certificate(self) -> None:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-days", "2"),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-subj", "/CN=mariadb", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", str(self.folder / "server.key")),
                *("-out", str(self.certificate)),
            ],
            check=True,
            capture_output=True,
            timeout=START_TIMEOUT_SECONDS,
        )

    def _install(self) -> None:
        subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", "--skip-test-db"),
                "--auth-root-authentication-method=normal",
                f"--datadir={self.folder / 'data'}",
                *self._as_root(),
            ],
            check=True,
            capture_output=True,
            timeout=START_TIMEOUT_SECONDS,
        )

    def _as_root(self) -> tuple[str, ...]:
        return ("--user=root",) if os.geteuid() == 0 else ()

    def _wait_ready(self) -> None:
        until = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                self.run_as_root("SELECT 1")
            except pymysql.MySQLError as error:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > until:
                    output = (self.folder / "output.log").read_text(errors="replace")
                    raise RuntimeError(f"MariaDB: {error}\n{output[-4000:]}") from error
                time.sleep(0.05)
            else:
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """One server for the whole run."""
    with MariaDb() as server:
        yield server
