"""Plants marked secrets everywhere, uses all of Larder, and looks for them everywhere else.

Needs Python, psql, and DATABASE_URL, a database to which any password is good. Run by scripts/check-secrets.
"""

import base64
import concurrent.futures
import http.server
import json
import os
import pathlib
import signal
import subprocess
import threading
import urllib.parse

from local_larder import PROGRAMS, ROOT, Processes, fetch, free_port, until

# Each is one word that nothing encodes otherwise, and ends in no part of another.
MARKS = {
    "the operators' secret": "m4rkedJobsSecretOne7xq",
    "the operators' second secret": "m4rkedJobsSecretTwo9wz",
    "cron's secret": "m4rkedCronSecret5kd",
    "the readers' secret": "m4rkedReadersSecret3vh",
    "the provider's key": "m4rkedProviderKey8bn",
    "the database's password": "m4rkedDatabaseWord2fj",
    "the password of the address to listen on": "m4rkedListenWord6rt",
    "the secret that signs webhooks": "m4rkedWebhookSecretSigned4cy",
    "a wrong secret": "m4rkedWrongSecret1ps",
    "a key in a reader's query": "m4rkedQueryKey0lg",
    "a cookie": "m4rkedCookie7ua",
}
JOBS, SECOND, READ, KEY, WRONG, QUERY = (
    MARKS[name]
    for name in (
        "the operators' secret", "the operators' second secret", "the readers' secret", "the provider's key",
        "a wrong secret", "a key in a reader's query",
    )
)  # fmt: skip
QUOTES = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest"
SIGNING = base64.b64encode(MARKS["the secret that signs webhooks"].encode()).decode()


def forms(mark: str) -> list[str]:
    """A secret as it is, and as base64 shows it at each of the three places where it can begin."""
    shown = [base64.b64encode(b"x" * skip + mark.encode()).decode()[4 if skip else 0 : -4] for skip in range(3)]
    return [mark, *shown]


class Finds:
    """Where secrets were looked for, and where they were found."""

    def __init__(self):
        self.places, self.characters, self.found = 0, 0, []

    def look(self, place: str, text: str | bytes) -> None:
        text = text.decode(errors="replace") if isinstance(text, bytes) else text
        self.places += 1
        self.characters += len(text)
        for name, mark in MARKS.items():
            for form in forms(mark):
                for line in (line for line in text.splitlines() if form.lower() in line.lower()):
                    at = line.lower().index(form.lower())
                    self.found.append(f"{name} in {place}: …{line[max(0, at - 80) : at + 60]}…")
                    break


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes webhooks."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def marked_urls(plain: str) -> tuple[str, str]:
    """The database's address with either password."""
    rest = urllib.parse.urlsplit(plain)
    words = MARKS["the database's password"], MARKS["the password of the address to listen on"]
    return tuple(rest._replace(netloc=f"{rest.username}:{word}@{rest.hostname}:{rest.port}").geturl() for word in words)


def environment(url: str, listen_url: str, sandbox: str, directory: pathlib.Path) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "DATABASE_LISTEN_URL": listen_url,
        "JOBS_API_SECRET": f"{JOBS},{SECOND}",
        "CRON_SECRET": MARKS["cron's secret"],
        "READ_API_SECRET": READ,
        "CMC_API_KEY": KEY,
        "APP_WEBHOOK_SECRET": f"whsec_{SIGNING}",
        "LARDER_CONFIG": str(directory / "larder.toml"),
        "LARDER__PROVIDERS__COINMARKETCAP__BASE_URL": sandbox,
        "LARDER__QUEUE__RETRY__INITIAL": "50ms",
        # Everything that any library says. RUST_LOG would be second to LARDER_LOG.
        "LARDER_LOG": "trace",
        "RUST_BACKTRACE": "1",
    }


