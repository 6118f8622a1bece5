"""Real processes on loopback, for the scripts that measure: started, asked, and stopped by their own process ids."""

import hashlib
import os
import re
import shlex
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Failure(Exception):
    """Something that was to hold did not; the text says what."""


def status_kilobytes(pid, field):
    """A memory figure of a running process (VmRSS: now, VmHWM: the most so far), in KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise Failure(f"process {pid} has no {field}")


def digest(path):
    """The SHA-256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def make_input(directory, size):
    """A file of random bytes."""
    path = os.path.join(directory, "input")
    with open(path, "wb") as file:
        left = size
        while left > 0:
            block = os.urandom(min(left, 1 << 20))
            file.write(block)
            left -= len(block)
    return path


def free_port():
    """A UDP port that nobody has, for programs that cannot say which one the system chose."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def relay_options():
    """What the environment variable RELAY_OPTIONS adds to each of our relays, for example --shards 2."""
    return shlex.split(os.environ.get("RELAY_OPTIONS", ""))


class Server:
    """A moq process that listens: a relay, or a publisher that serves by itself."""

    def __init__(self, command, log_path):
        self.log_path = log_path
        self.log = open(log_path, "w", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.fingerprint = None
        self.url = None
        deadline = time.monotonic() + 20
        while self.url is None:
            line = self.process.stdout.readline()
            if not line or time.monotonic() > deadline:
                self.kill()
                raise Failure(f"{command[0]} {command[1]} did not listen: {self.tail()}")
            if found := re.match(r"fingerprint sha-256 ([0-9a-f]{64})", line):
                self.fingerprint = found.group(1)
            if found := re.match(r"listening (moqt://\S+)", line):
                self.url = found.group(1)

    def tail(self):
        """The last of what the process said on standard error."""
        self.log.flush()
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return " / ".join(file.read().splitlines()[-5:])

    def report(self):
        """The counters that the relay prints when asked by signal, as a dictionary."""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            seen = len(file.read())
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                fresh = file.read()[seen:]
            if "\n" in fresh and (pairs := re.findall(r"([a-z_-]+)=(\d+)", fresh)):
                return {name: int(value) for name, value in pairs}
            time.sleep(0.02)
        raise Failure("the relay did not print its counters")

    def end(self):
        """Asks the process to stop and checks that it does so cleanly."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("the server did not stop within 20 s of SIGTERM") from None
        if status != 0:
            raise Failure(f"the server exited with status {status}: {self.tail()}")

    def kill(self):
        """Stops the process without asking."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run(command, limit, **environment):
    """Runs a command to its end; fails unless it exits 0. Returns what it printed (both outputs) and the seconds."""
    begin = time.monotonic()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit, check=False,
        env=os.environ | environment,
    )
    took = time.monotonic() - begin
    if done.returncode != 0:
        raise Failure(f"{' '.join(command[:2])} exited with {done.returncode}: {done.stdout.strip()[-400:]}")
    return done.stdout, took


def make_certificate(work):
    """The files of a certificate and its key, made the first time."""
    pair = [os.path.join(work, name) for name in ("cert.pem", "key.pem")]
    if not os.path.exists(pair[1]):
        run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split()
            + ["-keyout", pair[1], "-out", pair[0]],
            30,
        )
    return pair


class Foreign:
    """A server that is not of this project: it listens at a port that it is given."""

    def __init__(self, command, port, log_path, work):
        self.port = port
        self.url = f"moqt://127.0.0.1:{port}"
        self.log_path = log_path
        with open(log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=work)

    def said(self):
        """All that it printed so far."""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        """Stops the process, politely first."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class PicoquicDemo(Foreign):
    """picoquic's own demo server. It does not say when it listens."""

    def __init__(self, certificate, congestion_control, work):
        self.demo = os.path.join(ROOT, ".deps", "bin", "picoquicdemo")
        if not os.path.exists(self.demo):
            raise Failure("no .deps/bin/picoquicdemo: run Scripts/bootstrap")
        self.congestion_control = congestion_control
        self.work = work
        port = free_port()
        super().__init__(
            [
                self.demo, "-c", certificate[0], "-k", certificate[1], "-p", str(port), "-G", congestion_control,
                "-x", "8192",
            ],
            port,
            os.path.join(work, "picoquicdemo.log"),
            work,
        )

    def goodput(self, count, limit):
        """Mbit/s that its client reports in perf mode for so many bytes."""
        # The client is started again until one gets through. The request has to have a body of a few bytes.
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            client = subprocess.run(
                [
                    self.demo, "-D", "-a", "perf", "-n", "localhost", "-G", self.congestion_control, "127.0.0.1",
                    str(self.port), f"*1:397:{count};",
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.work,
                timeout=limit,
                check=False,
            )
            if found := re.search(r"Download_Mbps: ([0-9.]+)", client.stdout):
                if float(found.group(1)) > 0:
                    return float(found.group(1))
        raise Failure("picoquicdemo's client did not get through to its server")


class AiomoqtRelay(Foreign):
    """The relay of aiomoqt, which `Tests/Interop/run --install` installs."""

    PROGRAMS = os.path.join(ROOT, ".deps", "interop", "venv", "bin")

    def __init__(self, certificate, draft, work):
        # Its programs name their interpreter by its path, which may have changed: the interpreter is named here.
        python, program = (os.path.join(self.PROGRAMS, name) for name in ("python", "moq-interop-relay"))
        if not (os.access(python, os.X_OK) and os.path.exists(program)):
            raise Failure("aiomoqt is not installed: run `Tests/Interop/run --install` (it needs CPython 3.12 or later)")
        port = free_port()
        super().__init__(
            [
                python, program, "--port", str(port), "--quic", "--draft", draft, "--cert", certificate[0],
                "--key", certificate[1],
            ],
            port,
            os.path.join(work, "aiomoqt-relay.log"),
            work,
        )
        deadline = time.monotonic() + 15
        while "Listening on" not in self.said():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise Failure(f"aiomoqt's relay did not start: {self.said().strip()[-300:]}")
            time.sleep(0.05)
