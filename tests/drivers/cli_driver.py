"""Runs a job through a command line client: cli_driver.py CLIENT JOB.

The client has no prepared statements of the protocol's, and no calls for transactions; arguments are written into the
text. Between the steps it prints marks, by which its output is told apart.
"""

import json
import subprocess
import sys
import tempfile

import check

MARK = "bifocal-step"


def main(client, path):
    with open(path, encoding="utf8") as file:
        job = json.load(file)
    with tempfile.TemporaryFile() as script, tempfile.TemporaryFile() as output:
        for number, step in enumerate(job["steps"]):
            script.write(f"{text(step)};\n{counts(step)}SELECT '{MARK} {number}';\n".encode())
        script.seek(0)
        subprocess.run(command(client, job["login"]), stdin=script, stdout=output, stderr=subprocess.STDOUT)
        output.seek(0)
        outputs = split(output)
        for number, step in enumerate(job["steps"]):
            hold(step, next(outputs, (None, []))[1])


def command(client, login):
    options = [f"--host={login['host']}", f"--port={login['port']}", f"--user={login['user']}"]
    options += [f"--password={login['password']}", "--default-character-set=utf8mb4", "--max-allowed-packet=64M"]
    options += ["--batch", "--force", "--unbuffered", "--quick", "--protocol=tcp"]
    if login.get("compress"):
        options += ["--compression-algorithms=zstd" if "mysql-" in client else "--compress"]
    if "mysql-" in client:
        options += ["--get-server-public-key"]
    else:
        # Where it may use TLS and none is offered, it sends MySQL its password as if there were TLS.
        options += ["--skip-ssl"]
    return [client, *options, login["database"]]


def text(step):
    if "do" in step:
        return {"begin": "START TRANSACTION"}.get(step["do"], step["do"].upper())
    sql = step.get("sql") or step["large"]
    for argument in step.get("args", []):
        value = check.value(argument)
        sql = sql.replace("?", f"'{value}'" if isinstance(value, str) else str(value), 1)
    return sql


def counts(step):
    return "SELECT ROW_COUNT(), LAST_INSERT_ID();\n" if "affected" in step else ""


def split(output):
    """The lines that each step printed; a mark prints itself twice, as the column's name and as the value."""
    lines, number, name = [], 0, None
    for line in output:
        line = line.rstrip(b"\n").decode()
        if line == f"{MARK} {number}":
            if name:
                yield number, lines
                lines, number, name = [], number + 1, None
            else:
                name = line
        elif not (number == 0 and "insecure" in line):
            lines.append(line)
    if lines:
        raise check.Wrong("the client ended: " + "\n".join(lines[-3:])[:500])


def hold(step, lines):
    failed = [line for line in lines if line.startswith("ERROR ")]
    if failed:
        return check.error(step, int(failed[0].split()[1]), failed[0])
    if "error" in step:
        raise check.Wrong(f"{step['sql']}: no error, but {lines[:3]}")
    rows = [[None if cell == "NULL" else cell for cell in line.split("\t")] for line in lines]
    if "affected" in step:
        affected, insert_id = rows[1]
        check.done(step, int(affected), int(insert_id))
    elif "do" not in step:
        # A result without rows prints nothing, not even names.
        if rows:
            check.columns(step, rows[0])
        check.rows(step, rows[1:])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except check.Wrong as wrong:
        sys.exit(str(wrong)[:2000])
