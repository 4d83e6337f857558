"""The table of suites: on which servers each runs, and on which of them in CI's part."""

import mtr
import node
import perl
import python

BOTH = {"mariadb": "mtr-mariadb.list", "mysql": "mtr-mysql.list"}
ALL = ["mariadb-10.11", "mariadb-11.8", "mysql-9.7"]

SUITES = {
    "mtr": mtr.Suite(ALL, BOTH, ci=["mariadb-10.11", "mysql-9.7"]),
    "client-test": mtr.ClientTest(ALL, ci=ALL),
    "dbd-mariadb": perl.Suite("libdbd-mariadb-perl", "MariaDB", ALL, ci=["mariadb-11.8"]),
    "dbd-mysql": perl.Suite("libdbd-mysql-perl", "mysql", ALL),
    # mysql (mysqljs) cannot authenticate to MySQL 9.
    "mysqljs": node.Suite("mysql", ["mariadb-10.11", "mariadb-11.8"]),
    "mysql2": node.Suite("mysql2", ALL, ci=["mariadb-11.8", "mysql-9.7"]),
    "pymysql": python.PyMySQL(ALL, ci=["mariadb-10.11", "mysql-9.7"]),
    "mysqlclient": python.MysqlClient(ALL, ci=["mariadb-10.11", "mysql-9.7"]),
    "sqlalchemy": python.SqlAlchemy("pymysql", ALL),
}
