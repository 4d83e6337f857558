"""The suites of MariaDB and MySQL themselves: their mysql-test-run against a running server (`--extern`).

Their runner does not clean up an external server after a test, so what it starts for each test is a script that does:
every database but the system's goes, `test` and `mtr` come anew, and only then does the real mysqltest begin.
"""

import os
import pathlib
import re
import subprocess

import support

# A test that hangs is a failure; the slowest of the lists takes a few seconds.
TEST_SECONDS = 90
CI_TESTS = 40
RESULT = re.compile(r"^(?:\[ *\d+%\] )?([\w/]+\.[\w-]+)(?: '([^']*)')?(?: w\d+)? +\[ (pass|fail|skipped|retry-pass|retry-fail|disabled) \]", re.M)


class Suite:
    """One list of tests in one of the protocols that mysqltest has."""

    def __init__(self, servers, options=(), every=1, ci=()):
        self.servers, self.options, self.every, self.ci = servers, options, every, ci

    def server_options(self, name, folder):
        """What their runner gives a server that it starts itself, as far as results depend on it."""
        options = ["--secure-file-priv=", "--log-bin-trust-function-creators=ON"]
        options += [f"--log-bin={folder}/var/mysqld.1/data/binlog", "--server-id=1"]
        if name.startswith("mysql"):
            return options
        options += ["--local-infile=ON", "--default-storage-engine=myisam", "--use-stat-tables=preferably"]
        options += ["--histogram-type=json_hb", "--key-buffer-size=1M", "--sort-buffer-size=256K"]
        options += ["--max-heap-table-size=1M", "--binlog-direct-non-transactional-updates"]
        if name == "mariadb-10.11":
            return [*options, "--character-set-server=latin1"]
        return [*options, "--character-set-server=utf8mb4", "--collation-server=utf8mb4_uca1400_ai_ci"]

    def prepare(self, name):
        version = name.rsplit("-", 1)[1]
        root = support.packages(f"{name.rsplit('-', 1)[0]}-test-{version}")
        runner = next(root.glob("usr/*/**/mysql-test-run.pl"), None) or next(root.glob("usr/*/**/mariadb-test-run.pl"))
        return root, runner

    def names(self, name, tests, ci):
        """The list's tests that this release has, or every n-th of them."""
        lines = (support.HERE / f"mtr-{name.split('-')[0]}.list").read_text().splitlines()
        names = [line for line in lines if line and not line.startswith("#")]
        names = [name for name in names if (tests / f"{name.removeprefix('main.')}.test").exists()]
        return names[:: max(self.every, len(names) // CI_TESTS if ci else 1)]

    def run(self, prepared, server, port, folder, ci):
        root, runner = prepared
        # The data is where their runner has it; so it does not make the folder, and this has to.
        for name in ("log", "run", "tmp"):
            (folder / "var" / name).mkdir()
        (folder / "var/std_data").symlink_to(runner.parent / "std_data")
        binaries = client_folder(root, server, folder)
        command = ["perl", runner.name, "--extern", "host=127.0.0.1", "--extern", f"port={port}"]
        command += ["--extern", "user=root", "--extern", "protocol=tcp", f"--vardir={folder}/var", f"--client-bindir={binaries}"]
        command += ["--force", "--retry=0", "--max-test-fail=0", "--nowarnings", "--nocheck-testcases"]
        command += ["--testcase-timeout=3", "--suite-timeout=60", *self.options]
        if not server.is_mysql:
            # From 11.4 on MariaDB's clients insist on TLS otherwise.
            command += ["--extern", "ssl=0"]
        # What tests call of the database that the runner makes in a server that it starts itself, and what is so before.
        server.sql(BEFORE.format(variables=variables(server)))
        zones = next(root.glob("usr/**/*_test_data_timezone.sql"))
        server.sql(zones.read_text(), "mysql")
        tests = runner.parent / ("t" if server.is_mysql else "main")
        names = self.names(server.name, tests, ci)
        environment = os.environ | {"PERL5LIB": f"{root}/usr/share/perl5"}
        log = folder / "mtr.log"
        with open(log, "wb") as out:
            subprocess.run([*command, *names], cwd=runner.parent, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        return outcomes(log.read_text(errors="replace"))


def variables(server):
    return f"{'performance' if server.is_mysql else 'information'}_schema.global_variables"


def client_folder(root, server, folder):
    """The suite's programs, mysqltest among them as a script that first cleans the server."""
    binaries = folder / "bin"
    binaries.mkdir()
    for place in ("usr/bin", "usr/sbin", "usr/lib/mysql-test/bin"):
        for program in (root / place).glob("*") if (root / place).exists() else []:
            if not (binaries / program.name).exists():
                (binaries / program.name).symlink_to(program)
    client = " ".join(str(word) for word in server.client())
    clean = CLEAN.format(client=client, data=server.data, folder=folder, variables=variables(server))
    for name in ("mysqltest", "mariadb-test"):
        if (binaries / name).exists():
            real = (binaries / name).resolve()
            (binaries / name).unlink()
            (binaries / name).write_text(f'{clean}exec timeout {TEST_SECONDS} {real} "$@"\n')
            (binaries / name).chmod(0o755)
    return binaries


# What a test may leave that ends early: databases, accounts, global variables, files (which keep DROP DATABASE from
# removing the folder).
CLEAN = """\
#!/bin/sh
{client} --skip-column-names --raw <<'SQL' | {client} --force 2>/dev/null
SELECT CONCAT('DROP DATABASE `', schema_name, '`;') FROM information_schema.schemata
    WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', 'mtr');
SELECT CONCAT('DROP ', IF(host = '', 'ROLE ', 'USER '), QUOTE(user), IF(host = '', '', CONCAT('@', QUOTE(host))), ';')
    FROM mysql.user WHERE CONCAT(user, '@', host) NOT IN (SELECT name FROM mtr.accounts);
SELECT CONCAT('SET GLOBAL ', old.name, ' = ', IF(old.value REGEXP '^-?[0-9.]+$', old.value, QUOTE(old.value)), ';')
    FROM mtr.variables old JOIN {variables} new ON new.variable_name = old.name
    WHERE BINARY old.value <> BINARY new.variable_value AND old.name NOT LIKE 'gtid%';
SQL
rm -rf {data}/test
find {folder}/var/tmp -maxdepth 1 -type f -delete
{client} -e 'CREATE DATABASE test' || exit 1
"""
BEFORE = """\
CREATE DATABASE mtr;
CREATE PROCEDURE mtr.add_suppression(pattern VARCHAR(255)) SET @ignored = pattern;
CREATE TABLE mtr.accounts AS SELECT CONCAT(user, '@', host) AS name FROM mysql.user;
CREATE TABLE mtr.variables AS SELECT variable_name AS name, variable_value AS value FROM {variables};
"""


def outcomes(log):
    """What became of each test, and why where it failed."""
    found = {}
    matches = list(RESULT.finditer(log))
    for match, following in zip(matches, [*matches[1:], None]):
        name, combination, result = match.groups()
        name = f"{name},{combination}" if combination else name
        text = log[match.end() : following.start() if following else None]
        kind = {"pass": "pass", "fail": "fail"}.get(result, "skip")
        found[name] = (kind, text.strip()[:20000] if kind == "fail" else "")
    return found


class ClientTest:
    """The C library's own tests of the protocol, one process each."""

    def __init__(self, servers, ci=()):
        self.servers, self.ci = servers, ci

    server_options = Suite.server_options

    def prepare(self, name):
        family, version = name.rsplit("-", 1)
        root = support.packages(f"{family}-test-{version}")
        return next(file for file in map(root.joinpath, CLIENT_TESTS) if file.exists())

    def run(self, program, server, port, folder, ci):
        server.sql("CREATE DATABASE test")
        command = [str(program), "--no-defaults", "--host=127.0.0.1", f"--port={port}", "--user=root"]
        command += ["--testcase", "--silent", f"--vardir={folder}/var"]
        shown = subprocess.run([*command, "--show-tests"], capture_output=True, text=True).stdout
        found = {}
        for name in re.findall(r"^\s*(\w+)\s*$", shown, re.M):
            # What a test leaves that failed would fail the next.
            server.sql("DROP DATABASE IF EXISTS client_test_db")
            try:
                done = subprocess.run(
                    [*command, name],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=TEST_SECONDS,
                )
                text = (done.stdout + done.stderr).decode(errors="replace")
                found[name] = ("fail" if done.returncode else "pass", text[-3000:])
            except subprocess.TimeoutExpired:
                found[name] = ("fail", f"no end after {TEST_SECONDS} s")
        return found


CLIENT_TESTS = ["usr/bin/mariadb-client-test", "usr/lib/mysql-test/bin/mysql_client_test"]