def main() -> int:
    finds = Finds()
    url, listen_url = marked_urls(os.environ["DATABASE_URL"])
    sandbox, enqueuer, worker = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    with Processes({}) as processes:
        processes.environment |= environment(url, listen_url, sandbox, processes.directory)
        target = f"http://127.0.0.1:{sink.server_port}/"
        hook = f'\n[webhooks.app]\nurl = "{target}"\nsecret_env = "APP_WEBHOOK_SECRET"\n'
        (processes.directory / "larder.toml").write_text((ROOT / "larder.toml").read_text() + hook)
        start(processes, sandbox, enqueuer, worker)
        use(finds, sandbox, enqueuer, worker)
        commands(finds, processes)
        mistakes(finds, processes)
        look_at_processes(finds)
        look_at_database(finds, os.environ["DATABASE_URL"])
        for name in list(processes.running):
            processes.stop(name, signal.SIGTERM)
        for log in sorted(processes.directory.glob("*.log")):
            text = log.read_text(errors="replace")
            finds.look(f"the log of {log.stem}", text)
            if log.stem in ("enqueuer", "worker") and '"level":"DEBUG"' not in text:
                finds.found.append(f"{log.name} does not log everything")
    for line in finds.found:
        print(f"WRONG {line}")
    print(f"{len(MARKS)} secrets, {finds.places} places, {finds.characters:,} characters, {len(finds.found)} finds")
    return bool(finds.found)


def start(processes: Processes, sandbox: str, enqueuer: str, worker: str) -> None:
    listen = sandbox.removeprefix("http://")
    processes.start("sandbox", PROGRAMS / "larder", "sandbox", "--listen", listen, LARDER_LOG="info")
    processes.answers("sandbox", sandbox + "/_sandbox/plan")
    processes.start("enqueuer", PROGRAMS / "enqueuer", LARDER__ENQUEUER__LISTEN=enqueuer.removeprefix("http://"))
    processes.start("worker", PROGRAMS / "worker", LARDER__WORKER__LISTEN=worker.removeprefix("http://"))
    processes.answers("worker", worker + "/healthz")
    processes.answers("enqueuer", enqueuer + "/readyz")


