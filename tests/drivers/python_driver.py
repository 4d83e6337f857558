"""Runs a job through one of Python's drivers: python_driver.py DRIVER JOB."""

import json
import sys

import check


def pymysql(job):
    import pymysql as driver

    connection = driver.connect(**job["login"], charset="utf8mb4", autocommit=True)
    return driver, connection, lambda: connection.cursor(driver.cursors.SSCursor), lambda _: connection.cursor()


def mysqlclient(job):
    import MySQLdb as driver
    import MySQLdb.cursors

    connection = driver.connect(**job["login"], charset="utf8mb4", autocommit=True)
    streaming = lambda: connection.cursor(MySQLdb.cursors.SSCursor)
    return driver, connection, streaming, lambda _: connection.cursor()


def connector(job, pure):
    if not pure:
        # First, for it brings a newer OpenSSL than the system's, which Python's own ssl would load otherwise.
        import _mysql_connector  # noqa: F401
    import mysql.connector as driver

    options = {"charset": "utf8mb4", "autocommit": True, "use_pure": pure}
    connection = driver.connect(**job["login"], **options)
    prepared = {}

    def cursor(step):
        if "args" not in step:
            return connection.cursor()
        # One per text, so that the same statement is executed again.
        if step["sql"] not in prepared:
            prepared[step["sql"]] = connection.cursor(prepared=True)
        return prepared[step["sql"]]

    return driver, connection, connection.cursor, cursor


DRIVERS = {
    "pymysql": pymysql,
    "mysqlclient": mysqlclient,
    "connector-pure": lambda job: connector(job, True),
    "connector-c": lambda job: connector(job, False),
}


def main(name, path):
    with open(path, encoding="utf8") as file:
        job = json.load(file)
    driver, connection, streaming, cursor = DRIVERS[name](job)
    for step in job["steps"]:
        try:
            run(step, connection, streaming, cursor)
        except driver.Error as error:
            check.error(step, error.args[0], str(error))
        else:
            if "error" in step:
                raise check.Wrong(f"{step['sql']}: no error")
    connection.close()


def run(step, connection, streaming, cursor):
    if step.get("do") == "begin":
        begin = getattr(connection, "start_transaction", None) or connection.begin
        begin()
    elif "do" in step:
        getattr(connection, step["do"])()
    elif "large" in step:
        with streaming() as rows:
            rows.execute(step["large"])
            check.rows(step, rows)
    else:
        statement(step, cursor(step))


def statement(step, cursor):
    if "args" in step:
        cursor.execute(step["sql"].replace("?", "%s"), [check.value(argument) for argument in step["args"]])
    else:
        cursor.execute(step["sql"])
    if "rows" in step:
        check.columns(step, [column[0] for column in cursor.description])
        check.rows(step, cursor.fetchall())
    elif "affected" in step:
        check.done(step, cursor.rowcount, cursor.lastrowid)
    elif "error" in step and cursor.description:
        cursor.fetchall()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except check.Wrong as wrong:
        sys.exit(str(wrong)[:2000])
