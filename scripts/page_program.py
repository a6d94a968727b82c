"""What an operator does on the page, done in a real browser against a running Larder.

Each part ends with a look at the console: nothing may stand there but what was provoked. With --screenshots the
pictures in docs/images/ are made anew.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import Select, WebDriverWait

URL = os.environ["LARDER_URL"]
SECRET = os.environ["JOBS_API_SECRET"]
SANDBOX = os.environ["SANDBOX_URL"]
IMAGES = Path(__file__).parent.parent / "docs" / "images"
# What would run, or show a picture, if any text became HTML.
HTML = '<img src="x" onerror="document.title=1"><b>bold</b>'


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1360,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


driver = browser()


def api(method, path, body=None, base=URL):
    request = urllib.request.Request(base + path, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    if base == URL:
        request.add_header("authorization", f"Bearer {SECRET}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def find(selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def until(what, holds, seconds=30):
    def looked(_):
        try:
            return holds()
        except StaleElementReferenceException:
            return False

    try:
        return WebDriverWait(driver, seconds, poll_frequency=0.1).until(looked)
    except TimeoutException:
        driver.save_screenshot("/tmp/larder-page.png")
        raise SystemExit(f"error: {what}: not within {seconds} s; see /tmp/larder-page.png") from None


def text(selector):
    return find(selector).text


def click(selector):
    """By the keyboard, as whoever has no mouse does it."""
    element = find(selector)
    driver.execute_script("arguments[0].focus()", element)
    assert driver.switch_to.active_element == element, f"{selector} takes no focus"
    element.send_keys(Keys.ENTER)


def console(*provoked):
    """Fails if anything stands in the console that does not hold one of these words."""
    for entry in driver.get_log("browser"):
        if not any(word in entry["message"] for word in provoked):
            raise SystemExit(f"error: in the console: {entry['level']} {entry['message']}")


def part(name):
    print(f"-- {name}", flush=True)


def give(secret):
    until("the door", lambda: find("#secret").is_displayed())
    find("#secret").clear()
    find("#secret").send_keys(secret, Keys.ENTER)


def wrong_secrets():
    part("a wrong secret is refused in words, and kept nowhere")
    driver.get(URL)
    give("not the secret")
    until("words", lambda: "no spaces" in text("#wrong"))
    give("not-the-secret-of-anybody")
    until("words", lambda: "not the secret" in text("#wrong"))
    assert not find("#content").is_displayed()
    assert driver.execute_script("return sessionStorage.length") == 0
    console("401")


def log_in():
    part("the right one opens, and stands in the tab's session only")
    give(SECRET)
    until("figures", lambda: find("#content").is_displayed() and find("#state").text.startswith("as of"))
    assert SECRET not in driver.current_url
    assert driver.get_cookies() == [] and driver.execute_script("return localStorage.length") == 0
    assert SECRET not in driver.page_source
    policy = urllib.request.urlopen(URL, timeout=10).headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy, policy
    console()


def spent():
    for limit in driver.find_elements(By.CSS_SELECTOR, ".limit"):
        if limit.find_element(By.TAG_NAME, "h4").text == "hour":
            return int(limit.find_element(By.CSS_SELECTOR, ".numbers").text.split()[0].replace(",", ""))
    return 0


def budget_moves():
    part("the budget moves while jobs run")
    before = until("a limit", lambda: spent() or None)
    until("more spent", lambda: spent() > before, 40)
    until("a chart", lambda: find("svg.chart path.curve"))
    until("calls", lambda: "quotes_latest" in text("#call-rows") and "ok 200" in text("#call-rows"))
    console()


def choose(status):
    click(f'#statuses [data-status="{status}"]')
    until(status, lambda: find(f'#statuses [data-status="{status}"]').get_attribute("aria-pressed") == "true")


def jobs():
    part("a failed job shows every attempt, and is retried; HTML stays text")
    job = {"kind": "webhook", "args": {"target": "app", "resources": [f"coinmarketcap:/{HTML}"]}, "max_attempts": 2}
    made = api("POST", "/api/jobs", job)
    identity = made["id"]
    choose("failed")
    row = f'#job-rows [data-key="{identity}"]'
    until("the failed job", lambda: find(row), 30)
    assert HTML.replace('"', '\\"') in text(f"{row} .key"), text(f"{row} .key")
    # An error may say anything, as a provider's or an application's answer does.
    worded = f"""set session_replication_role = replica; update larder.finished_jobs
        set errors = errors || jsonb_build_object('attempt', 2, 'at', now(), 'error', '{HTML}'::text) where id = '{identity}'"""
    subprocess.run(["psql", "-qXAt", os.environ["LARDER_POSTGRES"], "-c", worded], check=True)
    until("its error as text", lambda: text(f"{row} summary") == HTML)
    click(f"{row} summary")
    until("what attempts met", lambda: len(driver.find_elements(By.CSS_SELECTOR, f"{row} ol li")) == 3)
    click(f"{row} .deeds button")
    until("words", lambda: text("#told") == "The job waits again.")
    until("it is gone from the failed ones", lambda: not driver.find_elements(By.CSS_SELECTOR, row))
    # Whoever has no mouse goes on from there, not from the top of the page.
    assert driver.execute_script("return document.activeElement.closest('#jobs') !== null"), "the focus is lost"
    until("it fails again", lambda: find(row), 30)

    part("all that match are retried after a question, and cancelled")
    click("#all-jobs")
    until("a question", lambda: "failed" in text("#ask-text"))
    find("#ask").send_keys(Keys.ESCAPE)
    until("no question", lambda: not find("#ask").is_displayed())
    click("#all-jobs")
    click("#ask-yes")
    until("words", lambda: text("#told") == "1 job waits again.")
    until("it fails again", lambda: find(row), 30)
    later = api("POST", "/api/jobs", {**job, "run_at": "2999-01-01T00:00:00Z"})["id"]
    choose("pending")
    until("it waits", lambda: "waits for its time" in text(f'#job-rows [data-key="{later}"] .state'))
    click(f'#job-rows [data-key="{later}"] .deeds button')
    until("words", lambda: text("#told") == "The job is cancelled.")
    choose("cancelled")
    until("it is cancelled", lambda: find(f'#job-rows [data-key="{later}"]'))
    no_html()
    console()


def no_html():
    assert driver.title == "Larder"
    assert not driver.find_elements(By.CSS_SELECTOR, "img, b"), "text became HTML"


# What comes between the first round of a deed for many jobs and the second; the first request of it is real.
BETWEEN = """
window.realFetch ??= window.fetch
let round = 0
window.fetch = (path, options) => {
  if (path.startsWith('/api/jobs/cancel') && ++round === 2) { %s }
  return window.realFetch(path, options)
}
"""


def later(count):
    """So many jobs that wait until 2999."""
    job = {"kind": "webhook", "args": {"target": "app", "resources": []}, "run_at": "2999-01-01T00:00:00Z"}
    api("POST", "/api/jobs", [job] * count)


def all_of_kind(kind, status="pending"):
    """The filter, and the question that it leads to."""
    choose(status)
    find("#job-kind").clear()
    find("#job-kind").send_keys(kind)
    until("jobs that fit", lambda: driver.find_elements(By.CSS_SELECTOR, "#job-rows tr") and all(
        kind in it.text for it in driver.find_elements(By.CSS_SELECTOR, "#job-rows tr .key")))
    click("#all-jobs")
    until("a question", lambda: find("#ask").is_displayed())


def waiting():
    return len(api("GET", "/api/jobs?status=pending&kind=webhook&limit=500")["jobs"])


def many():
    part("a deed for many jobs, none of which is left, says so")
    later(1)
    all_of_kind("webhook")
    assert "waiting, of kind webhook" in text("#ask-text"), text("#ask-text")
    api("POST", "/api/jobs/cancel", {"kind": "webhook"})
    click("#ask-yes")
    until("words", lambda: text("#told") == "No job matches any more.")

    part("it takes them round by round, and what the filter says when it was asked about")
    later(2001)
    all_of_kind("webhook")
    # What is chosen behind the question is not what was asked about.
    driver.execute_script("document.getElementById('job-kind').value = 'noop'")
    click("#ask-yes")
    until("words", lambda: text("#told") == "2,001 jobs are cancelled.")
    assert waiting() == 0

    part("of an enqueuer that goes away in the middle is told what was done before")
    later(2500)
    all_of_kind("webhook")
    driver.execute_script(BETWEEN % "return Promise.reject(new TypeError('Failed to fetch'))")
    click("#ask-yes")
    until("words", lambda: text("#told").startswith("2,000 jobs are cancelled. Then: the enqueuer no longer answers"))
    assert waiting() == 500

    part("an error in the middle stays text, and so does a filter")
    answer = {"type": "/problems/internal", "title": "Internal", "status": 500, "detail": HTML}
    later(2000)
    all_of_kind("webhook")
    driver.execute_script(BETWEEN % f"return Promise.resolve(new Response({json.dumps(json.dumps(answer))}, {{ status: 500 }}))")
    click("#ask-yes")
    until("words", lambda: text("#told") == f"2,000 jobs are cancelled. Then: {HTML}")
    find("#job-kind").clear()
    find("#job-kind").send_keys(HTML)
    until("none", lambda: find("#no-jobs").is_displayed())
    assert not find("#all-jobs").is_displayed()
    no_html()

    part("a secret that is revoked in the middle leads to the door, with what was done")
    later(2000)
    all_of_kind("webhook")
    driver.execute_script(BETWEEN % """
        sessionStorage.setItem('larder-secret', 'it-was-exchanged-for-another')
        options.headers.authorization = 'Bearer it-was-exchanged-for-another'""")
    click("#ask-yes")
    until("the door", lambda: find("#door").is_displayed() and "no longer accepted" in text("#wrong"))
    until("words", lambda: text("#told").startswith("2,000 jobs are cancelled. Then: "))
    assert driver.find_elements(By.CSS_SELECTOR, "#providers *, tbody tr") == []
    console("401")
    assert waiting() == 500

    part("whoever logs out in the middle leaves the rest as it is")
    give(SECRET)
    until("figures", lambda: find("#content").is_displayed())
    later(3600)
    all_of_kind("webhook")
    driver.execute_script(BETWEEN % "document.getElementById('leave').click()")
    click("#ask-yes")
    until("the door", lambda: find("#door").is_displayed())
    until("words", lambda: text("#told") == "4,000 jobs are cancelled. The others stay as they are.")
    assert text("#wrong") == "", text("#wrong")
    assert waiting() == 100
    api("POST", "/api/jobs/cancel", {"kind": "webhook"})
    driver.refresh()
    give(SECRET)
    until("figures", lambda: find("#content").is_displayed())
    console("401")


def lanes():
    part("a lane is closed, says why, and is opened")
    click(".provider header button")
    until("a question", lambda: find("#ask").is_displayed())
    find("#ask-reason").send_keys(HTML)
    find("#ask-for").send_keys("soon")
    click("#ask-yes")
    until("what is wrong", lambda: "bad" in find("#told").get_attribute("class") and text("#told"))
    console("422")
    click(".provider header button")
    until("a question", lambda: find("#ask").is_displayed())
    assert find("#ask-reason").get_attribute("value") == "", "the reason of before"
    find("#ask-for").send_keys("1h")
    # Enter in a field is a yes, as in every form.
    find("#ask-reason").send_keys(HTML, Keys.ENTER)
    until("closed", lambda: text(".provider .pill") == "closed")
    assert HTML in text(".provider .because"), text(".provider .because")
    assert api("GET", "/api/budget")["providers"][0]["reason"] == HTML
    # The tick makes no jobs for a closed lane; people may.
    api("POST", "/api/jobs", {"kind": "refresh", "resource": "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1"})
    choose("pending")
    until("jobs that wait for it", lambda: "its lane is closed" in text("#job-rows"), 30)
    no_html()
    click(".provider header button")
    until("open", lambda: text(".provider .pill") == "open")
    console()

    part("the lane of jobs that call no provider has its switch too")
    local = '#other-lanes [data-key="local"]'
    click(f"{local} button")
    until("a question", lambda: find("#ask").is_displayed())
    click("#ask-no")
    until("no question", lambda: not find("#ask").is_displayed())
    assert text(f"{local} .pill") == "open"
    click(f"{local} button")
    find("#ask-reason").send_keys("moving", Keys.ENTER)
    until("closed", lambda: text(f"{local} .pill") == "closed" and "moving" in text(f"{local} .because"))
    click(f"{local} button")
    until("open", lambda: text(f"{local} .pill") == "open")
    console()


def resources():
    part("resources are searched, sorted and explained")
    until("rows", lambda: len(driver.find_elements(By.CSS_SELECTOR, "#resource-rows tr")) == 25)
    click('#resources-pages button:last-child')
    until("the second page", lambda: "page 2" in text("#resources-pages"))
    until("its rows", lambda: len(driver.find_elements(By.CSS_SELECTOR, "#resource-rows tr")) == 7)
    click('[data-sort="cost"]')
    until("the dearest first", lambda: "listings" in text("#resource-rows tr:first-child .key"))
    assert find('[aria-sort="descending"]').text.startswith("Credits a day")
    click("#resource-rows tr:first-child summary")
    until("why", lambda: "its pace was set" in text("#resource-rows tr:first-child .why").lower())
    find("#search").send_keys("GLOBAL")
    until("what was searched", lambda: len(driver.find_elements(By.CSS_SELECTOR, "#resource-rows tr")) == 1)
    assert "Europe/Berlin" in text("#resource-rows")
    find("#search").send_keys("<b>")
    until("none", lambda: find("#no-resources").is_displayed())
    for _ in range(9):
        find("#search").send_keys(Keys.BACKSPACE)
    until("rows", lambda: len(driver.find_elements(By.CSS_SELECTOR, "#resource-rows tr")) == 25)
    Select(find("#tracked")).select_by_value("")
    click('[data-sort="key"]')
    until("by key", lambda: sorted_by() == ("key", "ascending"))
    console()

    part("a second press of a heading turns its order round, for the mouse and the keyboard")
    # (column, its first way): what needs a look comes first.
    for column, first in (("key", "ascending"), ("cost", "descending"), ("interval", "ascending")):
        second = {"ascending": "descending", "descending": "ascending"}[first]
        if column != "key":
            click(f'[data-sort="{column}"]')
        until("the first order", lambda: sorted_by() == (column, first) and shown_keys() == listed(column))
        click(f'[data-sort="{column}"]')
        until("the second", lambda: sorted_by() == (column, second) and shown_keys() == listed(column, "true"))
        # Whoever pressed it can press on: the focus stays.
        assert driver.switch_to.active_element.get_attribute("data-sort") == column
        driver.switch_to.active_element.send_keys(Keys.SPACE)
        until("the first again", lambda: sorted_by() == (column, first) and shown_keys() == listed(column))
        find(f'[data-sort="{column}"]').click()
        until("the second again", lambda: sorted_by() == (column, second) and shown_keys() == listed(column, "true"))
    # The next page goes on in the same order, and pressing begins at the first page again.
    click('[data-sort="key"]')
    click('[data-sort="key"]')
    until("backwards", lambda: shown_keys() == listed("key", "true"))
    before = shown_keys()
    click("#resources-pages button:last-child")
    until("what stands before them", lambda: "page 2" in text("#resources-pages") and shown_keys() and max(shown_keys()) < min(before))
    click('[data-sort="key"]')
    until("the beginning", lambda: "page 1" in text("#resources-pages") and shown_keys() == listed("key"))
    console()


def sorted_by():
    """The column that is marked, and how; one alone is."""
    (marked,) = driver.find_elements(By.CSS_SELECTOR, "[aria-sort]")
    return marked.find_element(By.TAG_NAME, "button").get_attribute("data-sort"), marked.get_attribute("aria-sort")


def shown_keys():
    return driver.execute_script("return [...document.querySelectorAll('#resource-rows tr')].map(it => it.dataset.key)")


def listed(column, reverse=""):
    found = api("GET", f"/api/resources?sort={column}&reverse={reverse}&limit=25")
    return [it["resource"] for it in found["resources"]]


# What takes the focus, is shown and can be used. Of details that are shut only the summary does.
REACHABLE = """
return [...document.querySelectorAll('a[href], button, input, select, summary')].filter(it =>
  !it.disabled && it.getClientRects().length > 0 && getComputedStyle(it).visibility === 'visible')
