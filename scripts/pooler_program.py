"""Uses Larder as an application and an operator do, and fails at the first thing that does not work.

Needs nothing but Python. Run by scripts/check-pooler.
"""

import json
import os
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
