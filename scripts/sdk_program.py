"""One program, two base URLs: CoinMarketCap's own client against the sandbox and against Larder.

Each question is asked of both, and the answers must be equal, apart from times and credits. Prints both side by
side, and ends with 1 if any differ. Run by scripts/check-sdk.
"""

import json
import os
import sys
import time

from coinmarketcap import CoinMarketCap
from coinmarketcap._errors import CMCError

DIRECT = os.environ["SANDBOX_URL"]
THROUGH = os.environ["LARDER_URL"] + "/proxy/coinmarketcap"
WRONG = "0123456789abcdef0123456789abcdef"

# When something was made, how long it took and what it cost.
NOT_COMPARED = {"timestamp", "elapsed", "credit_count"}


def main() -> int:
    direct = client(DIRECT, "sandbox-key")
    through = client(THROUGH, os.environ["READ_API_SECRET"])
    wrong = client(DIRECT, WRONG), client(THROUGH, WRONG)
    # The sandbox's prices move with each full minute: stay within one.
    left = 60 - time.time() % 60
    if left < 25:
        time.sleep(left + 0.1)

    failures = 0
    for name, ask in QUESTIONS:
        failures += compare(name, ask, (direct, through))
    failures += compare("a wrong key", lambda cmc: cmc.cryptocurrency.quotes_latest(id="1"), wrong)
    failures += compare_key_info(direct, through)
    failures += check_unknown(through)
    print(f"\n{len(QUESTIONS) + 3 - failures} passed, {failures} failed")
    return 1 if failures else 0


QUESTIONS = [
    ("map", lambda cmc: cmc.cryptocurrency.map(limit=5, sort="cmc_rank")),
    ("map of symbols", lambda cmc: cmc.cryptocurrency.map(symbol="BTC,ETH")),
    ("listings", lambda cmc: cmc.cryptocurrency.listings_latest(limit="10")),
    ("listings in EUR", lambda cmc: cmc.cryptocurrency.listings_latest(limit="3", convert="EUR")),
    ("quotes by id", lambda cmc: cmc.cryptocurrency.quotes_latest(id="1,1027")),
    ("quotes by symbol", lambda cmc: cmc.cryptocurrency.quotes_latest(symbol="BTC")),
    ("quotes by slug", lambda cmc: cmc.cryptocurrency.quotes_latest(slug="bitcoin,ethereum")),
    ("quotes, one unknown", lambda cmc: cmc.cryptocurrency.quotes_latest(id="1,999999999")),
    ("simple price", lambda cmc: cmc.cryptocurrency.simple_price(id="1,1027", include_market_cap=True)),
    ("info", lambda cmc: cmc.cryptocurrency.info(id="1,1027")),
    ("global metrics", lambda cmc: cmc.global_metrics.globalmetrics_quotes_latest()),
    ("fiat map", lambda cmc: cmc.tools.fiat_map(limit=3)),
    ("an unknown currency", lambda cmc: cmc.cryptocurrency.quotes_latest(id="1", convert="NOSUCHTHING")),
]


def client(base_url: str, key: str) -> CoinMarketCap:
    return CoinMarketCap(key, base_url=base_url, max_retries=0)


def asked(ask, cmc) -> object:
    """The answer as plain data, or the error's type and status."""
    try:
        return plain(ask(cmc).to_dict())
    except CMCError as error:
        return f"{type(error).__name__} {error.status_code}"


def plain(value):
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in sorted(value.items()) if key not in NOT_COMPARED}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def compare(name: str, ask, clients) -> int:
    direct, through = (asked(ask, cmc) for cmc in clients)
    return report(name, direct, through, direct == through)


def compare_key_info(direct, through) -> int:
    """Larder answers from its own ledger and its own caps, so the form is compared, not the figures."""
    direct, through = (asked(lambda cmc: cmc.tools.key_info(), cmc) for cmc in (direct, through))
    if isinstance(direct, str) or isinstance(through, str):
        return report("key info", direct, through, False)
    # A sentence about the reset, and a count that Larder keeps for plans with a daily limit only.
    direct["data"]["plan"].pop("credit_limit_monthly_reset")
    direct["data"]["usage"].pop("current_day")
    same = form(direct) == form(through)
    month = through["data"]["usage"]["current_month"]
    sound = month["credits_used"] > 0 and month["credits_used"] + month["credits_left"] == 15000
    return report("key info", direct["data"], through["data"], same and sound)


def form(value):
    if isinstance(value, dict):
        return {key: form(inner) for key, inner in value.items()}
    return type(value).__name__


def check_unknown(through) -> int:
    """Nothing of what was asked exists: the client must see an error of its own, with words in it."""
    try:
        through.cryptocurrency.quotes_latest(id="999999999")
    except CMCError as error:
        words = f"{type(error).__name__} {error.status_code}: {error}"
        return report("only an unknown id", "(an empty list)", words, error.status_code == 404 and "knows" in words)
    return report("only an unknown id", "(an empty list)", "no error", False)


def report(name: str, direct, through, same: bool) -> int:
    print(f"{'same' if same else 'DIFFERS':8}{name}")
    for side, value in (("sandbox", direct), ("larder", through)):
        text = value if isinstance(value, str) else json.dumps(value)
        print(f"        {side:8} {text if not same else text[:150]}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
