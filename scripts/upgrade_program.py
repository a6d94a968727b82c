"""Puts jobs in at one enqueuer and prints the ids that it accepted, a line each.

    upgrade_program.py feed ADDRESS FIRST LAST

One refresh that shares no call with others, and one job of a handler, for each number. Run by scripts/check-upgrade.
"""

import json
import os
import sys
import urllib.request

_, _, address, first, last = sys.argv
for number in range(int(first), int(last) + 1):
    jobs = [
        {"kind": "refresh", "resource": f"coinmarketcap:/v3/cryptocurrency/listings/latest?limit=1&start={number}"},
        {"kind": "noop", "args": {"number": number}},
    ]
    request = urllib.request.Request(
        f"http://{address}/api/jobs",
        data=json.dumps(jobs).encode(),
        headers={"Authorization": "Bearer " + os.environ["JOBS_API_SECRET"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=40) as reply:
        for job in json.load(reply):
            print(job["id"])
