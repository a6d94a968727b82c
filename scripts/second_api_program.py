"""Reads httpbin through Larder, and checks that Larder keeps its answers as it keeps CoinMarketCap's.

Needs nothing but Python. Run by scripts/check-second-api.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

DIRECT = os.environ["HTTPBIN_URL"]
LARDER = os.environ["LARDER_URL"]
failed = 0
passed = 0


def get(url: str, headers: dict | None = None):
    """Status, headers and body."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=40) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def read(path: str, headers: dict | None = None):
    return get(f"{LARDER}/proxy/httpbin{path}", headers)


def calls() -> list[dict]:
    bearer = {"Authorization": "Bearer " + os.environ["JOBS_API_SECRET"]}
    return json.loads(get(f"{LARDER}/api/calls?limit=500", bearer)[2])["calls"]


def arrived() -> int:
    """Requests that httpbin itself counted, those of this program aside."""
    with open(os.environ["HTTPBIN_LOG"]) as log:
        return sum('"GET ' in line and "?direct" not in line for line in log)


def check(what: str, holds: bool, shown: object = "") -> None:
    global failed, passed
    passed, failed = (passed + 1, failed) if holds else (passed, failed + 1)
    print(f"{'ok' if holds else 'WRONG':6}{what}{'' if holds else f': {shown}'}")


def main() -> int:
    status, _, direct = get(f"{DIRECT}/json?direct")
    status, headers, through = read("/json")
    check("a body is the upstream's own, byte for byte", through.strip() == direct.strip(), through)
    check("the first read is a miss", "miss" in headers["Cache-Status"], headers["Cache-Status"])
    before = len(calls())
    status, headers, again = read("/json")
    check("the second read is a hit", headers["Cache-Status"].startswith("larder; hit"), headers["Cache-Status"])
    check("and has the same body", again == through, again)

    _, _, body = read("/anything/tea")
    check("a part of the path is a parameter", json.loads(body)["url"].endswith("/anything/tea"), body)
    _, _, body = read("/get?size=1&colour=Red,blue,red")
    check("a question goes out in canonical form", json.loads(body)["args"] == {"colour": "blue,red"}, body)
    _, headers, _ = read("/get?colour=BLUE,RED")
    check("and is the same in another spelling", "; hit" in headers["Cache-Status"], headers["Cache-Status"])
    _, _, body = read("/headers", {"X-Reader": "private", "Cookie": "a=b", "Authorization": "Bearer private"})
    check("no header of a reader goes upstream", b"private" not in body and b"a=b" not in body, body)

    status, _, body = read("/get?size=11")
    check("a parameter out of range is refused", status == 422, (status, body))
    status, _, body = read("/ip")
    check("a path that is not configured is refused", status == 404, (status, body))

    status, headers, body = read("/status/404")
    problem = json.loads(body)
    check("404: it does not exist", status == 404 and problem["type"] == "/problems/does-not-exist", body)
    status, headers, body = read("/status/418")
    check("a rule of the configuration is kept to", status == 400, body)

    first = json.loads(read("/uuid")[2])["uuid"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and json.loads(read("/uuid")[2])["uuid"] == first:
        time.sleep(0.2)
    status, headers, body = read("/uuid")
    check("a tracked resource is renewed without being asked for", json.loads(body)["uuid"] != first, body)
    check("and is read from the cache", "; hit" in headers["Cache-Status"], headers["Cache-Status"])

    status, _, body = read("/status/500", {"Prefer": "wait=2"})
    check("500: no answer, and no made-up one", status in (502, 503, 504), (status, body))
    ledger = calls()
    outcomes = {call["endpoint"] + " " + str(call["outcome"]) for call in ledger}
    for expected in ("json ok", "status not_found", "status bad_request", "status provider_error", "uuid ok"):
        check(f"the ledger says {expected}", expected in outcomes, outcomes)
    once = [call for call in ledger if call["endpoint"] == "json"]
    check("two reads were one call", len(once) == 1 and before >= 1, once)
    # Calls may end between the two counts: they must agree at some moment.
    deadline = time.monotonic() + 20
    counts = ()
    while time.monotonic() < deadline:
        counts = (arrived(), len(calls()), arrived())
        if len(set(counts)) == 1:
            break
        time.sleep(0.1)
    check("the ledger has as many calls as the upstream counted", len(set(counts)) == 1, counts)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
