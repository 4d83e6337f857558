"""The suites of the Perl drivers: Debian's packages of the drivers, with the tests of their source packages."""

import functools
import os
import re
import shutil
import subprocess

import support

# A test that hangs is a failure; the slowest takes half a minute.
TEST_SECONDS = 120
POINT = re.compile(r"^(not )?ok (\d+)(.*)$", re.M)


class Suite:
    def __init__(self, package, driver, servers, ci=()):
        self.package, self.driver, self.servers, self.ci = package, driver, servers, ci

    def server_options(self, _name, _folder):
        return ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci", "--local-infile=ON"]

    def prepare(self, _server):
        environment = driver_environment()
        support.quiet(["perl", f"-MDBD::{self.driver}", "-e1"], environment)
        return support.source("bookworm", "perl-dbd", self.package), environment

    def run(self, prepared, server, port, folder, ci):
        source, environment = prepared
        server.sql("CREATE DATABASE test")
        shutil.copytree(source / "t", folder / "t")
        login = {
            "DBI_DSN": f"DBI:{self.driver}:database=test;host=127.0.0.1;port={port}",
            "DBI_USER": "root",
            "DBI_PASS": "",
        }
        # The older suite reads its login from a file.
        lines = [f"${name} = '{login[key]}';" for name, key in MTEST.items()]
        (folder / f"t/{self.driver}.mtest").write_text("\n".join([*lines, "$::test_db = 'test';", "1;\n"]))
        found = {}
        for file in sorted((folder / "t").glob("*.t")):
            if file.name not in NOT_ABOUT_THE_WIRE:
                found |= run_file(file, folder, environment | login)
        return found


MTEST = {"::test_dsn": "DBI_DSN", "::test_user": "DBI_USER", "::test_password": "DBI_PASS"}
# They look at the archive's own files.
NOT_ABOUT_THE_WIRE = ["manifest.t", "pod.t", "12embedded.t"]


def run_file(file, folder, environment):
    try:
        done = subprocess.run(
            ["perl", f"t/{file.name}"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {file.name: ("fail", f"no end after {TEST_SECONDS} s")}
    output, errors = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    with open(folder / "perl.log", "a") as log:
        log.write(f"=== {file.name}: exit {done.returncode}\n{output}{errors}")
    skipped = re.search(r"^1\.\.0", output, re.M)
    found = {file.name: ("skip" if skipped else "fail" if done.returncode else "pass", errors[-3000:])}
    for match in POINT.finditer(output):
        failed, number, rest = match.groups()
        unsaid = re.search(r"# (skip|todo)", rest, re.I)
        found[f"{file.name} {number}"] = ("skip" if unsaid else "fail" if failed else "pass", rest + "\n" + errors[-3000:])
    return found


@functools.cache
def driver_environment():
    """Where the system's perl finds the drivers, and these their library, but none of the other unpacked libraries."""
    if not shutil.which("perl"):
        raise support.Skip("this machine has no perl")
    root = support.packages("perl-dbd")
    folder = next(root.glob("usr/lib/*-linux-gnu*"))
    links = support.PEERS / "perl-dbd/links"
    links.mkdir(exist_ok=True)
    for library in folder.glob("libmariadb.so*"):
        (links / library.name).unlink(missing_ok=True)
        (links / library.name).symlink_to(library)
    modules = [str(place) for place in (*folder.glob("perl5/*"), root / "usr/share/perl5")]
    return os.environ | {
        "PERL5LIB": ":".join(modules),
        "LD_LIBRARY_PATH": str(links),
        "MARIADB_PLUGIN_DIR": f"{folder}/libmariadb3/plugin",
    }
