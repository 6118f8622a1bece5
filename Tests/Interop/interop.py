"""The interop run itself. Started by Tests/Interop/run inside the environment that holds aiomoqt."""

import argparse
import hashlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

from impairment import ImpairedPath

# What this project's relay claims today, by the names the conformance client gives them.
TESTS = [
    "setup-only",
    "announce-only",
    "publish-namespace-done",
    "subscribe-error",
    "rendezvous-timeout",
    "announce-subscribe",
    "subscribe-before-announce",
    "data-subgroup-basic",
    "subscribe-namespace-lifecycle",
    "namespace-discovery",
    "publish-track-only",
    "publish-track-subscribe",
    "fetch",
    "join",
]
# What the client itself leaves out, because the draft has nothing of the kind.
NOT_IN_DRAFT = {
    "rendezvous-timeout": {"14", "16"},
    "subscribe-namespace-lifecycle": {"14"},
}
TEST_SECONDS = 30
START_SECONDS = 15
TRANSFER_SECONDS = 90
SUITE_SECONDS = 90
# How many cases our interop-client has, and how many tracks its suite for moq-test at the least.
INTEROP_CASES = 6
SUITE_TRACKS = 50
# How many tracks of the suite may take a second try.
SUITE_RETRIES = 2
FILE_BYTES = 5_000_000
EXCERPT_LINES = 20
# Their relay answers TRACK_STATUS with REQUEST_OK on every draft. On draft 14 that number is PUBLISH_NAMESPACE_OK, with
# bytes that do not belong there, for which we close the session.
NO_STATUS_FROM_THEIR_RELAY = {"14"}
CLOCK_SECONDS = 0.4


def say(text=""):
    print(text, flush=True)