"""


def keyboard():
    part("the keyboard reaches every control")
    choose("failed")
    until("rows", lambda: find("#job-rows tr"))
    driver.execute_script("window.reached = new Set(); document.addEventListener('focusin', it => reached.add(it.target))")
    wanted = driver.execute_script(REACHABLE)
    driver.execute_script("document.activeElement.blur()")
    body = find("body")
    body.click()
    for _ in range(2 * len(wanted) + 20):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        if driver.execute_script("return arguments[0].every(it => !it.isConnected || reached.has(it))", wanted):
            break
    else:
        left = driver.execute_script("return arguments[0].filter(it => it.isConnected && !reached.has(it)).map(it => it.outerHTML)", wanted)
        raise SystemExit(f"error: not reached: {left[:5]}")
    assert len(wanted) > 40, len(wanted)
    console()


def metrics(width, height, phone):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1.5 if phone else 1, "mobile": phone})


def phone():
    part("a phone's width is enough")
    for width in (390, 320):
        metrics(width, 844, True)
        until("redrawn charts", lambda: all(it.size["width"] <= width for it in driver.find_elements(By.CSS_SELECTOR, "svg.chart")))
        wide = driver.execute_script("""
            const most = document.documentElement.clientWidth
            return [document.documentElement.scrollWidth - most,
                [...document.querySelectorAll('#content *, .top *')].filter(it => it.getBoundingClientRect().right > most + 1 && !it.closest('svg'))
                    .map(it => it.outerHTML.slice(0, 120)).slice(0, 3)]""")
        assert wide[0] <= 0, (width, wide)
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    console()


def away():
    part("an enqueuer that is gone is said, and found again")
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    until("words", lambda: "does not answer" in text("#away"))
    assert "What is shown is of" in text("#away") and text("#state") == "no answer"
    assert find("#content").is_displayed()
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**offline, "offline": False})
    until("figures", lambda: text("#state").startswith("as of") and not find("#away").is_displayed())
    console("ERR_INTERNET_DISCONNECTED")


def revoked():
    part("a revoked secret leads back to the door, in words, and leaves no figures")
    driver.execute_script("sessionStorage.setItem('larder-secret', 'it-was-exchanged-for-another')")
    until("the door", lambda: find("#door").is_displayed() and "no longer accepted" in text("#wrong"))
    assert driver.execute_script("return sessionStorage.length") == 0
    assert driver.find_elements(By.CSS_SELECTOR, "#providers *, tbody tr") == []
    give(SECRET)
    until("figures", lambda: find("#content").is_displayed())
    driver.refresh()
    until("it is still open after a reload", lambda: find("#content").is_displayed())
    click("#leave")
    until("the door", lambda: find("#door").is_displayed())
    assert driver.execute_script("return sessionStorage.length") == 0
    console("401")


def picture(name, dark, width, height, phone=False):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    metrics(width, height, phone)
    shown = text("#state")
    until("a new drawing", lambda: text("#state") != shown)
    driver.execute_script("window.scrollTo(0, 0)")
    driver.save_screenshot(str(IMAGES / name))
    from PIL import Image

    # So few colours that nobody sees a difference, and a third of the size.
    drawn = Image.open(IMAGES / name).convert("RGB")
    drawn = drawn.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    drawn.save(IMAGES / name, optimize=True)
    print(f"   {name}: {(IMAGES / name).stat().st_size // 1024} KB")


# A past, so that the charts show something: a call every five minutes of the month, fewer at night, and a busy last hour.
PAST = """
insert into larder.api_calls (provider, endpoint, batch_key, class, items, lease_token, worker, key_id, reserved_at,
    reserved_credits, leased_until, settled_at, end_at, credits, outcome, http_status, duration, needs_fold)
