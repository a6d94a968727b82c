"""Uses Larder as an application and an operator do, and fails at the first thing that does not work.

Needs Python and psql. Run by scripts/check-pooler.
"""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request

LARDER = os.environ["LARDER_URL"]
BEARER = {"Authorization": "Bearer " + os.environ["JOBS_API_SECRET"]}


def ask(method: str, path: str, body: object = None):
    """Status and answer; retries nothing."""
    data = None if body is None else json.dumps(body).encode()
    headers = BEARER | ({"Content-Type": "application/json"} if data else {})
    request = urllib.request.Request(LARDER + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=40) as reply:
            return reply.status, json.loads(reply.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def check(what: str, status: int, wanted: set[int], answer: object) -> None:
    if status not in wanted:
        raise SystemExit(f"WRONG {what}: {status} {answer}")
    print(f"ok    {what}")


QUOTES = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest"
for what, path in {
    "a tracked resource": f"{QUOTES}?id=1",
    "several at once": f"{QUOTES}?id=1,1027,825",
    # Nobody asked for these before: a job, a call, an answer.
    "one that must be fetched": f"{QUOTES}?id=5426,74",
    "by symbol": f"{QUOTES}?symbol=BTC",
    "the budget": "/api/budget",
    "the ledger": "/api/calls",
    "resources": "/api/resources?limit=5",
    "jobs": "/api/jobs?status=completed&limit=5",
    "readiness": "/readyz",
}.items():
    status, answer = ask("GET", path)
    check(what, status, {200}, answer)

many = [{"kind": "refresh", "resource": f"coinmarketcap:/v3/cryptocurrency/quotes/latest?id={n}"} for n in (1, 1027)]
job = ask("GET", "/api/jobs?limit=1")[1]["jobs"][0]["id"]
for what, method, path, body in [
    ("a tick", "POST", "/api/jobs/process-pending", None),
    ("jobs in bulk", "POST", "/api/jobs", many),
    ("one job", "GET", f"/api/jobs/{job}", None),
    ("closing a lane", "POST", "/api/lanes/coinmarketcap/close", {}),
    ("opening it", "POST", "/api/lanes/coinmarketcap/open", None),
    ("retrying what failed", "POST", "/api/jobs/retry", {"status": "failed"}),
]:
    status, answer = ask(method, path, body)
    check(what, status, {200, 202}, answer)


def becomes(what: str, job: str, wanted: str) -> None:
    """Waits until a job has this status."""
    until = time.monotonic() + 30
    while (status := ask("GET", f"/api/jobs/{job}")[1]["status"]) != wanted:
        if time.monotonic() > until:
            raise SystemExit(f"WRONG {what}: {job} is {status}")
        time.sleep(0.1)


# The lane of handlers: claimed and finished in batches, cancelled, and made to wait again.
status, noops = ask("POST", "/api/jobs", [{"kind": "noop"}] * 200)
check("jobs for a handler", status, {202}, noops)
for noop in noops:
    becomes("a job for a handler", noop["id"], "completed")
print("ok    all of them completed")
later = ask("POST", "/api/jobs", {"kind": "noop", "run_at": "9000-01-01T00:00:00Z"})[1]["id"]
for what in ("cancel", "retry"):
    status, answer = ask("POST", f"/api/jobs/{later}/{what}")
    check(f"{what} of one of them", status, {200}, answer)
becomes("a job that was cancelled and waits again", later, "completed")
# In SQL, by the same way.
enqueue = ["psql", "-XAtqc", "select larder.enqueue('noop')", os.environ["DATABASE_URL"]]
becomes("a job put in with SQL", subprocess.check_output(enqueue, text=True).strip(), "completed")
print("ok    a job put in with SQL")
