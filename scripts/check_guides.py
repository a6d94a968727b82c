"""Runs the blocks of README.md and docs/*.md whose fence says `tested`, and checks what the guides promise of them.

A block of sh finds `larder` on its PATH, and DATABASE_URL, LARDER_URL, JOBS_API_SECRET and WORK, a directory of its own;
a block of sql is run by the owner of the database. Needs Python, psql and DATABASE_URL. Run by scripts/check-guides.
"""

import os
import pathlib
import re
import subprocess
import urllib.parse

from local_larder import PROGRAMS, ROOT, Processes, fetch, free_port

SECRET = "secret-of-the-check-of-guides"
DATABASE = os.environ["DATABASE_URL"]
problems = 0


def said(what: str, good: bool, text: str = "") -> None:
    global problems
    problems += not good
    print(f"{'ok   ' if good else 'WRONG'} {what}{'' if good else f': {text}'}", flush=True)


def psql(statement: str, role: str | None = None, url: str = DATABASE) -> subprocess.CompletedProcess:
    prefix = f"set role {role};\n" if role else ""
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", url]
    return subprocess.run(command, input=prefix + statement, capture_output=True, text=True)


def blocks(guide: pathlib.Path) -> list[tuple[str, int, str]]:
    """Language, line and text of each tested block."""
    text = guide.read_text()
    found = re.finditer(r"^```(sh|sql) tested\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(block[1], text.count("\n", 0, block.start()) + 1, block[2]) for block in found]


def run(guide: pathlib.Path, environment: dict[str, str]) -> int:
    ran = 0
    for number, (language, line, text) in enumerate(blocks(guide)):
        at = f"{guide.relative_to(ROOT)}:{line}"
        if language == "sql":
            done = psql(text)
        else:
            command = ["bash", "-euo", "pipefail", "-c", text]
            done = subprocess.run(command, env=environment, cwd=environment["WORK"], capture_output=True, text=True)
        said(f"{at}: {text.strip().splitlines()[0][:70]}", done.returncode == 0, done.stderr[-400:])
        ran += 1
        for what, good in PROMISES.get((guide.name, number), []):
            said(f"{at}: {what}", good())
    return ran


def rows(statement: str, role: str | None = None, url: str = DATABASE) -> int:
    """How many rows somebody gets; -1 where it is refused."""
    done = psql(f"select count(*) from ({statement}) t", role, url)
    return int(done.stdout) if done.returncode == 0 else -1


def login(name: str) -> str:
    parts = urllib.parse.urlsplit(DATABASE)
    return parts._replace(netloc=f"{name}@{parts.hostname}:{parts.port}").geturl()


def works_as(name: str) -> bool:
    """Whether a worker gets through its work with this login."""
    environment = ENVIRONMENT | {"DATABASE_URL": login(name), "LARDER__WORKER__LISTEN": "127.0.0.1:0"}
    done = subprocess.run([PROGRAMS / "worker", "--once"], env=environment, cwd=ENVIRONMENT["WORK"], capture_output=True)
    return done.returncode == 0


CACHE = "select resource_key, provider, endpoint, params, body, fetched_at, age, is_fresh from larder.cache"
PRIVATE = ("select * from larder.jobs", "select * from larder.api_calls", "select * from larder.entries", "select larder.tick()")
PROMISES = {
    ("supabase.md", 1): [
        ("a signed-in user reads the cache", lambda: rows(CACHE, "authenticated") > 0),
        ("a stranger does not", lambda: rows(CACHE, "anon") == -1),
        ("nothing else is open", lambda: all(rows(other, "authenticated") == -1 for other in PRIVATE)),
    ],
    ("supabase.md", 2): [("it is taken back", lambda: rows(CACHE, "authenticated") == -1)],
    ("security.md", 1): [
        ("a worker works with larder_app", lambda: works_as("shop_larder")),
        ("and makes no table", lambda: psql("create table larder.mine ()", url=login("shop_larder")).returncode != 0),
        ("a report reads with larder_reader", lambda: rows(CACHE, url=login("shop_reports")) > 0),
        ("and nothing of how it works", lambda: rows("select * from larder.workers", url=login("shop_reports")) == -1),
        ("and writes nothing", lambda: psql("delete from larder.api_calls", url=login("shop_reports")).returncode != 0),
    ],
}  # fmt: skip
ENVIRONMENT: dict[str, str] = {}


def main() -> int:
    # The two roles are on every Supabase project before Larder comes.
    psql("create role anon; create role authenticated; grant usage on schema public to anon, authenticated")
    sandbox, enqueuer, worker = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
    settings = {
        "DATABASE_URL": DATABASE,
        "JOBS_API_SECRET": SECRET,
        "CMC_API_KEY": "sandbox-key",
        "LARDER_CONFIG": str(ROOT / "larder.toml"),
        "LARDER_URL": enqueuer,
        "LARDER__PROVIDERS__COINMARKETCAP__BASE_URL": sandbox,
    }
    with Processes(settings) as processes:
        ENVIRONMENT.update(processes.environment, WORK=str(processes.directory))
        ENVIRONMENT["PATH"] = f"{PROGRAMS}:{os.environ['PATH']}"
        listen = sandbox.removeprefix("http://")
        processes.start("sandbox", PROGRAMS / "larder", "sandbox", "--listen", listen)
        processes.answers("sandbox", sandbox + "/_sandbox/plan")
        processes.start("enqueuer", PROGRAMS / "enqueuer", LARDER__ENQUEUER__LISTEN=enqueuer.removeprefix("http://"))
        processes.start("worker", PROGRAMS / "worker", LARDER__WORKER__LISTEN=worker.removeprefix("http://"))
        processes.answers("enqueuer", enqueuer + "/readyz")
        # Something is in the cache.
        fetch(enqueuer + "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=1", headers={"Prefer": "wait=20"})
        guides = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        ran = sum(run(guide, ENVIRONMENT) for guide in guides)
        if missing := {name for name, _ in PROMISES} - {guide.name for guide in guides if blocks(guide)}:
            said(f"guides without the block that is checked: {missing}", False)
    print(f"{ran} blocks, {problems} wrong")
    return bool(problems or not ran)


if __name__ == "__main__":
    raise SystemExit(main())
