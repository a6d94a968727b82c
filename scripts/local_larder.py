"""Runs sandbox, enqueuer and workers as processes of their own on free ports, for scripts that try all of Larder.

Needs nothing but Python, the programs of a debug build, and DATABASE_URL.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"

# Nothing of the caller's environment leads to another Larder.
FOREIGN = ("LARDER", "CMC_", "CRON_", "JOBS_", "READ_API", "DATABASE_", "RUST_LOG", "DEBUG")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url: str, method: str = "GET", body: object = None, headers: dict | None = None):
    """Status, headers and body of one request, as bytes; retries nothing."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | (headers or {})
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def until(what: str, holds, seconds: float = 60):
    """The first true answer of `holds`, asked again and again."""
    ends = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > ends:
            raise SystemExit(f"WRONG {what}: not within {seconds:.0f} s")
        time.sleep(0.1)


class Processes:
    """What was started, each with its log; ended and removed on leaving the block."""

    def __init__(self, environment: dict[str, str]):
        outside = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        self.environment = outside | environment
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="larder-check-"))
        self.running: dict[str, subprocess.Popen] = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            for log in sorted(self.directory.glob("*.log")):
                print(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]))
        for name in list(self.running):
            self.stop(name)
        shutil.rmtree(self.directory)

    def start(self, name: str, *command: object, **more: str) -> None:
        """Starts a program; its log goes on where an earlier one of the name ended."""
        with open(self.directory / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.directory,
                env=self.environment | more,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self, name: str, how: int = signal.SIGTERM) -> None:
        process = self.running.pop(name)
        process.send_signal(how)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def answers(self, name: str, url: str) -> None:
        """Waits until the program answers there with success."""

        def holds():
            if self.running[name].poll() is not None:
                raise SystemExit(f"WRONG {name}: it ended with {self.running[name].returncode}")
            try:
                return fetch(url)[0] == 200
            except OSError:
                return False

        until(f"{name} answers", holds)
