"""The table of suites: on which servers each runs, and on which of them in CI's part."""

import mtr
import node
import perl
import python

ALL = ["mariadb-10.11", "mariadb-11.8", "mysql-9.7"]

SUITES = {
    "mtr": mtr.Suite(ALL, ci=["mariadb-10.11", "mysql-9.7"]),
    "mtr-ps": mtr.Suite(["mariadb-11.8", "mysql-9.7"], ["--ps-protocol"], every=4),
    "mtr-cursor": mtr.Suite(["mariadb-11.8", "mysql-9.7"], ["--cursor-protocol"], every=4),
    "client-test": mtr.ClientTest(ALL, ci=["mariadb-10.11"]),
    "dbd-mariadb": perl.Suite("libdbd-mariadb-perl", "MariaDB", ALL),
    "dbd-mysql": perl.Suite("libdbd-mysql-perl", "mysql", ALL),
    # mysql (mysqljs) cannot authenticate to MySQL 9.
    "mysqljs": node.Suite("mysql", ["mariadb-10.11", "mariadb-11.8"]),
    "mysql2": node.Suite("mysql2", ALL, ci=["mariadb-11.8", "mysql-9.7"]),
    "pymysql": python.PyMySQL(ALL, ci=["mariadb-10.11", "mysql-9.7"]),
    "mysqlclient": python.MysqlClient(ALL, ci=["mariadb-10.11", "mysql-9.7"]),
    "sqlalchemy": python.SqlAlchemy("pymysql", ["mariadb-10.11", "mysql-9.7"]),
}