class Process:
    """A child with its output in a log file, ended by its own process id whatever happens."""

    running = []

    def __init__(self, name, command, logs, stdout=None):
        self.name = name
        self.log = logs / f"{name}.log"
        self.command = [str(word) for word in command]
        with open(self.log, "ab") as log:
            self.start = log.tell()
            log.write(f"$ {' '.join(self.command)}\n".encode())
            log.flush()
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log, start_new_session=True
            )
        Process.running.append(self)

    def wait(self, seconds):
        """The exit status, or None if it had to be stopped because the time was up."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            return None

    def stop(self, seconds=5):
        """Asks it to end, insists when it does not; returns its exit status (None when it had to be killed)."""
        status = self.child.poll()
        if status is None:
            self.child.terminate()
            try:
                status = self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return status

    def position(self):
        return self.log.stat().st_size

    def text(self, since=0):
        with open(self.log, "rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def excerpt(self, since=0):
        return [f"    {self.name} | {line}" for line in self.text(since).splitlines()[-EXCERPT_LINES:]]

    @classmethod
    def stop_all(cls):
        for process in reversed(cls.running):
            process.stop(2)


class Results:
    """The table test × draft, and what is told about each failure at the end."""

    def __init__(self, drafts):
        self.drafts = drafts
        self.rows = {}
        self.details = []

    def record(self, test, draft, problem, excerpt=()):
        """`problem` is None for a pass, else the reason in one line. A cell has an entry for each run."""
        self.rows.setdefault(test, {}).setdefault(draft, []).append(problem)
        say(f"  {test} draft {draft}: {'ok' if problem is None else 'FAILED: ' + problem}")
        if problem is not None:
            self.details.append(f"{test} draft {draft}: {problem}")
            self.details.extend(excerpt)

    def close(self, left_out):
        width = max(len(test) for test in self.rows) + 2
        say()
        say("test".ljust(width) + "".join(f"draft {draft}".ljust(10) for draft in self.drafts))
        for test, cells in self.rows.items():
            say(test.ljust(width) + "".join(self.mark(cells.get(draft)).ljust(10) for draft in self.drafts))
        if self.details:
            say("\nfailures:")
            for line in self.details:
                say(line)
        say()
        for line in left_out:
            say(f"interop: NOT RUN: {line}")
        cells = [problem for row in self.rows.values() for cell in row.values() for problem in cell]
        failed = sum(problem is not None for problem in cells)
        say(f"interop: {len(cells) - failed} passed, {failed} failed")
        return 1 if failed or not cells else 0

    @staticmethod
    def mark(cell):
        if cell is None:
            return "–"
        passed = cell.count(None)
        if len(cell) > 1:
            return f"{passed}/{len(cell)}"
        return "ok" if passed else "FAILED"


class Interop:
    def __init__(self, options):
        self.root = Path(options.root)
        self.home = Path(options.home)
        self.bin = self.home / "venv" / "bin"
        self.moq = Path(options.moq or self.root / ".build" / "debug" / "moq")
        self.drafts = [draft.strip() for draft in options.drafts.split(",") if draft.strip()]
        self.tests = [test.strip() for test in options.tests.split(",") if test.strip()] if options.tests else TESTS
        self.relay_url = options.relay_url
        self.repeat = options.repeat
        self.loss = options.loss
        self.delay = options.delay
        self.logs = self.home / "log"
        self.work = self.home / "work"
        self.results = Results(self.drafts)

    def run(self):
        for folder in (self.logs, self.work):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        left_out = []
        if self.relay_url:
            self.conformance(self.relay_url, None)
            left_out.append("our clients against aiomoqt's relay and origin (--relay-url was given)")
        else:
            if not os.access(self.moq, os.X_OK):
                say(f"interop: FAILED: no executable at {self.moq}; swift build makes it")
                return 1
            self.our_relay()
            if self.loss or self.delay:
                left_out.append("our commands against aiomoqt's relay (the path is impaired for ours only)")
            else:
                self.our_client()
        return self.results.close(left_out)

    # Their client, our relay.

    def our_relay(self):
        say("aiomoqt's client against our relay")
        command = [self.moq, "relay", "--listen", "127.0.0.1:0", "--self-signed", "--drafts", ",".join(self.drafts)]
        if self.loss:
            # Clients whose last datagram was lost stay until their connections time out.
            command += ["--drain-timeout", "2"]
        relay = Process("relay", command, self.logs, stdout=subprocess.PIPE)
        url = wait_for_listening(relay)
        if url is None:
            for draft in self.drafts:
                self.results.record("relay-starts", draft, "the relay printed no 'listening' line", relay.excerpt())
            relay.stop()
            return
        path = None
        if self.loss or self.delay:
            path = ImpairedPath(int(url.rsplit(":", 1)[1]), self.loss / 100, self.delay / 1000)
            url = f"moqt://127.0.0.1:{path.port}"
        self.conformance(url, relay)
        if path:
            path.stop()
            say(f"  the path passed {path.passed} datagrams and lost {path.lost}")
        # Whatever the tests threw at it, it must still be there, and it must end as it was asked to.
        if relay.child.poll() is not None:
            problem = f"the relay ended by itself with status {relay.child.returncode}"
        else:
            status = relay.stop()
            problem = None if status == 0 else "the relay did not exit 0 on SIGTERM within 5 s"
        self.results.record("relay-stops-cleanly", self.drafts[0], problem, relay.excerpt())

    def conformance(self, url, relay):
        for draft in self.drafts * self.repeat:
            self.one_check("relay-probe", draft, relay, probe_problem, [
                self.bin / "moq-relay-probe", "--url", url, "-k", "--draft", draft,
            ])
            for test in self.tests:
                if draft in NOT_IN_DRAFT.get(test, ()):
                    continue
                self.one_check(test, draft, relay, tap_problem, [
                    self.bin / "moq-interop-client", "-r", url, "--tls-disable-verify", "--draft", draft, "-t", test,
                ])

    def one_check(self, test, draft, relay, judge, command):
        relay_position = relay.position() if relay else 0
        client = Process(f"{test}-{draft}", command, self.logs)
        client_position = client.start
        status = client.wait(TEST_SECONDS)
        if status is None:
            problem = f"not done after {TEST_SECONDS} s"
        else:
            problem = judge(status, client.text(client_position), draft)
        excerpt = client.excerpt(client_position) + (relay.excerpt(relay_position) if relay else []) if problem else ()
        self.results.record(test, draft, problem, excerpt)

    # Our commands, their relay.

    def our_client(self):
        say("our commands against aiomoqt's relay")
        content = self.work / "input"
        content.write_bytes(secrets.token_bytes(FILE_BYTES))
        problem = make_certificate(self.work)
        for draft in self.drafts:
            if problem:
                self.results.record("file-through-their-relay", draft, problem)
                continue
            port = free_port()
            relay = Process(f"aiomoqt-relay-{draft}", [
                self.bin / "moq-interop-relay", "--port", port, "--quic", "--draft", draft,
                "--cert", self.work / "cert.pem", "--key", self.work / "key.pem",
            ], self.logs)
            if wait_until(lambda: "Listening on" in relay.text(), START_SECONDS):
                url = f"moqt://127.0.0.1:{port}"
                self.our_check("file-through-their-relay", draft, relay, self.transfer_problem, url, content)
                self.our_check("questions-to-their-relay", draft, relay, self.questions_problem, url)
                self.our_check("our-interop-client", draft, relay, self.interop_client_problem, url)
                self.our_check("moq-test-through-their-relay", draft, relay, self.suite_problem, url, True)
            else:
                self.results.record("file-through-their-relay", draft, "aiomoqt's relay did not start", relay.excerpt())
            relay.stop()
            self.their_origin(draft)

    def our_check(self, test, draft, relay, check, *arguments):
        parts = [relay]
        problem = check(draft, parts, *arguments)
        for part in parts[1:]:
            part.stop()
        excerpt = [line for part in parts for line in part.excerpt()] if problem else ()
        self.results.record(test, draft, problem, excerpt)

    def their_origin(self, draft):
        """Our test-client verifies what aiomoqt's moqtest_origin publishes."""
        port = free_port()
        origin = Process(f"aiomoqt-origin-{draft}", [
            self.bin / "python", "-m", "aiomoqt.tools.moqtest_origin", "--port", port, "--quic", "--draft", draft,
            "--cert", self.work / "cert.pem", "--key", self.work / "key.pem",
        ], self.logs)
        test = "moq-test-from-their-origin"
        if wait_until(lambda: port_is_taken(port), START_SECONDS):
            url = f"moqt://127.0.0.1:{port}"
            self.our_check(test, draft, origin, self.suite_problem, url, False)
            self.our_check("their-origin-as-our-upstream", draft, origin, self.upstream_problem, url)
        else:
            self.results.record(test, draft, "aiomoqt's origin did not start", origin.excerpt())
        origin.stop()

    def upstream_problem(self, draft, parts, origin_url):
        """Our test-client verifies the same through our relay, whose upstream relay the origin is."""
        relay = Process(f"our-relay-below-their-origin-{draft}", [
            self.moq, "relay", "--listen", "127.0.0.1:0", "--self-signed", "--drafts", draft,
            "--upstream", origin_url, "--upstream-insecure",
        ], self.logs, stdout=subprocess.PIPE)
        parts.append(relay)
        url = wait_for_listening(relay)
        if url is None:
            return "our relay did not start"
        if not wait_until(lambda: f"connected, draft {draft}" in relay.text(), START_SECONDS):
            return "our relay could not connect to their origin"
        return self.suite_problem(draft, parts, url, False)

    def interop_client_problem(self, draft, parts, url):
        client = Process(f"our-interop-client-{draft}", [
            self.moq, "interop-client", "-r", url, "--tls-disable-verify", "--drafts", draft,
        ], self.logs)
        parts.append(client)
        status = client.wait(TEST_SECONDS)
        if status is None:
            return f"not done after {TEST_SECONDS} s"
        passed = len(re.findall(r"^ok \d+ - ", client.text(), re.MULTILINE))
        if status == 0 and passed == INTEROP_CASES:
            return None
        return f"{passed} of {INTEROP_CASES} passed, exit status {status}"

    def suite_problem(self, draft, parts, url, with_origin):
        """Our test-client asks for every track of its suite, of our origin when `with_origin` says so."""
        if with_origin:
            origin = Process(
                f"our-origin-{draft}", [self.moq, "test-origin", url, "--insecure", "--drafts", draft], self.logs
            )
            parts.append(origin)
            if not wait_until(lambda: "announced" in origin.text(), START_SECONDS):
                return "our origin could not announce its namespace"
        client = Process(f"test-client-{'relay' if with_origin else 'origin'}-{draft}", [
            self.moq, "test-client", url, "--insecure", "--drafts", draft, "--suite",
        ], self.logs)
        parts.append(client)
        status = client.wait(SUITE_SECONDS)
        if status is None:
            return f"not done after {SUITE_SECONDS} s"
        log = client.text()
        passed = len(re.findall(r"^ok   ", log, re.MULTILINE))
        failed = [name for name in re.findall(r"^FAIL subscribe (\S+):", log, re.MULTILINE)
                  if not is_their_fault(draft, name)]
        if status not in (0, 1) or passed < SUITE_TRACKS or len(failed) > SUITE_RETRIES:
            return f"{passed} tracks are right, exit status {status}, wrong: {' '.join(failed) or 'none'}"
        # Their relay loses a PUBLISH_DONE that it reads together with SUBSCRIBE_OK: a short track may take two tries.
        for name in failed:
            again = Process(f"again-{draft}", [
                self.moq, "test-client", url, "--insecure", "--drafts", draft, "--namespace", name,
            ], self.logs)
            parts.append(again)
            if again.wait(SUITE_SECONDS) != 0:
                return f"twice wrong: {name}"
        return None

    def questions_problem(self, draft, parts, url):
        """probe, namespaces, status and fetch, while a clock ticks through the relay."""
        common = [url, "--insecure", "--drafts", draft]
        space = f"interop/{secrets.token_hex(4)}"
        track = ["--namespace", space, "--track", "clock"]

        def ask(name, *arguments):
            """Runs a command to its end; returns what it wrote, and adds it to what is shown on failure."""
            process = Process(f"{name}-{draft}", [self.moq, *arguments], self.logs)
            parts.append(process)
            status = process.wait(TEST_SECONDS)
            return process.text(process.start) if status == 0 else None

        if f"{draft}  yes" not in (ask("probe", "probe", *common) or ""):
            return "moq probe does not find the draft"
        clock = Process(f"clock-{draft}", [self.moq, "clock", *common, *track, "--interval", CLOCK_SECONDS], self.logs)
        viewer = Process(f"viewer-{draft}", [self.moq, "sub", *common, *track, "--wait", "10"], self.logs)
        parts += [clock, viewer]
        if not wait_until(lambda: viewer.text().count("Z\n") >= 6, TEST_SECONDS):
            return "the clock does not tick"
        listed = ask("namespaces", "namespaces", url, "interop", *common[1:], "--duration", "1")
        if f"+ {space}\n" not in (listed or ""):
            return "moq namespaces does not list the clock"
        ranges = {
            "fetch": (lambda group: ["--from", f"{group - 3}", "--to", f"{group - 1}"], 3),
            "join": (lambda _: ["--join", "4"], 5),
            "join-from": (lambda group: ["--join-from", f"{group - 2}"], 3),
        }
        for name, (options, least) in ranges.items():
            # Their relay remembers eight groups, which is not long.
            if draft in NO_STATUS_FROM_THEIR_RELAY:
                group = clock_group(viewer.text())
            else:
                told = ask("status", "status", *common, *track, "--json")
                found = re.search(r'"largest_location":{"group":(\d+),', told or "")
                if not found:
                    return "moq status does not say how far the clock is"
                group = int(found[1])
            options = options(group)
            output = self.work / f"{name}-{draft}"
            if ask(name, "fetch", *common, *track, *options, "--output", output) is None:
                return f"moq fetch {options[0]} failed"
            ticks = output.read_text()
            if ticks.count("\n") < least:
                return f"moq fetch {options[0]} brought {ticks.count(chr(10))} ticks, not {least}"
            # Every tick once and in order: the same run of lines that the subscriber got.
            if not wait_until(lambda: ticks in viewer.text(), 5):
                return f"moq fetch {options[0]} brought something else than the subscription"
        return None

    def transfer_problem(self, draft, parts, url, content):
        output = self.work / f"output-{draft}"
        track = ["--insecure", "--drafts", draft, "--namespace", f"interop/{secrets.token_hex(4)}", "--track", "file"]
        # The subscriber starts second here and first in the demo, so that both orders are exercised.
        publisher = Process(f"pub-{draft}", [self.moq, "pub", url, *track, "--input", content], self.logs)
        parts.append(publisher)
        subscriber = Process(
            f"sub-{draft}", [self.moq, "sub", url, *track, "--output", output, "--wait", "10"], self.logs
        )
        parts.append(subscriber)
        deadline = time.monotonic() + TRANSFER_SECONDS
        for process in (subscriber, publisher):
            status = process.wait(max(1, deadline - time.monotonic()))
            if status != 0:
                publisher.stop()
                what = f"exit status {status}" if status is not None else f"not done after {TRANSFER_SECONDS} s"
                return f"{process.name}: {what}"
        if not output.exists():
            return "the subscriber wrote no file"
        if digest(output) != digest(content):
            return f"the file arrived changed ({output.stat().st_size} bytes of {FILE_BYTES})"
        output.unlink()
        return None


