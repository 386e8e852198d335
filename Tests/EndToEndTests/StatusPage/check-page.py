#!/usr/bin/env python3
"""Opens the coordinator's status page in a real browser (Debian `chromium`, headless) and checks what it shows.

  check-page.py URL [options]                              a page that is being served, as http://127.0.0.1:8080/
  check-page.py --page FILE --status FILE.json [options]   serves both itself; then stops answering, and expects the page to say so

It waits until the page shows data and has asked twice, then compares what is shown with the JSON: protocols, pipeline, workers, events, plot.
No request may leave the page's origin, nothing may be logged as an error, nothing of the JSON may become an element, and nothing may be
wider than the window, be it a desk's or a phone's. Python's standard library and chromium are all that is needed, as root or not.
Prints one line and exits with 0 (as expected), 1 (not), 64 (usage) or 69 (no chromium).
"""
import argparse
import fcntl
import http.server
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from base64 import b64decode
from pathlib import Path


class Refused(Exception):
    """The page, or the browser, is not as expected."""


def expect(condition, message):
    if not condition:
        raise Refused(message)


class Browser:
    """Chromium, told what to do through the DevTools protocol over a pipe: JSON messages, each ended by a zero byte."""

    def __init__(self, program, deadline, host):
        self.deadline, self.last, self.events, self.unread = deadline, 0, [], b""
        self.folder = tempfile.mkdtemp(prefix="check-page-")
        # Chromium reads commands from descriptor 3 and writes to 4. Ours stay clear of both, so that neither is overwritten too early.
        to_browser, from_browser = os.pipe(), os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (*to_browser, *from_browser)]
        for end in (*to_browser, *from_browser):
            os.close(end)
        theirs_in, self.commands, self.answers, theirs_out = high

        def connect():
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.process = subprocess.Popen(
            [
                program, "--headless", "--remote-debugging-pipe", f"--user-data-dir={self.folder}/profile",
                # The sandbox needs user namespaces, which root and most containers do not have; only a page of ours is opened.
                "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-breakpad", "--disable-crash-reporter",
                "--no-first-run", "--disable-extensions", "--disable-sync", "--disable-background-networking", "--disable-component-update",
                "--no-proxy-server", f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}", "--hide-scrollbars", "about:blank",
            ],
            # It writes to the home folder too: here that is one which goes away.
            env={**os.environ, "HOME": self.folder, "TMPDIR": self.folder, "XDG_CONFIG_HOME": self.folder, "XDG_CACHE_HOME": self.folder},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=connect, pass_fds=(3, 4), start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self.session = None

    def open(self, url):
        address = urllib.parse.urlsplit(url)
        self.origin = (address.scheme, address.netloc)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        failure = self.ask("Page.navigate", url=url).get("errorText")
        if failure:
            raise Refused(f"{url} cannot be opened: {failure}")

    def ask(self, method, **parameters):
        """The result of one command; events that come meanwhile are kept."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        try:
            os.write(self.commands, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise Refused(f"chromium ended: {self.last_words()}") from None
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise Refused(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self):
        while b"\0" not in self.unread:
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise Refused("chromium does not answer within the time given")
            some = os.read(self.answers, 1 << 20)
            if not some:
                raise Refused(f"chromium ended: {self.last_words()}")
            self.unread += some
        message, self.unread = self.unread.split(b"\0", 1)
        message = json.loads(message)
        if message.get("method") == "Page.javascriptDialogOpening":
            raise Refused(f"the page opens a dialog: {message['params']['message']!r}")
        return message

    def evaluate(self, script):
        """The value of an expression in the page; of a promise, what it comes to."""
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise Refused(f"{script}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def wait(self, condition, what):
        """Until a condition holds in the page: asked twenty times a second, in the page, and bounded by the deadline."""
        left = max(0.1, self.deadline - time.monotonic() - 1)
        holds = self.evaluate(f"""new Promise(done => {{
            const end = performance.now() + {left * 1000}
            const look = () => {condition} ? done(true) : performance.now() > end ? done(false) : setTimeout(look, 50)
            look()
        }})""")
        if not holds:
            self.expect_no_errors()
            raise Refused(f"{what}: not within the time given; the page's text is: {self.evaluate('document.body.innerText')[:600]!r}")

    def expect_no_errors(self):
        """Of everything that the browser has told so far: no request elsewhere, no exception, no error in the console."""
        self.evaluate("true")
        for event in self.events:
            method, parameters = event.get("method"), event.get("params", {})
            if method == "Network.requestWillBeSent":
                asked = urllib.parse.urlsplit(parameters["request"]["url"])
                expect(asked.scheme == "data" or (asked.scheme, asked.netloc) == self.origin, f"the page asks {asked.geturl()[:200]}")
            elif method == "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                raise Refused(f"an exception in the page: {details.get('exception', {}).get('description', details['text'])}")
            elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
                said = [value.get("description", value.get("value")) for value in parameters["args"]]
                raise Refused(f"the console has an {parameters['type']}: {said}")
            elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                raise Refused(f"the log has an error: {parameters['entry']['text']} {parameters['entry'].get('url', '')}")

    def picture(self, file, width, height, scheme):
        self.look(width, height, scheme)
        whole = self.evaluate("document.documentElement.scrollHeight")
        self.look(width, max(height, whole), scheme)
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        Path(file).write_bytes(b64decode(data))

    def look(self, width, height, scheme):
        """Sets the size of the window and the colour scheme, and waits until the page is laid out for it."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def last_words(self):
        self.log.seek(0)
        return self.log.read()[-800:].strip() or "it said nothing"

    def close(self):
        try:
            self.session, self.deadline = None, time.monotonic() + 5
            self.ask("Browser.close")
            self.process.wait(5)
        except (Refused, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()
        # Its helpers may still write for a moment.
        for _ in range(50):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder):
                return
            time.sleep(0.1)


