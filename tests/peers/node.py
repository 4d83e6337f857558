"""Integration tests of Node drivers.

mysql's (mysqljs) come with its Debian source package. mysql2's own tests are in no archive that can be had without its
repository, so mysql2 runs mysql's tests, whose interface it shares; those that look at mysql's insides fail both ways.
"""

import functools
import os
import pathlib
import shutil
import subprocess

import support

# A test that hangs is a failure; the slowest takes a few seconds.
TEST_SECONDS = 30
MODULES = ["mysql2@3.24.6", "bignumber.js@9.0.0", "readable-stream@2.3.7", "safe-buffer@5.1.2", "sqlstring@2.3.1"]
MODULES += ["after@0.8.2", "seedrandom@3.0.5", "timezone-mock@0.0.7", "urun@0.0.8", "utest@0.0.8"]
OWN_DRIVER = "require(path.resolve(common.lib, '../index'))"


class Suite:
    def __init__(self, driver, servers, ci=()):
        self.driver, self.servers, self.ci = driver, servers, ci

    def server_options(self, _name, _folder):
        return ["--character-set-server=utf8mb4", "--local-infile=ON"]

    def prepare(self, _server):
        return support.source("bookworm", "perl-dbd", "node-mysql"), modules()

    def run(self, prepared, server, port, folder, ci):
        source, node_modules = prepared
        shutil.copytree(source, folder / "suite")
        (folder / "node_modules").symlink_to(node_modules)
        if self.driver != "mysql":
            common = folder / "suite/test/common.js"
            text = common.read_text()
            assert OWN_DRIVER in text, "mysql's tests have changed"
            common.write_text(text.replace(OWN_DRIVER, f"require('{self.driver}')"))
        server.sql("CREATE DATABASE test")
        environment = os.environ | {
            "MYSQL_HOST": "127.0.0.1",
            "MYSQL_PORT": str(port),
            "MYSQL_USER": "root",
            "MYSQL_PASSWORD": "",
            "MYSQL_DATABASE": "test",
        }
        tests = folder / "suite/test/integration"
        return {
            str(file.relative_to(tests)): run_file(file, folder / "suite", environment)
            for file in sorted(tests.rglob("test-*.js"))
        }


def run_file(file, folder, environment):
    try:
        done = subprocess.run(
            ["node", "--no-deprecation", str(file)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return "fail", f"no end after {TEST_SECONDS} s"
    text = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode:
        return "fail", text[-3000:]
    return ("skip" if "skipping - " in text else "pass"), ""


@functools.cache
def modules():
    if not shutil.which("npm"):
        raise support.Skip("this machine has no npm")
    home = support.PEERS / "node"
    home.mkdir(parents=True, exist_ok=True)
    support.quiet(["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(home), *MODULES])
    return pathlib.Path(home / "node_modules")
