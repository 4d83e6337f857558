"""Runs real drivers and command line clients through Bifocal, and prints what worked.

Started by `make drivers`, with the Python of .tools/py. For every server in .servers: a private instance with a schema
migrated from v1 to v2, and a proxy before it. Every driver runs the steps of steps.py four times: at the server
itself, through Bifocal as the physical version, as v1, and as v1 with compression, where the driver has that; then the
table must hold what the steps wrote. Options: --server NAME and --driver NAME restrict both; --direct leaves Bifocal out.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import steps

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = ROOT / ".tools"
SERVERS = pathlib.Path(os.environ.get("BIFOCAL_SERVERS") or ROOT / ".servers")
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
BIFOCAL = pathlib.Path(os.environ.get("BIFOCAL") or TARGET / "debug/bifocal")
NAMES = ["mariadb-10.11", "mysql-9.7", "mariadb-11.8"]
MYSQLCLIENT = "mysqlclient==2.3.1"
ACCOUNT = {"host": "127.0.0.1", "user": "app", "password": "s3cret"}
START_SECONDS = 60
# A driver that hangs is a failure, not a longer wait; the slowest takes a few seconds.
STEP_SECONDS = 120
WAYS = ["direct", "physical", "v1", "compressed"]
# These compress if they are told to; mysql_async is built without.
COMPRESS = ["connector (pure)", "connector (C)", "mysqlclient", "mysql2"]
COMPRESS += ["mariadb-10.11 client", "mariadb-11.8 client", "mysql-9.7 client"]
# They give MySQL their whole password only over TLS, which `bifocal serve` does not speak here; at the server itself
# they do, and after that it knows them.
NEED_TLS = ["connector (pure)", "connector (C)"]


class Skip(Exception):
    """A driver that cannot be had on this machine, and why."""


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    drivers, outcomes, skipped = {}, [], []
    for name, prepare in DRIVERS.items():
        if options.driver and name not in options.driver:
            continue
        try:
            drivers[name] = prepare()
        except Skip as skip:
            skipped.append((name, "every server", str(skip)))
    for server in NAMES:
        if options.server and server not in options.server:
            continue
        if not (SERVERS / server / "ready").exists():
            skipped.append(("every driver", server, f"{SERVERS / server} is not there; scripts/servers.sh gets it"))
            continue
        with tempfile.TemporaryDirectory(prefix="bifocal-drivers-") as folder:
            outcomes += run_server(server, pathlib.Path(folder), drivers, options.direct)
    sys.exit(report(outcomes, skipped))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", action="append", choices=NAMES)
    parser.add_argument("--driver", action="append", choices=list(DRIVERS))
    parser.add_argument("--direct", action="store_true")
    return parser.parse_args()


def run_server(name, folder, drivers, direct):
    outcomes = []
    with Server(name, folder) as server:
        rules = server.prepare(direct)
        with Proxy(server, rules, direct) as proxy:
            for driver, command in drivers.items():
                for way in WAYS[:1] if direct else WAYS:
                    if way == "compressed" and driver not in COMPRESS:
                        continue
                    port = server.port if way == "direct" else proxy.port
                    cold = way == "direct" or driver not in NEED_TLS
                    failure, seconds = run_driver(server, folder, command, way, port, cold)
                    outcomes.append((driver, name, way, failure, seconds))
                    print(f"{driver:20} {name:14} {way:10} {failure or 'ok'} ({seconds:.1f} s)", flush=True)
    return outcomes


def run_driver(server, folder, command, way, port, cold):
    """What went wrong, if anything, and how long it took."""
    version = "v1" if way in ["v1", "compressed"] else "v2"
    login = ACCOUNT | {"port": port, "database": "shop__v1" if version == "v1" else "shop"}
    if way == "compressed":
        login["compress"] = True
    job = folder / "job.json"
    job.write_text(json.dumps({"login": login, "steps": steps.steps(version)}))
    server.sql(steps.data(), "shop")
    if cold:
        # With empty caches, MySQL asks for the whole password.
        server.sql("FLUSH PRIVILEGES;")
    begin = time.monotonic()
    try:
        done = subprocess.run(
            [*command, str(job)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=STEP_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"no end after {STEP_SECONDS} s", time.monotonic() - begin
    seconds = time.monotonic() - begin
    if done.returncode:
        return (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}")[-1500:], seconds
    stored = server.sql("SELECT id, email, first_name, last_name FROM people ORDER BY id", "shop")
    stored = [line.split("\t") for line in stored.splitlines()]
    if stored != steps.stored():
        wrong = [(want, got) for want, got in zip(steps.stored(), stored) if want != got]
        return f"the table holds {len(stored)} rows, expected {len(steps.stored())}; differing: {wrong[:3]}", seconds
    return None, seconds


def report(outcomes, skipped):
    print(f"\n{'driver':20} {'server':14} " + " ".join(f"{way:10}" for way in WAYS))
    cells = {}
    for driver, server, way, failure, _ in outcomes:
        cells.setdefault((driver, server), {})[way] = "FAILED" if failure else "ok"
    for (driver, server), row in cells.items():
        print(f"{driver:20} {server:14} " + " ".join(f"{row.get(way, '-'):10}" for way in WAYS))
    for driver, server, reason in skipped:
        print(f"*** SKIPPED: {driver} on {server}: {reason}")
    for driver, server, way, failure, _ in outcomes:
        if failure:
            print(f"*** FAILED: {driver} on {server}, {way}: {failure}")
    failed = sum(1 for outcome in outcomes if outcome[3])
    print(f"{len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed or not outcomes else 0


class Server:
    """A private instance, with the migrated schema."""

    def __init__(self, name, folder):
        self.name, self.home, self.folder = name, SERVERS / name, folder
        self.port = free_port()

    def __enter__(self):
        shutil.copytree(self.home / "datadir", self.folder / "data")
        options = [f"--datadir={self.folder}/data", f"--port={self.port}", f"--socket={self.folder}/s.sock"]
        options += [f"--pid-file={self.folder}/s.pid", "--character-set-server=utf8mb4", "--max-allowed-packet=64M"]
        if self.name.startswith("mysql"):
            options += ["--innodb-redo-log-capacity=128M"]
        with open(self.folder / "server.log", "wb") as log:
            self.process = subprocess.Popen([self.home / "run", *options], stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.sql("SELECT 1")
                return self
            except RuntimeError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    end(self.process)
                    log = (self.folder / "server.log").read_text()[-2000:]
                    sys.exit(f"{self.name} does not start: {error}\n{log}")
                time.sleep(0.2)

    def __exit__(self, *_):
        end(self.process)

    def sql(self, text, database=None):
        command = [self.home / "client", "--host=127.0.0.1", f"--port={self.port}", "--user=root"]
        command += ["--batch", "--skip-column-names", "--raw", "--default-character-set=utf8mb4"]
        done = subprocess.run(command + ([database] if database else []), input=text, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout

    def prepare(self, direct):
        """Makes the schema as v1 and as v2 know it, and the rules between them."""
        plugin = "caching_sha2_password" if self.name.startswith("mysql") else "mysql_native_password"
        password = f"BY '{ACCOUNT['password']}'"
        if plugin == "mysql_native_password":
            password = f"USING PASSWORD('{ACCOUNT['password']}')"
        self.sql(
            f"CREATE USER '{ACCOUNT['user']}'@'%' IDENTIFIED WITH {plugin} {password};"
            f"CREATE DATABASE shop CHARACTER SET utf8mb4; GRANT ALL ON shop.* TO '{ACCOUNT['user']}'@'%';"
        )
        rules = self.folder / "rules"
        (rules / "shop").mkdir(parents=True)
        (rules / "shop.yaml").write_text(steps.RULES)
        for name, text in [("v1", steps.SCHEMA_V1), ("v2", steps.MIGRATION)]:
            self.sql(text, "shop")
            if not direct:
                url = f"mysql://root@127.0.0.1:{self.port}/shop"
                command = [BIFOCAL, "snapshot", "--database-url", url]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(f"bifocal snapshot of {name} on {self.name}: {done.stderr}")
                (rules / f"shop/{name}.schema.json").write_text(done.stdout)
        return rules


class Proxy:
    """`bifocal serve` before a server."""

    def __init__(self, server, rules, direct):
        self.server, self.rules, self.direct = server, rules, direct

    def __enter__(self):
        if self.direct:
            return self
        backend = f"mysql://127.0.0.1:{self.server.port}"
        command = [BIFOCAL, "serve", "--backend", backend, "--rules", self.rules, "--listen", "127.0.0.1:0"]
        log = self.server.folder / "bifocal.log"
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            end(self.process)
            sys.exit(f"bifocal serve is not ready: {line}\n{log.read_text()[-2000:]}")
        self.port = int(line.rsplit(":", 1)[1])
        return self

    def __exit__(self, *_):
        if not self.direct:
            end(self.process)


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


def python(name):
    return lambda: [sys.executable, str(HERE / "python_driver.py"), name]


def client(name):
    def prepare():
        path = SERVERS / name / "client"
        if not path.exists():
            raise Skip(f"there is no {path}; scripts/servers.sh gets it")
        return [sys.executable, str(HERE / "cli_driver.py"), str(path)]

    return prepare


def mysqlclient():
    """Builds mysqlclient over a libmariadb that is only unpacked."""
    try:
        library = libmariadb()
        folder = next(library.glob("usr/lib/*-linux-gnu*"))
        flags = {
            "MYSQLCLIENT_CFLAGS": f"-I{library}/usr/include/mariadb",
            "MYSQLCLIENT_LDFLAGS": f"-L{folder} -lmariadb -Wl,-rpath,{folder}",
        }
        quiet(
            # A cached wheel would look for the library where another checkout has it.
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", MYSQLCLIENT],
            os.environ | flags,
        )
    except (StopIteration, OSError, RuntimeError) as error:
        raise Skip(f"it cannot be built: {error or 'no libmariadb'}") from error
    plugins = f"MARIADB_PLUGIN_DIR={folder}/libmariadb3/plugin"
    return ["env", plugins, sys.executable, str(HERE / "python_driver.py"), "mysqlclient"]


def libmariadb():
    """The library with its headers, of Debian bookworm: from apt as scripts/servers.sh has set it up, or the system's."""
    unpacked = TOOLS / "libmariadb"
    if not (unpacked / "ready").exists():
        with tempfile.TemporaryDirectory() as folder:
            own = SERVERS / "cache/bookworm/apt.conf"
            environment = os.environ | ({"APT_CONFIG": str(own)} if own.exists() else {})
            quiet(["apt-get", "download", "-q", "libmariadb-dev", "libmariadb3"], environment, folder)
            for package in pathlib.Path(folder).glob("*.deb"):
                quiet(["dpkg-deb", "-x", str(package), str(unpacked)], os.environ)
        (unpacked / "ready").touch()
    return unpacked


def mysql2():
    modules = TOOLS / "node"
    if not shutil.which("npm"):
        raise Skip("this machine has no npm")
    modules.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", modules)
    try:
        quiet(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(modules)], os.environ)
    except RuntimeError as error:
        raise Skip(f"it cannot be installed: {error}") from error
    return ["env", f"MODULES={modules}", "node", str(HERE / "mysql2.mjs")]


def mysql_async():
    return [str(TARGET / "debug/examples/mysql_async")]


def quiet(command, environment, folder=None):
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-500:]}")


DRIVERS = {
    "PyMySQL": python("pymysql"),
    "connector (pure)": python("connector-pure"),
    "connector (C)": python("connector-c"),
    "mysqlclient": mysqlclient,
    "mysql2": mysql2,
    "mysql_async": mysql_async,
    "mariadb-10.11 client": client("mariadb-10.11"),
    "mariadb-11.8 client": client("mariadb-11.8"),
    "mysql-9.7 client": client("mysql-9.7"),
}

if __name__ == "__main__":
    main()