class Server:
    """Serves a page and its JSON on loopback, as the coordinator does, until it falls silent."""

    def __init__(self, page, status):
        contents = {"/": (page.read_bytes(), "text/html; charset=utf-8"), "/status": (status.read_bytes(), "application/json")}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                content, kind = contents.get(self.path, (None, "text/plain"))
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def fall_silent(self):
        self.server.shutdown()
        self.server.server_close()


# What stays the same element from one answer to the next.
LASTING = "#protocols > article, #stages > li, #fetchers > tr, #events > li, #plot g"

# What is compared: what the page shows at one moment.
READ = """(async () => {
    const rows = (id, field) => [...document.querySelectorAll(id)].map(row => row.querySelector(`[data-field=${field}]`).textContent)
    return {
        state: document.body.dataset.state, title: document.title, heading: document.querySelector("h1").textContent,
        identity: document.getElementById("identity").innerText,
        protocols: [...document.querySelectorAll("#protocols > article")].map(card => ({
            id: card.querySelector("[data-field=id]").textContent, cause: card.querySelector("[data-field=cause]").textContent,
            rows: card.querySelector("[data-field=rows]").textContent, cursor: card.querySelector("[data-field=cursor]").textContent,
            percent: card.querySelector("[role=progressbar]").getAttribute("aria-valuetext"), text: card.innerText })),
        stages: [...document.querySelectorAll(".stage")].map(stage => stage.id), limiting: [...document.querySelectorAll(".stage[data-bottleneck]")].map(stage => stage.id),
        sentence: document.getElementById("bottleneck").textContent, flows: [...document.querySelectorAll(".flow")].map(flow => flow.textContent.trim()),
        tip: document.querySelector("#summary [data-field=tip]").textContent, fetchers: rows("#fetchers > tr", "name"), ledgers: rows("#fetchers > tr", "ledgers"),
        headers: document.querySelectorAll("#workers thead th[scope=col]").length,
        writer: rows("#writer > tr", "state")[0], events: rows("#events > li", "message"), line: document.getElementById("line").getAttribute("d") ?? "",
        strangers: document.querySelectorAll("script").length - 1 + document.querySelectorAll("img, iframe, object, embed, main script, main style, main a").length,
        text: document.body.innerText,
    }
})()"""


