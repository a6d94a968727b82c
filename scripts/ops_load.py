"""A running system in which everything happens that ops/prometheus and ops/grafana show: reads of all kinds, calls that
fail and are tried again, one that fails for good, a cost above its rule, and a worker that dies with jobs in its hands.
"""

import json
import random
import signal
import threading
import time
from collections.abc import Callable

from local_larder import PROGRAMS, ROOT, Processes, fetch, free_port, until

SECRET = "secret-of-the-check-of-ops"
QUOTES = "/v3/cryptocurrency/quotes/latest"
GLOBAL = "/v1/global-metrics/quotes/latest"


class Load:
    """Sandbox, enqueuer and two workers; `stir` makes things happen until `close`."""

    def __init__(self, processes: Processes):
        self.processes = processes
        self.sandbox, self.enqueuer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.workers = {name: f"http://127.0.0.1:{free_port()}" for name in ("worker-a", "worker-b")}
        self.over = threading.Event()
        self.reading = threading.Thread(target=self.read, daemon=True)

    @staticmethod
    def environment(database: str) -> dict[str, str]:
        one = "LARDER__PROVIDERS__COINMARKETCAP__"
        return {
            "DATABASE_URL": database,
            "JOBS_API_SECRET": SECRET,
            "CMC_API_KEY": "sandbox-key",
            "LARDER_CONFIG": str(ROOT / "larder.toml"),
            # What in earnest takes minutes takes seconds.
            "LARDER__WORKER__CALL_TIMEOUT": "2s",
            "LARDER__WORKER__FIRST_BYTE_TIMEOUT": "2s",
            "LARDER__WORKER__CONNECT_TIMEOUT": "1s",
            "LARDER__WORKER__LEASE": "4s",
            "LARDER__QUEUE__RETRY__INITIAL": "100ms",
            f"{one}BUDGET__RECONCILE_EVERY": "30s",
            f"{one}CACHE__FRESH_FOR": "1s",
            f"{one}CACHE__MIN_INTERVAL": "1s",
            f"{one}LIMITS__MINUTE__CAP": "6000",
        }

    def start(self) -> None:
        port = self.sandbox.rsplit(":", 1)[1]
        listen = f"127.0.0.1:{port}"
        self.processes.start(
            "sandbox", PROGRAMS / "larder", "sandbox", "--listen", listen, "--requests-per-minute", 1_000_000
        )
        self.processes.answers("sandbox", self.sandbox + "/_sandbox/plan")
        self.processes.environment["LARDER__PROVIDERS__COINMARKETCAP__BASE_URL"] = self.sandbox
        listen = self.enqueuer.removeprefix("http://")
        self.processes.start("enqueuer", PROGRAMS / "enqueuer", LARDER__ENQUEUER__LISTEN=listen)
        self.start_worker("worker-a")
        # Ready is: migrated, and a worker was seen.
        self.processes.answers("enqueuer", self.enqueuer + "/readyz")

    def start_worker(self, name: str) -> None:
        listen = self.workers[name].removeprefix("http://")
        self.processes.start(name, PROGRAMS / "worker", LARDER__WORKER__LISTEN=listen)
        self.processes.answers(name, self.workers[name] + "/healthz")

    def api(self, method: str, path: str, body: object = None):
        status, _, answer = fetch(self.enqueuer + path, method, body, {"Authorization": f"Bearer {SECRET}"})
        if status not in (200, 202):
            raise SystemExit(f"WRONG {method} {path}: {status} {answer}")
        return json.loads(answer)

    def trouble(self, kind: object, times: int, path: str | None = None) -> None:
        body = {"kind": kind, "times": times} | ({"path": path} if path else {})
        status, _, answer = fetch(self.sandbox + "/_sandbox/trouble", "POST", body)
        if status >= 300:
            raise SystemExit(f"WRONG trouble {kind}: {status} {answer}")

    def met(self, path: str) -> None:
        """Waits until calls met all trouble of a path: what is there at the same time hits the same call."""

        def holds():
            left = json.loads(fetch(self.sandbox + "/_sandbox/trouble")[2])
            return all(trouble["path"] != path for trouble in left)

        until(f"calls meet the trouble of {path}", holds)

    def refresh(self, question: str) -> str:
        return self.api("POST", "/api/jobs", {"kind": "refresh", "resource": "coinmarketcap:" + question})["id"]

    def ended(self, job: str) -> str:
        """How a job ended."""

        def holds():
            status = self.api("GET", f"/api/jobs/{job}")["status"]
            return status not in ("pending", "running") and status

        return until("a job ends", holds)

    def stir(self, scraped: Callable[[str], None]) -> None:
        """The rare things, each once, and readers from then on; `scraped` waits until a process is."""
        # A worker dies in the middle of a call, another one is there to take its job back.
        self.trouble({"latency": {"ms": 1900}}, 3, GLOBAL)
        held = self.refresh(GLOBAL)
        until("a worker holds a job", lambda: self.api("GET", f"/api/jobs/{held}")["status"] == "running")
        self.start_worker("worker-b")
        self.processes.stop("worker-a", signal.SIGKILL)
        scraped(self.workers["worker-b"])
        self.start_worker("worker-a")
        self.reading.start()

        refused = {"status": {"status": 400, "body": None, "headers": []}}
        self.trouble(refused, 1, "/v1/cryptocurrency/map")
        if self.ended(self.refresh("/v1/cryptocurrency/map?limit=10")) != "failed":
            raise SystemExit("WRONG a refused call: its job did not fail")
        for kind in [
            {"status": {"status": 500, "body": None, "headers": []}},
            {"credit_count": {"report": {"times": 3}}},
            {"credit_count": {"report": "missing"}},
        ]:
            self.trouble(kind, 2, QUOTES)
            self.met(QUOTES)
        self.ended(held)

    def read(self) -> None:
        """Readers and an application, until it is over: tracked coins, others, jobs for handlers."""
        chance = random.Random(1)
        while not self.over.is_set():
            ids = chance.choice([[1], [1027, 825], [chance.randint(1, 300)]])
            question = f"{QUOTES}?id={','.join(map(str, ids))}"
            try:
                fetch(f"{self.enqueuer}/proxy/coinmarketcap{question}", headers={"Prefer": "wait=2"})
                if chance.random() < 0.3:
                    self.api("POST", "/api/jobs", {"kind": "noop", "args": {}})
            except OSError:
                pass  # a check that looks at what Prometheus has, not at readers
            time.sleep(0.05)

    def close(self) -> None:
        self.over.set()
        if self.reading.is_alive():
            self.reading.join()