def clock_group(ticks):
    """The group of the last tick: `moq clock` numbers them by the time, in intervals since 1970."""
    last = datetime.fromisoformat(re.findall(r"^\S+Z$", ticks, re.MULTILINE)[-1])
    return round(last.timestamp() / CLOCK_SECONDS)


def probe_problem(status, log, draft):
    line = next((line for line in log.splitlines() if line.startswith("moqt://")), "")
    if status != 0:
        return f"exit status {status}: {line.strip() or 'no answer'}"
    return None if f"draft-{draft}" in line else f"did not confirm the draft: {line.strip()}"


def tap_problem(status, log, draft):
    """Reads the client's TAP. A skipped or only tolerated test is not a passed one."""
    verdict = next((line for line in log.splitlines() if re.match(r"(not )?ok \d+ ", line)), None)
    message = next((line.split(":", 1)[1].strip().strip('"') for line in log.splitlines()
                    if line.startswith("  message:")), "")
    if verdict is None:
        return f"no verdict, exit status {status}"
    if status != 0 or verdict.startswith("not "):
        return message or f"exit status {status}"
    if "# SKIP" in verdict.upper():
        return f"skipped: {verdict}"
    if "compat: true" in log or "# COMPAT" in verdict:
        return f"only tolerated: {message}"
    spoken = set(re.findall(r'moqt_version: "moqt-(\d+)"', log))
    return None if spoken <= {draft} else f"spoke draft {', '.join(sorted(spoken))}"