def check(browser, url, options, server):
    browser.open(url)
    browser.wait("document.body?.dataset.state === 'live'", "the page shows data")
    # A second answer is shown too: an error in updating what is there comes to light.
    browser.evaluate(f"globalThis.seen = [...document.querySelectorAll('{LASTING}')]; true")
    browser.wait("performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('/status')).length >= 2", "the page asks again")
    for protocol in options.expect_protocol:
        browser.wait(f"document.getElementById({json.dumps('protocol-' + protocol)})", f"protocol {protocol} is shown")
    for wanted in options.expect_outcome:
        protocol, _, outcome = wanted.partition("=")
        browser.wait(f"document.getElementById({json.dumps('protocol-' + protocol)})?.dataset.outcome === {json.dumps(outcome)}", f"{protocol} ends with {outcome}")
    if options.expect_fetchers is not None:
        browser.wait(f"document.querySelectorAll('#fetchers > tr').length === {options.expect_fetchers}", f"{options.expect_fetchers} fetchers are shown")
    if options.expect_event:
        browser.wait(f"document.getElementById('events').textContent.includes({json.dumps(options.expect_event)})", f"the event {options.expect_event!r} is shown")

    page = browser.evaluate(READ)
    browser.expect_no_errors()
    expect(page["state"] == "live", f"the page is {page['state']}, not live")
    expect(page["title"].endswith("migration"), f"its title is {page['title']!r}")
    expect("wallet-backend" in page["identity"], f"it says it is {page['identity']!r}")
    expect(len(page["stages"]) == 5 and len(page["flows"]) == 4 and all(page["flows"]), f"the pipeline has {page['stages']} and {page['flows']}")
    expect(len(page["limiting"]) <= 1 and page["sentence"], f"the bottleneck is {page['limiting']}: {page['sentence']!r}")
    expect(page["headers"] == 10 and page["writer"], f"the table of workers has {page['headers']} columns, and a writer that is {page['writer']!r}")
    expect(page["strangers"] == 0, f"{page['strangers']} elements come from the JSON")
    for wrong in ("NaN", "undefined", "[object", "Infinity"):
        expect(wrong not in page["text"], f"the page says {wrong!r}")
    if server:
        expect(browser.evaluate("seen.every(element => element.isConnected)"), "elements are made anew each second")
        status = json.loads(options.status.read_text())
        compare(page, status if isinstance(status, dict) else {})

    for width, height in ((1280, 900), (390, 844)):
        browser.look(width, height, "light")
        expect(browser.evaluate("document.documentElement.scrollWidth") <= width, f"the page is wider than a window of {width} pixels")
    if options.screenshot:
        browser.picture(options.screenshot, options.width, options.height, options.scheme)
    browser.expect_no_errors()
    return page


def compare(page, status):
    """What the page shows of a JSON that stays the same."""
    def items(name):
        found = status.get(name)
        return [item if isinstance(item, dict) else {} for item in found] if isinstance(found, list) else []

    for kind in ("protocols", "fetchers", "events"):
        expect(len(page[kind]) == len(items(kind)), f"{len(page[kind])} {kind} are shown of {len(items(kind))}")
    for protocol, shown in zip(items("protocols"), page["protocols"]):
        for field in ("id", "cause"):
            expect_text(protocol.get(field), shown[field])
        for field in ("rows", "cursor"):
            expect_count(protocol.get(field), shown[field])
    expect_count(status.get("network_tip"), page["tip"])
    for fetcher, shown in zip(items("fetchers"), page["ledgers"]):
        expect_count(fetcher.get("ledgers"), shown)
    for event, shown in zip(reversed(items("events")), page["events"]):
        expect_text(event.get("message"), shown)
    expect(bool(page["line"]) == bool(items("throughput")), "a line is drawn exactly where there was throughput")