def use(finds: Finds, sandbox: str, enqueuer: str, worker: str) -> None:
    """Everything that can be asked over HTTP, with right secrets and with wrong ones."""
    operator, reader = {"Authorization": f"Bearer {JOBS}"}, {"Authorization": f"Bearer {READ}"}

    def ask(method: str, path: str, headers: dict, body: object = None, base: str = enqueuer) -> bytes:
        headers = headers | {"Cookie": f"session={MARKS['a cookie']}"}
        status, answered, answer = fetch(base + path, method, body, headers)
        shown = path.replace(READ, "…").replace(QUERY, "…").replace(KEY, "…").replace(WRONG, "…")
        finds.look(f"{method} {shown}, answered {status}", str(answered).encode() + answer)
        return answer

    # A provider that repeats what it was sent, in an error and in an answer.
    echo = json.dumps({"status": {"error_code": 400, "error_message": f"the key {KEY} cannot do this"}})
    trouble = {"status": {"status": 400, "body": echo, "headers": [["x-your-key", KEY]]}}
    fetch(sandbox + "/_sandbox/trouble", "POST", {"kind": trouble, "times": 1, "path": "/v1/cryptocurrency/map"})
    fetch(sandbox + "/_sandbox/trouble", "POST", {"kind": "drop_after_counting", "times": 1, "path": "/v1/fiat/map"})

    refused = {"kind": "refresh", "resource": "coinmarketcap:/v1/cryptocurrency/map?limit=7"}
    dropped = {"kind": "refresh", "resource": "coinmarketcap:/v1/fiat/map?limit=7"}
    told = {"kind": "webhook", "args": {"target": "app", "resources": [refused["resource"]]}}
    jobs = [json.loads(ask("POST", "/api/jobs", operator, job))["id"] for job in (refused, dropped, told)]
    wanted = ["failed", "completed", "completed"]

    def ended() -> bool:
        shown = [json.loads(ask("GET", f"/api/jobs/{job}", operator)) for job in jobs]
        return [job["status"] for job in shown] == wanted

    until("the jobs end as they should", ended)

    id_of = jobs[0]
    routes = [
        ("GET", "/api/jobs/process-pending?debug=true", None),
        ("POST", "/api/jobs/process-pending", None),
        ("GET", "/api/jobs?limit=50", None),
        ("GET", f"/api/jobs/{id_of}", None),
        ("POST", f"/api/jobs/{id_of}/retry", None),
        ("POST", f"/api/jobs/{id_of}/cancel", None),
        ("POST", "/api/jobs/retry", {"status": "failed"}),
        ("POST", "/api/jobs/cancel", {"kind": "webhook"}),
        ("GET", "/api/budget", None),
        ("GET", "/api/calls?limit=50", None),
        ("GET", "/api/resources?limit=50", None),
        ("POST", "/api/lanes/coinmarketcap/close", {"reason": "a check"}),
        ("POST", "/api/lanes/coinmarketcap/open", None),
        ("POST", "/api/jobs", {"kind": "no such kind"}),
        ("POST", "/api/jobs", {"kind": "refresh", "resource": "no such resource"}),
        ("DELETE", "/api/jobs", None),
    ]
    for method, path, body in routes:
        ask(method, path, operator, body)
    for secret in (SECOND, MARKS["cron's secret"]):
        ask("GET", "/api/budget", {"Authorization": f"Bearer {secret}"})
    for path in ("/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/no/such/page"):
        ask("GET", path, {})
        ask("GET", path, {}, base=worker)

    # Readers show what they have in each of the places where a program may put a key, and in wrong ones.
    for path in (
        f"{QUOTES}?id=1", f"{QUOTES}?id=2,3", f"{QUOTES}?id=99999999", f"{QUOTES}?wrong=1",
        "/proxy/coinmarketcap/no/such/endpoint", "/proxy/nobody/x", "/proxy/coinmarketcap/v1/key/info",
    ):  # fmt: skip
        ask("GET", path, reader)
        ask("GET", path, {"X-CMC_PRO_API_KEY": READ})
        ask("GET", f"{path}{'&' if '?' in path else '?'}CMC_PRO_API_KEY={READ}", {})
        ask("GET", f"{path}{'&' if '?' in path else '?'}CMC_PRO_API_KEY={QUERY}", reader)
    basic = base64.b64encode(f"somebody:{WRONG}".encode()).decode()
    guesses = [
        (method, path + query, headers)
        for method, path in [("POST", "/api/jobs/process-pending"), ("GET", "/api/budget"), ("GET", f"{QUOTES}?id=1")]
        for query, headers in [
            ("", {"Authorization": f"Bearer {WRONG}"}),
            ("", {"Authorization": f"Basic {basic}"}),
            ("", {"X-CMC_PRO_API_KEY": WRONG, "X-API-Key": WRONG}),
            (f"{'&' if '?' in path else '?'}CMC_PRO_API_KEY={WRONG}", {}),
            (f"{'&' if '?' in path else '?'}secret={WRONG}&token={WRONG}", {}),
        ]
    ]
    with concurrent.futures.ThreadPoolExecutor(len(guesses)) as at_once:
        list(at_once.map(lambda guess: ask(*guess), guesses))


def run(finds: Finds, processes: Processes, *arguments: str, succeeds: bool | None = None, **more: str) -> None:
    """A command of an operator's, to its end or for ten seconds; one that fails where it should not shows little."""
    program = [str(PROGRAMS / arguments[0]), *arguments[1:]]
    setting = {"env": processes.environment | more, "cwd": processes.directory, "stdin": subprocess.DEVNULL}
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **setting)
    try:
        said, _ = process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            said, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
    shown = "`" + " ".join(arguments) + "`"
    finds.look(shown, said)
    if succeeds is not None and succeeds != (process.returncode == 0):
        finds.found.append(f"{shown} ended with {process.returncode}: {said[-300:].decode(errors='replace')}")


