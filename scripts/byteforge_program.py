"""byteforge-coinmarketcap against the sandbox and against Larder, the same but for the base URL.

The answers must be equal, apart from times. Prints both where they differ, and ends with 1 then. Run by
scripts/check-clients.
"""

import os
import sys
import time

from coinmarketcap import Market

# When something was made, or read.
NOT_COMPARED = {"timestamp"}


def main() -> int:
    # Its own cache would answer for Larder: a new directory, and no cache of another run.
    os.chdir(os.environ["EMPTY_DIRECTORY"])
    direct = market(os.environ["SANDBOX_URL"], "sandbox-key", "direct")
    through = market(os.environ["LARDER_URL"] + "/proxy/coinmarketcap", os.environ["READ_API_SECRET"], "through")
    # The sandbox's prices move with each full minute: stay within one.
    left = 60 - time.time() % 60
    if left < 20:
        time.sleep(left + 0.1)
    failures = 0
    for name, ask in QUESTIONS:
        ours, theirs = plain(ask(through)), plain(ask(direct))
        failures += report(name, ours, theirs)
    # All that this client makes of the key's report: what is left of the month for each of its days.
    failures += report("key info", 0 < through.safe_daily_call_limit() <= 15_000, True)
    wrong = market(os.environ["LARDER_URL"] + "/proxy/coinmarketcap", "0123456789abcdef0123456789abcdef", "wrong")
    try:
        wrong.quotes_latest(ids=[1])
        failures += report("a wrong key", "answered", "refused")
    except Exception as error:
        failures += report("a wrong key", getattr(error, "status_code", error), 401)
    return 1 if failures else 0


QUESTIONS = [
    ("map", lambda cmc: cmc.map(limit=5)),
    ("map of symbols", lambda cmc: cmc.map(symbols=["BTC", "ETH"])),
    ("listings", lambda cmc: cmc.listings_latest(limit=10)),
    ("listings in EUR", lambda cmc: cmc.listings_latest(limit=3, convert=["EUR"])),
    ("quotes", lambda cmc: cmc.quotes_latest(ids=[1, 1027])),
    ("quotes in USD and EUR", lambda cmc: cmc.quotes_latest(ids=[1], convert=["USD", "EUR"])),
]


def market(base_url: str, key: str, name: str) -> Market:
    made = Market(api_key=key, base_url=base_url, tempdir_cache=False)
    made.cache_name = name
    return made


def plain(value):
    if hasattr(value, "__dict__"):
        value = vars(value)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items() if key not in NOT_COMPARED}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return str(value)


def report(name: str, ours, theirs) -> int:
    same = ours == theirs and ours not in ([], {}, None)
    print(f"{'same' if same else 'DIFFERS':8}{name}")
    if not same:
        print(f"        larder   {ours}\n        sandbox  {theirs}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