def expect_text(said, shown):
    """Texts are shown as they are, but for an end to what is endless, and a sign for characters that steer instead of being read."""
    if isinstance(said, str) and said:
        said = re.sub(r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]", "\ufffd", said)
        expect(shown == said if len(said) <= 2000 else shown == said[:2000] + "…", f"{said!r} is shown as {shown!r}")


def expect_count(said, shown):
    """Counts are grouped, and what is not known is a dash."""
    if isinstance(said, int) and abs(said) < 10**15 or said is None:
        wanted = "–" if said is None else f"{said:,}"
        expect(shown == wanted, f"{said} is shown as {shown!r}")


def check_silence(browser, server, before):
    """A coordinator that is gone: said, with the last figures still there."""
    server.fall_silent()
    browser.wait("document.body.dataset.state === 'stale'", "the page notices that nobody answers")
    said = browser.evaluate("document.getElementById('connection').innerText")
    expect("No response since" in said, f"it says {said!r} when nobody answers")
    expect(browser.evaluate("document.title").startswith("No response"), "the title does not say that nobody answers")
    expect(browser.evaluate(READ)["protocols"] == before["protocols"], "the last figures are gone when nobody answers")


def main():
    parser = argparse.ArgumentParser(description="Opens the coordinator's status page in headless chromium and checks it.")
    parser.add_argument("url", nargs="?", help="of a page that is being served")
    parser.add_argument("--page", type=Path, help="instead: the page's file, to be served by this program")
    parser.add_argument("--status", type=Path, help="the JSON to serve with --page")
    parser.add_argument("--expect-protocol", action="append", default=[], metavar="ID", help="wait until it is shown (may be repeated)")
    parser.add_argument("--expect-outcome", action="append", default=[], metavar="ID=OUTCOME", help="wait until the protocol has ended so (may be repeated)")
    parser.add_argument("--expect-fetchers", type=int, metavar="N", help="wait until exactly so many are shown")
    parser.add_argument("--expect-event", metavar="TEXT", help="wait until the events have it")
    parser.add_argument("--screenshot", metavar="FILE", help="a picture of the whole page (PNG)")
    parser.add_argument("--width", type=int, default=1280, help="of the window for the picture, in pixels (1280)")
    parser.add_argument("--height", type=int, default=800, help="the picture's least height (800)")
    parser.add_argument("--scheme", choices=["light", "dark"], default="light", help="colours of the picture (light)")
    parser.add_argument("--timeout", type=float, default=30, metavar="SECONDS", help="for everything (30)")
    parser.add_argument("--chromium", default="chromium", help="the browser's program (chromium)")
    try:
        options = parser.parse_args()
        if bool(options.url) == bool(options.page) or bool(options.page) != bool(options.status):
            parser.error("give either a URL, or --page and --status")
    except SystemExit as end:
        sys.exit(64 if end.code else 0)
    program = shutil.which(options.chromium)
    if not program:
        print(f"{options.chromium} is not installed (Debian: apt-get install chromium)", file=sys.stderr)
        sys.exit(69)

    host = urllib.parse.urlsplit(options.url).hostname if options.url else "127.0.0.1"
    browser = Browser(program, time.monotonic() + options.timeout, host)
    try:
        server = Server(options.page, options.status) if options.page else None
        page = check(browser, options.url or server.url, options, server)
        if server:
            check_silence(browser, server, page)
    except Refused as refusal:
        print(f"not as expected: {refusal}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"not done: {error}", file=sys.stderr)
        sys.exit(1)
    finally:
        browser.close()
    print(f"as expected: {page['title']}; {len(page['protocols'])} protocols, {len(page['fetchers'])} fetchers, {len(page['events'])} events")


if __name__ == "__main__":
    # Ended from outside, the browser and its folder go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
