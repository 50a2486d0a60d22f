"""A PostgreSQL server of the tests' own: made, started and stopped here, reachable through a private socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

PASSWORD = "c4nary/@:#?+%41 s3cret"  # what a password manager makes; every sign of it has a meaning in an address


@dataclass(frozen=True)
class Server:
    """Where the server listens, and who may come in."""

    socket: Path
    user: str = "analyst"
    password: str = PASSWORD

    @property
    def address(self) -> str:
        """The address with its password written out, as ibis takes it."""
        return f"postgres://{self.user}:{quote(self.password, safe='')}@/postgres?host={self.socket}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running server with one database and one user, who needs a password; skipped where there is none to start."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not programs:
        pytest.skip("no PostgreSQL server under /usr/lib/postgresql (Debian: apt-get install postgresql)")
    # A socket's path may have some hundred characters, and pytest's own folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="svcpg-", dir="/tmp"))
    try:
        yield from _serve(programs[-1].parent, folder)
    finally:
        shutil.rmtree(folder)


def _serve(programs: Path, folder: Path) -> Iterator[Server]:
    server = Server(folder)
    secret = folder / "password"
    secret.write_text(server.password, encoding="utf-8")
    account = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        other = _unprivileged()
        account = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
        for path in (folder, secret):
            os.chown(path, other.pw_uid, other.pw_gid)

    def call(program: str, *words: str | Path) -> None:
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [programs / program, "-D", folder / "data", *words],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=120, **account,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    call("initdb", "-U", server.user, "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync", "-E", "UTF8")
    settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c timezone=Asia/Tokyo"
    # pg_ctl hands its own output on to the server: without a log file the call would wait for the server's end.
    call("pg_ctl", "start", "-w", "-t", "60", "-l", folder / "log", "-o", settings)
    try:
        yield server
    finally:
        call("pg_ctl", "stop", "-w", "-m", "fast")


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("running as root, and there is no user 'postgres' or 'nobody' to run PostgreSQL as")
