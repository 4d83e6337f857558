"""Private servers and proxies, and the folders that other projects' suites are kept in."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SERVERS = pathlib.Path(os.environ.get("BIFOCAL_SERVERS") or ROOT / ".servers").resolve()
PEERS = pathlib.Path(os.environ.get("BIFOCAL_PEERS") or ROOT / ".peers").resolve()
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
BIFOCAL = pathlib.Path(os.environ.get("BIFOCAL") or TARGET / "debug/bifocal").resolve()
START_SECONDS = 60
# What mysql-test-run sets.
TIME_ZONE = {"TZ": "GMT-3"}

# The rules of the versioned way. No suite knows this database, so every statement is looked at and none is rewritten.
PROBE = "bifocal_probe"
PROBE_RULES = """\
database: bifocal_probe
versions:
  - name: v1
    schema: bifocal_probe/v1.schema.json
  - name: v2
    schema: bifocal_probe/v2.schema.json
    changes:
      - rename_column: {table: bifocal_probe_table, from: before_probe, to: after_probe}
"""


class Skip(Exception):
    """A suite that cannot be had on this machine, and why."""


class Server:
    """A private instance of a server, from its own copy of the data directory; root needs no password."""

    def __init__(self, name, folder, options=()):
        self.name, self.home, self.folder, self.options = name, SERVERS / name, folder, options
        self.port = free_port()
        # Where mysql-test-run has it.
        self.data = folder / "var/mysqld.1/data"
        self.is_mysql = name.startswith("mysql")

    def __enter__(self):
        shutil.copytree(self.home / "datadir", self.data)
        options = [f"--datadir={self.data}", f"--port={self.port}", f"--socket={self.folder}/s.sock"]
        options += [f"--pid-file={self.folder}/s.pid", f"--tmpdir={self.folder}", *self.options]
        options += ["--innodb-redo-log-capacity=128M"] if self.is_mysql else ["--debug-no-sync=ON"]
        with open(self.folder / "server.log", "wb") as log:
            self.process = subprocess.Popen([self.home / "run", *options], env=os.environ | TIME_ZONE, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.sql("SELECT 1")
                return self
            except RuntimeError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    end(self.process)
                    log = (self.folder / "server.log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.name} does not start: {error}\n{log}") from error
                time.sleep(0.2)

    def __exit__(self, *_):
        end(self.process)

    def client(self):
        return [self.home / "client", "--host=127.0.0.1", f"--port={self.port}", "--user=root", "--batch"]

    def sql(self, text, database=None):
        command = [*self.client(), "--skip-column-names", "--default-character-set=utf8mb4"]
        done = subprocess.run(command + ([database] if database else []), input=text, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout

    def account(self, name, password, grants="ALL ON *.*"):
        """An account with a password that this server's clients can all send without TLS."""
        how = f"BY '{password}'" if password else ("BY ''" if self.is_mysql else "VIA mysql_native_password USING ''")
        for host in ("localhost", "127.0.0.1", "%"):
            self.sql(f"CREATE USER IF NOT EXISTS '{name}'@'{host}' IDENTIFIED {how}; GRANT {grants} TO '{name}'@'{host}' WITH GRANT OPTION")


class Proxy:
    """`bifocal serve` before a server: for the physical version, or for one that differs from it in the probe only."""

    def __init__(self, server, way):
        self.server, self.way = server, way

    def __enter__(self):
        folder = self.server.folder
        command = [BIFOCAL, "serve", "--backend", f"mysql://127.0.0.1:{self.server.port}"]
        if self.way == "versioned":
            command += ["--rules", self.rules(), "--listen", f"127.0.0.1:0={PROBE}@v1"]
        else:
            command += ["--listen", "127.0.0.1:0"]
        certificate = self.server.data / "server-cert.pem"
        # MySQL makes itself one, and its clients see the same.
        if certificate.exists():
            command += ["--tls-certificate", certificate, "--tls-key", self.server.data / "server-key.pem"]
        log = folder / "bifocal.log"
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            end(self.process)
            raise RuntimeError(f"bifocal serve is not ready: {line}\n{log.read_text()[-2000:]}")
        self.port = int(line.split("=")[0].rsplit(":", 1)[1])
        return self

    def __exit__(self, *_):
        end(self.process)

    def rules(self):
        folder = self.server.folder / "rules"
        (folder / PROBE).mkdir(parents=True)
        (folder / f"{PROBE}.yaml").write_text(PROBE_RULES)
        self.server.sql(f"CREATE DATABASE {PROBE}; CREATE TABLE {PROBE}.bifocal_probe_table (before_probe INT)")
        for version in ("v1", "v2"):
            url = f"mysql://root@127.0.0.1:{self.server.port}/{PROBE}"
            done = subprocess.run([BIFOCAL, "snapshot", "--database-url", url], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"bifocal snapshot on {self.server.name}: {done.stderr}")
            (folder / f"{PROBE}/{version}.schema.json").write_text(done.stdout)
            if version == "v1":
                rename = "RENAME COLUMN before_probe TO after_probe"
                self.server.sql(f"ALTER TABLE {PROBE}.bifocal_probe_table {rename}")
        # The rules are enough for Bifocal, and a suite that lists the databases finds none more than directly.
        self.server.sql(f"DROP DATABASE {PROBE}")
        return folder


def end(process):
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def packages(name):
    """The unpacked Debian packages of that name of scripts/servers.sh, in a folder of their own."""
    if not (PEERS / name / "ready").exists():
        environment = os.environ | {"BIFOCAL_SERVERS": str(PEERS)}
        done = subprocess.run([ROOT / "scripts/servers.sh", name], env=environment, stderr=subprocess.PIPE, text=True)
        if not (PEERS / name / "ready").exists():
            raise Skip(f"scripts/servers.sh {name}: {done.stderr.strip()[-300:]}")
    return PEERS / name / "root"


def quiet(command, environment=None, folder=None):
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Skip(f"{pathlib.Path(command[0]).name}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def source(suite, archive_packages, package):
    """A Debian source package's upstream files, by apt as scripts/servers.sh has set it up for that suite."""
    place = PEERS / "sources" / f"{suite}-{package}"
    if not place.exists():
        packages(archive_packages)
        home = PEERS / "cache" / suite
        with tempfile.TemporaryDirectory(dir=PEERS) as folder:
            folder = pathlib.Path(folder)
            for name in ("lists/partial", "archives/partial", "state"):
                (folder / name).mkdir(parents=True)
            (folder / "status").touch()
            line = (home / "sources.list").read_text()
            (folder / "sources.list").write_text(re.sub(r"^deb \[.*(signed-by=\S+).*\]", r"deb-src [\1]", line))
            (folder / "apt.conf").write_text((home / "apt.conf").read_text().replace(str(home), str(folder)))
            environment = os.environ | {"APT_CONFIG": str(folder / "apt.conf")}
            quiet(["apt-get", "update", "-q"], environment)
            # A mirror may lack one of several archives; apt has checked the ones that are there.
            command = ["apt-get", "source", "-q", "--download-only", "--tar-only", package]
            done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
            archive = next(folder.glob("*.orig.tar.*"), None)
            if not archive:
                raise Skip(f"the source package {package} of Debian {suite}: {done.stderr.strip()[-300:]}")
            unpack(archive, place)
    return next(entry for entry in place.iterdir() if entry.is_dir())


def unpack(archive, place):
    """Unpacks so that a folder which is there is whole."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        inner = pathlib.Path(folder) / "files"
        inner.mkdir()
        quiet(["tar", "xf", str(archive), "-C", str(inner)])
        inner.rename(place)
