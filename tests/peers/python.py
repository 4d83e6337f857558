"""Suites of Python projects, run by pytest: PyMySQL's, mysqlclient's, SQLAlchemy's."""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import support

REQUIREMENTS = support.HERE / "requirements.txt"
MYSQLCLIENT = "mysqlclient==2.3.1"
SQLALCHEMY = "sqlalchemy==2.1.9"
SUITE_SECONDS = 1500
# SQLAlchemy adds the server's release to the names of classes.
DIALECT = re.compile(r"_(?:mariadb|mysql)\+[a-z]+_[\d_]+$")


@functools.cache
def interpreter():
    """A Python of its own, with pytest and what the suites need."""
    home = support.PEERS / "py"
    if not (home / "bin/pip").exists():
        support.quiet([sys.executable, "-m", "venv", str(home)])
    pip = [str(home / "bin/pip"), "--quiet", "--disable-pip-version-check"]
    support.quiet([*pip, "install", "-r", str(REQUIREMENTS)])
    return home / "bin/python"


@functools.cache
def mysqlclient_flags():
    root = support.packages("perl-dbd")
    folder = next(root.glob("usr/lib/*-linux-gnu*"))
    return os.environ | {
        "MYSQLCLIENT_CFLAGS": f"-I{root}/usr/include/mariadb",
        "MYSQLCLIENT_LDFLAGS": f"-L{folder} -lmariadb -Wl,-rpath,{folder}",
        "MARIADB_PLUGIN_DIR": f"{folder}/libmariadb3/plugin",
    }


@functools.cache
def sdist(requirement, environment=None):
    """A source distribution of the package registry, unpacked."""
    place = support.PEERS / "sources" / requirement.replace("==", "-")
    if not place.exists():
        with tempfile.TemporaryDirectory() as folder:
            command = [str(interpreter()), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            flags = mysqlclient_flags() if environment else os.environ
            support.quiet([*command, "--no-binary", ":all:", "--dest", folder, requirement], flags)
            support.unpack(next(pathlib.Path(folder).glob("*.tar.gz")), place)
    return next(place.iterdir())


class Suite:
    def __init__(self, servers, ci=()):
        self.servers, self.ci = servers, ci

    def server_options(self, _name, _folder):
        return ["--character-set-server=utf8mb4", "--local-infile=ON"]


class PyMySQL(Suite):
    """PyPI's archive has no tests, so they come from Debian's source package, with the PyMySQL of the same release."""

    def prepare(self, _server):
        interpreter()
        return support.source("trixie", "mariadb-test-11.8", "python-pymysql")

    def run(self, source, server, port, folder, ci):
        shutil.copytree(source, folder / "suite")
        script = (source / "ci/docker-entrypoint-initdb.d/init.sql").read_text()
        server.sql(script)
        for file in ("mysql.sql", "mariadb.sql"):
            script = (source / "ci/docker-entrypoint-initdb.d" / file).read_text()
            try:
                server.sql(script)
            except RuntimeError:
                pass  # an authentication plugin that this server lacks; the tests for it are skipped
        databases = json.loads((source / "ci/docker.json").read_text())[:2]
        databases = [login | {"port": port} for login in databases]
        (folder / "suite/pymysql/tests/databases.json").write_text(json.dumps(databases))
        return pytest(folder, folder / "suite", ["pymysql/tests"], {"PYTHONPATH": str(folder / "suite")})


class MysqlClient(Suite):
    def prepare(self, _server):
        flags = mysqlclient_flags()
        source = sdist(MYSQLCLIENT, "mysqlclient")
        pip = [str(interpreter()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # A cached wheel would look for the library where another checkout has it.
        support.quiet([*pip, "--no-cache-dir", "--no-binary", "mysqlclient", MYSQLCLIENT], flags)
        return source

    def run(self, source, server, port, folder, ci):
        shutil.copytree(source / "tests", folder / "suite")
        server.sql("CREATE DATABASE test; SET GLOBAL local_infile = 1")
        (folder / "suite/default.cnf").write_text(
            "[MySQLdb-tests]\n"
            f"host = 127.0.0.1\nport = {port}\nuser = root\ndatabase = test\ndefault-character-set = utf8mb4\nssl-mode=DISABLED\n"
        )
        return pytest(folder, folder / "suite", ["."], mysqlclient_flags() | {"TESTDB": str(folder / "suite/default.cnf")})


class SqlAlchemy(Suite):
    """The compliance suite that every dialect has to pass, and the tests of the MySQL dialect."""

    def __init__(self, driver, servers, ci=()):
        super().__init__(servers, ci)
        self.driver = driver

    def prepare(self, server):
        interpreter()
        if self.driver == "mysqldb":
            MysqlClient([]).prepare(server)
        return sdist(SQLALCHEMY)

    def run(self, source, server, port, folder, ci):
        for database in ("test", "test_schema", "test_schema_2"):
            server.sql(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        url = f"{'mysql' if server.is_mysql else 'mariadb'}+{self.driver}://root@127.0.0.1:{port}/test?charset=utf8mb4"
        tests = ["test/dialect/test_suite.py", "test/dialect/mysql"]
        options = ["-p", "no:cacheprovider", "--dburi", url, "--maxfail=100000", *(["-k", "not reflect"] if ci else [])]
        return pytest(folder, source, [*options, *tests[: 1 if ci else 2]], mysqlclient_flags())


def pytest(folder, place, arguments, environment):
    """Runs the tests, and reads what became of each."""
    report = folder / "junit.xml"
    command = [str(interpreter()), "-m", "pytest", "-q", "--tb=native", f"--junitxml={report}", *arguments]
    with open(folder / "pytest.log", "wb") as log:
        environment = os.environ | environment | {"PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(
            command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=SUITE_SECONDS
        )
    found = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{DIALECT.sub('', case.get('classname'))}::{case.get('name')}"
        trouble = [child for child in case if child.tag in ("failure", "error")]
        if trouble:
            found[name] = ("fail", "\n".join(child.get("message", "") + "\n" + (child.text or "") for child in trouble))
        elif name not in found:
            found[name] = ("skip" if case.find("skipped") is not None else "pass", "")
    return found
