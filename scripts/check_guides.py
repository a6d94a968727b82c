"""Runs the blocks of README.md and docs/*.md whose fence says `tested`, and checks what the guides promise of them; and those
that name an address or a file of somebody else's, with ours in their place.

A block of sh finds `larder` on its PATH, and DATABASE_URL, LARDER_URL, JOBS_API_SECRET and WORK, a directory of its own;
a block of sql is run by the owner of the database. Needs Python, psql and DATABASE_URL. Run by scripts/check-guides.
"""

import os
import pathlib
import re
import shutil
import subprocess
import textwrap
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
# Guide, what its block holds, and what stands in place of what.
ADAPTED = [
    ("README.md", "latest?id=1,1027'", {"http://127.0.0.1:8080": "$LARDER_URL", "'": '"', "curl ": "curl --fail-with-body -sS "}),
    ("README.md", "https://…/api/jobs/process-pending", {"https://…": "$LARDER_URL", "curl ": "curl --fail-with-body -sS "}),
    ("crontab.md", "larder tick", {"/etc/larder/": "$WORK/"}),
    ("github-actions.md", "runs-on", {}),
]
ROUTE = """
import { GET } from './route.mjs'
const ask = (secret) => GET(new Request('https://shop.example/api/cron/larder', { headers: { authorization: `Bearer ${secret}` } }))
const [stranger, cron] = [await ask('a guess'), await ask(process.env.CRON_SECRET)]
if (stranger.status !== 401 || cron.status !== 202) throw new Error(`${stranger.status} ${cron.status}`)
if (typeof (await cron.json()).due !== 'number') throw new Error('not the answer of a tick')
"""


def fenced(name: str, words: str) -> str:
    """The block of a guide that holds these words."""
    guide = ROOT / "README.md" if name == "README.md" else ROOT / "docs" / name
    found = re.findall(r"^```.*?\n(.*?)^```$", guide.read_text(), re.MULTILINE | re.DOTALL)
    return next(block for block in found if words in block)


def adapted() -> int:
    """Runs what only needs another address or file than the guide names."""
    work = pathlib.Path(ENVIRONMENT["WORK"])
    (work / ".larder").mkdir()
    (work / ".larder" / "jobs-api-secret").write_text(SECRET)
    (work / "database-url").write_text(DATABASE)
    for name, words, changes in ADAPTED:
        text = fenced(name, words)
        for theirs, ours in changes.items():
            if theirs not in text:
                said(f"{name}: {words}", False, f"{theirs} does not stand there")
            text = text.replace(theirs, ours)
        if "run: |\n" in text:
            text = textwrap.dedent(text.partition("run: |\n")[2])
        elif "DATABASE_URL_FILE" in text:
            text = "unset DATABASE_URL\n" + text
        command = ["bash", "-euo", "pipefail", "-c", text]
        done = subprocess.run(command, env=ENVIRONMENT, cwd=work, capture_output=True, text=True)
        said(f"{name}: {words}", done.returncode == 0, done.stderr[-400:] + done.stdout[-400:])

    node = shutil.which("node")
    if node is None:
        print("not run: vercel.md's route, which needs Node", flush=True)
        return len(ADAPTED)
    (work / "route.mjs").write_text(fenced("vercel.md", "api/cron/larder/route.ts").replace("(request: Request)", "(request)"))
    (work / "try.mjs").write_text(ROUTE)
    environment = ENVIRONMENT | {"CRON_SECRET": "secret-of-the-cron-of-guides"}
    done = subprocess.run([node, "try.mjs"], env=environment, cwd=work, capture_output=True, text=True)
    said("vercel.md: the route lets the cron through, and nobody else", done.returncode == 0, done.stderr[-400:])
    return len(ADAPTED) + 1


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
        ran = sum(run(guide, ENVIRONMENT) for guide in guides) + adapted()
        if missing := {name for name, _ in PROMISES} - {guide.name for guide in guides if blocks(guide)}:
            said(f"guides without the block that is checked: {missing}", False)
    print(f"{ran} blocks, {problems} wrong")
    return bool(problems or not ran)


if __name__ == "__main__":
    raise SystemExit(main())