def commands(finds: Finds, processes: Processes) -> None:
    listing = "LARDER__ENQUEUER__LISTEN", "LARDER__WORKER__LISTEN", "LARDER_SANDBOX_LISTEN"
    here = dict.fromkeys(listing, "127.0.0.1:0")
    for arguments in (
        "check", "check --json", "plan", "plan --measured --json", "budget", "budget --json", "jobs list", "jobs list --json",
        "jobs retry --status failed --lane coinmarketcap", "lane close coinmarketcap --json", "lane list", "lane open coinmarketcap", "tick",
        "track coinmarketcap:/v1/fiat/map?limit=9", "untrack coinmarketcap:/v1/fiat/map?limit=9", "init", "doctor", "--help",
    ):  # fmt: skip
        run(finds, processes, "larder", *arguments.split(), succeeds=True)
        # What is not tracked any more cannot be untracked again.
        again = not arguments.startswith("untrack")
        run(finds, processes, "larder", *arguments.split(), succeeds=again, LARDER_LOG="warn")
    run(finds, processes, "worker", "--once", succeeds=True, **here)
    run(finds, processes, "larder", "up", succeeds=True, **here)
    run(finds, processes, "larder", "up", succeeds=True, LARDER_LOG="info", **here)


def mistakes(finds: Finds, processes: Processes) -> None:
    """What is said of secrets that cannot be used."""
    word = MARKS["the database's password"]
    nowhere = f"postgres://larder:{word}@127.0.0.1:{free_port()}/larder"
    here = {"LARDER__ENQUEUER__LISTEN": "127.0.0.1:0", "LARDER__WORKER__LISTEN": "127.0.0.1:0", "LARDER_LOG": "info"}
    wrongs = [
        {"DATABASE_URL": nowhere, "DATABASE_LISTEN_URL": ""},
        {"DATABASE_URL": f"postgres://larder:{word}@nobody.invalid:notaport/larder"},
        {"DATABASE_URL": f"mysql://larder:{word}@127.0.0.1/larder"},
        {"DATABASE_URL": f"host=127.0.0.1 password={word}"},
        {"DATABASE_URL": nowhere + "?sslmode=" + word},
        {"READ_API_SECRET": JOBS},
        {"READ_API_SECRET": READ + "\nX-Injected: yes"},
        {"CMC_API_KEY": KEY + "\n\x01"},
        {"CMC_API_KEY_FILE": "/no/such/file"},
        {"APP_WEBHOOK_SECRET": MARKS["the secret that signs webhooks"]},
    ]
    programs = [["larder", "budget"], ["larder", "check"], ["enqueuer"], ["worker", "--once"]]
    with concurrent.futures.ThreadPoolExecutor(8) as at_once:
        tries = [(program, here | wrong) for wrong in wrongs for program in programs]
        list(at_once.map(lambda it: run(finds, processes, *it[0], **it[1]), tries))
    misplaced = processes.directory / "misplaced.toml"
    for text in (f'key = "{KEY}"', f'key_env = "{KEY}"', f'key_env = "{KEY}', f'base_url = "https://{KEY}@127.0.0.1"'):
        misplaced.write_text(f"[providers.coinmarketcap]\n{text}\n")
        run(finds, processes, "larder", "check", "--config", str(misplaced))


def look_at_processes(finds: Finds) -> None:
    """What `ps` shows to everybody; the environment is readable only by the process's own user."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes() + (process / "comm").read_bytes()
        except OSError:
            continue  # it has ended
        finds.look("the process list", line)


def look_at_database(finds: Finds, url: str) -> None:
    """Every row of every table and view, and what Postgres shows of sessions."""

    def psql(statement: str) -> str:
        done = subprocess.run(["psql", "-XAtq", url, "-c", statement], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"WRONG psql: {done.stderr}")
        return done.stdout

    tables = psql(
        "select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname in ('larder', 'public') and c.relkind in ('r', 'v', 'm', 'p') and not c.relispartition"
    ).split()
    for table in tables:
        finds.look(f"the table {table}", psql(f"select t::text from {table} t"))
    finds.look("pg_stat_activity", psql("select application_name, query from pg_stat_activity"))
    finds.look("pg_settings and roles", psql("select name, setting from pg_settings"))
    finds.look("comments and functions", psql("select prosrc from pg_proc where pronamespace = 'larder'::regnamespace"))
    if len(tables) < 20:
        finds.found.append(f"only {len(tables)} tables were looked at")


if __name__ == "__main__":
    raise SystemExit(main())