select 'coinmarketcap', 'quotes_latest', 'quotes', 'planned', 100, gen_random_uuid(), 'before', k.key_id, t, 2, t, t, t,
       c, 'ok', 200, interval '180 milliseconds', true
from (select key_id from larder.api_calls order by id desc limit 1) k,
     lateral (
         select t, case when extract(hour from t) between 6 and 21 then 2 else 1 end as c
         from generate_series(date_trunc('month', now()), now() - interval '2 minutes', interval '5 minutes') as t
         union all
         select t, 2 from generate_series(date_trunc('hour', now()), now() - interval '2 minutes', interval '17 seconds') as t
     ) as past
"""


def screenshots():
    part("pictures")
    IMAGES.mkdir(exist_ok=True)
    psql = ["psql", "-qXAt", os.environ["LARDER_POSTGRES"], "-c"]
    subprocess.run([*psql, PAST], check=True)
    # The provider has counted them too, and a little that somebody else spent.
    before = "select sum(credits) from larder.api_calls where worker = 'before'"
    credits = int(subprocess.run([*psql, before], check=True, capture_output=True, text=True).stdout)
    api("POST", "/_sandbox/foreign", {"requests": 2, "credits": credits + 240}, SANDBOX)
    give(SECRET)
    until("figures", lambda: find("#content").is_displayed())
    coins = [1, 1, 1, 1027, 1027, 825, 52, 74, 2010]
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        for coin in coins:
            urllib.request.urlopen(f"{URL}/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id={coin}", timeout=30).read()
        time.sleep(0.1)
    choose("failed")
    click('[data-sort="reads"]')
    find("#search").send_keys("id=1")
    until("few", lambda: len(driver.find_elements(By.CSS_SELECTOR, "#resource-rows tr")) == 8)
    click("#resource-rows tr:first-child summary")
    driver.execute_script("document.activeElement.blur()")
    picture("page-light.png", False, 1280, 1340)
    picture("page-dark.png", True, 1280, 1340)
    picture("page-phone.png", True, 390, 1400, phone=True)


try:
    for check in (wrong_secrets, log_in, budget_moves, jobs, many, lanes, resources, keyboard, phone, away, revoked):
        check()
    if "--screenshots" in sys.argv:
        screenshots()
    print("the page does what it should")
finally:
    driver.quit()
