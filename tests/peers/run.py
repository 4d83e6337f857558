"""Runs other projects' own test suites at a server and through Bifocal before the same server, and compares test by test.

Started by `make peers` (everything) and `make peers-ci` (a part that takes a few minutes). Each suite runs three times,
each time on a fresh private server: direct; through Bifocal as the physical version; through Bifocal as a version that
differs from the physical one in a table that no suite touches. A difference that explained.txt does not name is a
failure, and so is an explained one that is gone from a whole run. Options: --suite NAME, --server NAME and --way WAY
restrict; --ci; --keep FOLDER keeps the logs; --write adds what Bifocal refuses to explained.txt.
"""

import argparse
import concurrent.futures
import pathlib
import re
import signal
import sys
import tempfile
import time
import traceback

import support
from suites import SUITES

SERVERS = ["mariadb-10.11", "mariadb-11.8", "mysql-9.7"]
WAYS = ["direct", "physical", "versioned"]
EXPLAINED = support.HERE / "explained.txt"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    jobs, skipped = [], []
    for name, suite in SUITES.items():
        if options.suite and name not in options.suite or options.ci and not suite.ci:
            continue
        for server in suite.servers:
            if options.server and server not in options.server or options.ci and server not in suite.ci:
                continue
            try:
                if not (support.SERVERS / server / "ready").exists():
                    raise support.Skip(f"{support.SERVERS / server} is not there; scripts/servers.sh gets it")
                prepared = suite.prepare(server)
            except support.Skip as skip:
                skipped.append((name, server, str(skip)))
                continue
            jobs += [(name, server, way, prepared) for way in options.way or WAYS]
    with tempfile.TemporaryDirectory(prefix="bifocal-peers-") as folder:
        folder = pathlib.Path(options.keep or folder).resolve()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            results = dict(zip([job[:3] for job in jobs], pool.map(lambda job: run(*job, folder, options.ci), jobs)))
    sys.exit(report(results, skipped, options))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", action="append", choices=list(SUITES))
    parser.add_argument("--server", action="append", choices=SERVERS)
    parser.add_argument("--way", action="append", choices=WAYS)
    parser.add_argument("--ci", action="store_true")
    parser.add_argument("--keep")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def run(name, server_name, way, prepared, folder, ci):
    """The outcome of each test of a suite: its kind and, of a failure, the text."""
    suite = SUITES[name]
    folder = folder / f"{name}-{server_name}-{way}"
    folder.mkdir(parents=True)
    begin = time.monotonic()
    found, error = {}, ""
    try:
        with support.Server(server_name, folder, suite.server_options(server_name, folder)) as server:
            if way == "direct":
                found = suite.run(prepared, server, server.port, folder, ci)
            else:
                with support.Proxy(server, way) as proxy:
                    found = suite.run(prepared, server, proxy.port, folder, ci)
                    if proxy.process.poll() is not None:
                        error = f"bifocal ended with {proxy.process.returncode}"
    except Exception:  # one suite's trouble is one row of the table, not the end of the others
        error = traceback.format_exc()
    print(f"{name} {server_name} {way}: {counts(found)} in {time.monotonic() - begin:.0f} s {error}", flush=True)
    return found, error


def counts(found):
    kinds = [kind for kind, _ in found.values()]
    return "/".join(str(kinds.count(kind)) for kind in ("pass", "fail", "skip"))


def report(results, skipped, options):
    explained, rows, new = explanations(), [], []
    bad = 0
    for (name, server, way), (found, error) in results.items():
        if error or not found:
            bad += 1
            print(f"*** FAILED: {name} on {server}, {way}: no results: {error}")
        if way == "direct" or (name, server, "direct") not in results:
            continue
        direct = results[name, server, "direct"][0]
        differing, unexplained = differences(direct, found), 0
        for test in differing:
            text = found.get(test, ("", ""))[1]
            key = next((key for key in keys(name, server, way, test) if key in explained), None)
            fits = key and fits_reason(explained[key], text)
            unexplained += not fits
            refused = re.search(r"Bifocal (R\d+):", text)
            if refused and not key:
                new.append(f"{name} {server} {way} {test} : {refused.group(1)}")
            said = "explained" if fits else "*** DIFFERS"
            print(f"{said}: {name} on {server}, {way}: {test}: {kind(direct, test)} -> {kind(found, test)}")
            print(f"    {explained[key]}" if fits else (text or direct.get(test, ("", ""))[1])[-1500:] + "\n")
        gone = [key for key in explained if key[:3] == (name, server, way) and key[3] not in differing]
        for key in gone if not options.ci else []:
            unexplained += 1
            print(f"*** NO LONGER DIFFERS: {name} on {server}, {way}: {key[3]}; take it out of explained.txt")
        bad += unexplained
        rows.append((name, server, way, counts(direct), counts(found), len(differing), unexplained))
    if options.write:
        with open(EXPLAINED, "a") as file:
            file.writelines(f"{line}\n" for line in new)
    print_table(rows, skipped)
    print(f"{len(rows)} comparisons, {bad} failures")
    return 1 if bad or not rows else 0


def print_table(rows, skipped):
    print(f"\n{'suite':12} {'server':14} {'way':10} {'direct p/f/s':>14} {'through p/f/s':>14} {'differ':>7} {'unexplained':>12}")
    for row in rows:
        print(f"{row[0]:12} {row[1]:14} {row[2]:10} {row[3]:>14} {row[4]:>14} {row[5]:>7} {row[6]:>12}")
    for name, server, reason in skipped:
        print(f"*** SKIPPED: {name} on {server}: {reason}")


def fits_reason(reason, text):
    """A reason that begins with a refusal's code explains only a failure with that refusal."""
    code = re.match(r"R\d+", reason)
    return not code or f"Bifocal {code.group()}:" in text


def differences(direct, found):
    """The tests with another outcome; of a file that ends early, not each point that it does not reach."""
    differing = [test for test in direct | found if kind(direct, test) != kind(found, test)]
    short = {test for test in differing if " " not in test}
    return [test for test in differing if not (kind(found, test) == "absent" and test.split(" ")[0] in short)]


def kind(found, test):
    return found.get(test, ("absent", ""))[0]


def explanations():
    """(suite, server, way, test) -> reason; a part may be `*`."""
    explained = {}
    for line in EXPLAINED.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            where, reason = line.split(" : ", 1)
            explained[tuple(where.split(None, 3))] = reason
    return explained


def keys(name, server, way, test):
    for a in (name, "*"):
        for b in (server, "*"):
            for c in (way, "*"):
                yield a, b, c, test


if __name__ == "__main__":
    main()
