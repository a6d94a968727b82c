"""Asks a real Prometheus, beside a running system, every query of every dashboard and rule.

Run by scripts/check-ops, with DATABASE_URL. Prints a line for each panel, and fails where a query fails or finds
nothing; a quantile of no observations (NaN) is nothing.
"""

import json
import math
import os
import pathlib
import re
import subprocess
import time
import urllib.parse

import yaml

from local_larder import ROOT, Processes, fetch, free_port, until
from ops_load import Load

OPS = ROOT / "ops"
PATIENCE = 90  # seconds, for everything to have happened and been scraped
SHOWN = 300  # seconds that the dashboards show, so that what happened at the start is still there
MACROS = {"__rate_interval": "15s", "__interval": "5s", "__range": f"{SHOWN}s"}

# What the load makes happen, so that a zero there shows a query that looks at the wrong thing.
HAPPENS = {
    "Calls avoided", "Money saved", "Spent", "Attempts that failed and are tried again", "Failed for good", "Rescues",
    "Charged beyond the reservation", "Reported costs that cannot be true", "Cost of each endpoint", "Workers",
    "Coverage", "Remaining", "Used of each window", "Listening", "Reads a second, by result",
}  # fmt: skip

LOG_HEAD = """\
What `LARDER_BLESS=1 scripts/check-ops` found: promtool on the rules and their cases, then a real Prometheus beside a
running system under load, asked every query of every dashboard. Each found so many series with numbers in them; where
the load makes something happen, numbers above zero.
"""

problems: list[str] = []
log: list[str] = []  # what stays the same from one time to the next


def good(text: str, numbers: str = "") -> None:
    log.append(f"ok    {text}")
    print(f"ok    {text}{numbers}", flush=True)


def wrong(text: str) -> None:
    problems.append(text)
    print(f"WRONG {text}", flush=True)


def selectors(expression: str) -> set[str]:
    """The series that an expression looks at: `larder_jobs{lane="x"}`."""
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", "", expression)
    return set(re.findall(r"(?:[a-z_]+:)?larder_\w+(?::\w+)?(?:\{[^}]*\})?", bare))