def wait_for_listening(relay):
    """Reads the relay's standard output until it says where it listens, and keeps reading so that it never blocks."""
    found = []
    said = threading.Event()

    def read():
        with open(relay.log, "ab", buffering=0) as log:
            for line in relay.child.stdout:
                log.write(line)
                match = re.match(rb"listening\s+(?:moqt://)?(\S+)", line)
                if match and not found:
                    found.append("moqt://" + match.group(1).decode())
                    said.set()
        said.set()

    threading.Thread(target=read, daemon=True).start()
    said.wait(START_SECONDS)
    return found[0] if found else None


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_port():
    """A UDP port that was free a moment ago on all addresses: their relay cannot be told to listen on loopback only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def is_their_fault(draft, namespace):
    """On draft 14 their End of Group in a datagram is an ordinary object without payload."""
    fields = namespace.split("/")
    return draft == "14" and fields[1] == "3" and fields[12] == "1"


def port_is_taken(port):
    """Whether somebody listens at a UDP port of this host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return True
        return False


def make_certificate(folder):
    """Writes cert.pem and key.pem; returns a problem in one line or None."""
    if shutil.which("openssl") is None:
        return "needs the openssl command to make a certificate"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-sha256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        capture_output=True, text=True, check=False,
    )
    return None if made.returncode == 0 else f"openssl made no certificate: {made.stderr.strip()[-200:]}"


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main():
    parser = argparse.ArgumentParser(prog="Tests/Interop/run")
    parser.add_argument("--root", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--moq")
    parser.add_argument("--relay-url")
    parser.add_argument("--drafts", default="18,16,14")
    parser.add_argument("--tests")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--delay", type=float, default=0)
    # A stop from outside must not leave a relay behind: turn it into an exception so that `finally` runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return Interop(parser.parse_args()).run()
    except KeyboardInterrupt:
        return 130
    finally:
        Process.stop_all()


if __name__ == "__main__":
    sys.exit(main())
