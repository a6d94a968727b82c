"""Reads a thousand coins by Zipf's law through Larder for some minutes, and compares the ages of what it gets with
those of the simulation.

Needs nothing but Python. Run by scripts/check-planner.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.parse
import urllib.request

LARDER = os.environ["LARDER_URL"]
MINUTES = float(os.environ["MINUTES"])
READS_PER_SEC = 60.0
SECS_PER_CALL = 8.0
# A minute of the simulation is a second here.
SIMULATED = json.loads(os.environ["SIMULATED"])
BEARER = {"Authorization": "Bearer " + os.environ["JOBS_API_SECRET"]}


def api(path: str) -> dict:
    with urllib.request.urlopen(urllib.request.Request(LARDER + path, headers=BEARER), timeout=30) as reply:
        return json.load(reply)


def coins() -> list[str]:
    """The paths of the tracked coins, once all are there."""
    for _ in range(600):
        found, page = [], "/api/resources?limit=500"
        while page:
            told = api(page)
            found += [one for one in told["resources"] if "/quotes/" in one["resource"] and one["fetched_at"]]
            page = told["next"] and "/api/resources?limit=500&cursor=" + urllib.parse.quote(told["next"])
        if len(found) >= 1000:
            return ["/proxy/" + one["resource"].replace(":", "", 1) for one in found]
        time.sleep(0.2)
    sys.exit(f"error: only {len(found)} coins came within two minutes")


def calls() -> list[dict]:
    return [call for call in api("/api/calls?limit=500")["calls"] if call["endpoint"] == "quotes_latest"]


def main() -> int:
    paths = coins()
    chance = random.Random(1)
    chance.shuffle(paths)
    weights = [1 / rank for rank in range(1, len(paths) + 1)]
    host = urllib.parse.urlsplit(LARDER).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    begin = time.monotonic()
    learnt = begin + MINUTES * 15
    end = begin + MINUTES * 60
    at, ages, calls_before = begin, [], None
    while at < end:
        at += chance.expovariate(READS_PER_SEC)
        time.sleep(max(0.0, at - time.monotonic()))
        [path] = chance.choices(paths, weights)
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 200, reply.status
        if at >= learnt:
            if calls_before is None:
                calls_before = len(calls())
            # Age is in whole seconds, rounded down.
            ages.append(int(reply.headers["Age"]) + 0.5)
    made = calls()[: len(calls()) - calls_before]
    age = sum(ages) / len(ages)
    expected = SIMULATED["after_day_3"]["mean_age_minutes"]
    planned = (end - learnt) / SECS_PER_CALL
    fill = sum(call["items"] for call in made) / 250 / max(1, len(made))
    print(f"reads      {len(ages)}")
    print(f"calls      {len(made)}, {len(made) / planned:.2f} of those planned, {fill:.3f} full")
    print(f"mean age   {age:.2f} s; simulated {expected:.2f}; ratio {age / expected:.3f}")
    # Where the time of counting begins and ends is chance, so one call more or less is too.
    agrees = abs(age / expected - 1) <= 0.1 and abs(len(made) - planned) <= 0.1 * planned + 1
    return 0 if agrees and fill >= 0.98 else 1


sys.exit(main())