class Prometheus:
    """The project's own configuration and rules, with the targets here and a scrape each second."""

    def __init__(self, processes: Processes, load: Load):
        config = yaml.safe_load((OPS / "prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(OPS / "prometheus" / pattern) for pattern in config["rule_files"]]
        here = {"larder-enqueuer": [load.enqueuer], "larder-worker": list(load.workers.values())}
        for job in config["scrape_configs"]:
            del job["dns_sd_configs"]
            targets = [url.removeprefix("http://") for url in here.pop(job["job_name"])]
            job["static_configs"] = [{"targets": targets}]
        if here:
            raise SystemExit(f"WRONG prometheus.yml: scrapes no {', '.join(here)}")
        path = processes.directory / "prometheus.json"
        path.write_text(json.dumps(config))  # JSON is YAML
        listen = f"127.0.0.1:{free_port()}"
        self.url = f"http://{listen}"
        data = processes.directory / "prometheus-data"
        processes.start(
            "prometheus", "prometheus", f"--config.file={path}", f"--storage.tsdb.path={data}",
            f"--web.listen-address={listen}",
        )  # fmt: skip
        processes.answers("prometheus", self.url + "/-/ready")
        # It looks for its targets only seconds after it says that it is ready.
        self.scrapes(load.enqueuer)
        self.scrapes(load.workers["worker-a"])

    def scrapes(self, url: str) -> None:
        """Waits for the first scrape: what is counted before it is no increase."""
        instance = url.removeprefix("http://")
        until(f"{url} is scraped", lambda: self.numbers(f'up{{instance="{instance}"}} == 1')[0])

    def ask(self, path: str, **parameters: object):
        query = urllib.parse.urlencode(parameters)
        _, _, body = fetch(f"{self.url}/api/v1/{path}?{query}")
        answer = json.loads(body)
        if answer["status"] != "success":
            raise ValueError(answer["error"])
        return answer["data"]

    def numbers(self, expression: str, instant: bool = True) -> tuple[int, list[float]]:
        """How many series, and the numbers in them that are numbers."""
        now = time.time()
        if instant:
            series = self.ask("query", query=expression)["result"]
            values = [point["value"][1] for point in series]
        else:
            series = self.ask("query_range", query=expression, start=now - SHOWN, end=now, step=1)["result"]
            values = [value for line in series for _, value in line["values"]]
        return len(series), [number for number in map(float, values) if not math.isnan(number)]


class Dashboard:
    """A file of ops/grafana/dashboards, with its variables filled in."""

    def __init__(self, path: pathlib.Path, prometheus: Prometheus):
        self.name, self.prometheus = path.stem, prometheus
        self.json = json.loads(path.read_text())
        self.panels = [panel for panel in self.flat(self.json["panels"]) if panel["type"] not in ("row", "text")]
        self.fillings = [MACROS, MACROS]

    def flat(self, panels: list[dict]):
        for panel in panels:
            yield panel
            yield from self.flat(panel.get("panels", []))

    def check_form(self) -> None:
        """What no query shows: a fixed uid, the variable of the data source, units."""
        if self.json.get("id") is not None or self.json["uid"] != f"larder-{self.name}":
            wrong(f"{self.name}: the uid is not fixed")
        for panel in self.panels:
            at = f"{self.name} / {panel['title']}"
            sources = [panel.get("datasource")] + [target.get("datasource") for target in panel["targets"]]
            if any(source is not None and source["uid"] != "${datasource}" for source in sources) or not sources[0]:
                wrong(f"{at}: the data source is not the variable")
            if not panel["fieldConfig"]["defaults"].get("unit"):
                wrong(f"{at}: no unit")
        if len({panel["id"] for panel in self.flat(self.json["panels"])}) != len(list(self.flat(self.json["panels"]))):
            wrong(f"{self.name}: two panels have the same id")

    def fill_variables(self) -> None:
        """Each variable once as All and once as its first value."""
        names = [variable["name"] for variable in self.json["templating"]["list"]]
        if names[:2] != ["datasource", "provider"]:
            wrong(f"{self.name}: the first variables are not datasource and provider")
        every, first = dict(MACROS), dict(MACROS)
        for variable in self.json["templating"]["list"]:
            name, query = variable["name"], variable["query"]
            if variable["type"] == "datasource":
                if query != "prometheus" or variable["current"]:
                    wrong(f"{self.name} ${name}: must ask for a Prometheus, and prefer none")
            elif variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((.+), *(\w+)\)", query["query"]).groups()
                values = self.prometheus.ask(f"label/{label}/values", **{"match[]": metric})
                if not values:
                    wrong(f"{self.name} ${name}: {query['query']} finds nothing")
                    continue
                every[name], first[name] = variable["allValue"], values[0]
                good(f"{self.name} ${name}: {', '.join(values)}")
            else:
                every[name] = first[name] = query
        self.fillings = [every, first]

    def expressions(self, panel: dict):
        """Every query of a panel, filled in either way."""
        for target in panel["targets"]:
            for filling in self.fillings:
                text = target["expr"]
                for name, value in sorted(filling.items(), reverse=True):
                    text = text.replace("${" + name + "}", value).replace("$" + name, value)
                if "$" in text:
                    raise ValueError(f"{target['refId']}: a variable is left in {text}")
                yield target["refId"], text, bool(target.get("instant"))

    def look(self, panel: dict) -> tuple[bool, str, str]:
        """Whether a panel shows something, how many series, and their numbers."""
        found, shown = {}, {}
        try:
            for name, text, instant in self.expressions(panel):
                series, numbers = self.prometheus.numbers(text, instant)
                if not numbers:
                    return False, f"{name}: {'only NaN' if series else 'no data'} for {text}", ""
                if panel["title"] in HAPPENS and max(numbers) == 0:
                    return False, f"{name}: all is zero in {text}", ""
                found[name] = f"{name} {series} series"
                shown[name] = f"{min(numbers):.4g} to {max(numbers):.4g}"
        except ValueError as error:
            return False, str(error), ""
        return True, ", ".join(found.values()), f" ({', '.join(shown.values())})"


def check_metrics(processes: dict[str, str]) -> None:
    """promtool's own opinion of what each process exports."""
    for name, url in processes.items():
        page = fetch(url + "/metrics")[2]
        lint = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
        said = (lint.stdout + lint.stderr).decode().strip()
        if lint.returncode or said:
            wrong(f"promtool check metrics: {said}")
        else:
            good(f"promtool check metrics: {name}", f" ({len(page.splitlines())} lines of {url})")


def check_declared(prometheus: Prometheus) -> None:
    """Everything that shared/src/metrics.rs declares is exported by somebody."""
    source = (ROOT / "shared/src/metrics.rs").read_text()
    declared = set(re.findall(r'^ {4}[A-Z_]+ "(larder_\w+)"', source, re.MULTILINE))
    names = prometheus.ask("label/__name__/values")
    exported = {re.sub("_(bucket|sum|count)$", "", name) for name in names if name.startswith("larder_")} | set(names)
    for name in sorted(declared - exported):
        wrong(f"metrics: nobody exports {name}")
    good(f"metrics: {len(declared & exported)} of {len(declared)} declared are exported")


def check_rules(prometheus: Prometheus) -> None:
    """Every rule is evaluated, looks at something that exists, and has its cases and its entry in the operations guide."""
    cases = yaml.safe_load((OPS / "prometheus/tests/alerts_test.yml").read_text())["tests"]
    told = [case for test in cases for case in test.get("alert_rule_test", [])]
    fired = {case["alertname"] for case in told if case.get("exp_alerts")}
    guide = (ROOT / "docs/operations.md").read_text()
    for group in prometheus.ask("rules")["groups"]:
        for rule in group["rules"]:
            name, alert = rule["name"], rule["type"] == "alerting"
            if rule["health"] != "ok":
                wrong(f"rule {name}: {rule['health']} {rule.get('lastError', '')}")
            for selector in selectors(rule["query"]):
                if not prometheus.numbers(selector)[0]:
                    wrong(f"rule {name}: nothing is {selector}")
            if alert and name not in fired:
                wrong(f"rule {name}: no case in which it fires")
            if alert and f"\n### {name}\n" not in guide:
                wrong(f"rule {name}: not in docs/operations.md")
            if not alert and not prometheus.numbers(name)[1]:
                wrong(f"rule {name}: no data")
            good(f"rule {name}: {'has its cases' if alert else 'recorded'}", f" ({rule['state']})" if alert else "")


def check_dashboards(prometheus: Prometheus) -> None:
    """Asks until all panels show something, since some of it takes time to happen, or until patience ends."""
    dashboards = [Dashboard(path, prometheus) for path in sorted((OPS / "grafana/dashboards").glob("*.json"))]
    for dashboard in dashboards:
        dashboard.check_form()
        dashboard.fill_variables()
    waiting = [(dashboard, panel) for dashboard in dashboards for panel in dashboard.panels]
    count = len(waiting)
    ends = time.monotonic() + PATIENCE
    found = {}
    while waiting:
        left = []
        last = time.monotonic() > ends
        for dashboard, panel in waiting:
            shows, text, numbers = dashboard.look(panel)
            at = f"{dashboard.name} / {panel['title']}"
            if shows:
                found[at] = (f"{at}: {text}", numbers)
            elif last:
                wrong(f"{at}: {text}")
            else:
                left.append((dashboard, panel))
        waiting = left
        time.sleep(1 if waiting else 0)
    # In the order of the dashboards, whichever showed something first.
    for dashboard in dashboards:
        for panel in dashboard.panels:
            at = f"{dashboard.name} / {panel['title']}"
            if at in found:
                good(*found[at])
    good(f"{count} panels of {len(dashboards)} dashboards")


def main() -> int:
    database = os.environ["DATABASE_URL"]
    with Processes(Load.environment(database)) as processes:
        load = Load(processes)
        load.start()
        prometheus = Prometheus(processes, load)
        load.stir(prometheus.scrapes)
        check_dashboards(prometheus)
        check_metrics({"enqueuer": load.enqueuer} | load.workers)
        check_declared(prometheus)
        until("rules are evaluated", lambda: all(
            rule["health"] != "unknown" for group in prometheus.ask("rules")["groups"] for rule in group["rules"]
        ))  # fmt: skip
        check_rules(prometheus)
        load.close()
        if problems:
            raise SystemExit(f"{len(problems)} problems")
        if os.environ.get("LARDER_BLESS"):
            text = f"{LOG_HEAD}\n{os.environ['PROMTOOL_SAID']}\n\n" + "".join(f"{line}\n" for line in log)
            (ROOT / "docs/ops-log.txt").write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
