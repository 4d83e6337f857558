"""What every driver does, as data: the same steps in the words of v1 and of v2.

A step is a dictionary. `sql` is run, with `args` as a prepared statement where the driver has such, and must give
`columns` and `rows` (numbers and text compare as text), or `affected` and `insert_id`, or the error `error` with
`says` in its text. `large` is a query whose rows are (id, mail, big): `count` rows, `big` being `length` times the
id's letter. `do` is begin, commit or rollback. An argument {"repeat": [text, n]} stands for a long one.
"""

USERS = 100
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MEGABYTE = 1 << 20
# More than a packet can hold, so that the value takes two.
WIDE = 20_000_000


def mail(user):
    return f"user{user:03}@example.com"


def full_name(user):
    return {3: "  two  blanks ", 4: "Single", 5: "Émil Ångström 🎉"}.get(user, f"First{user} Last{user}")


def first_name(name):
    return name.split(" ", 1)[0]


def last_name(name):
    return name.split(" ", 1)[1] if " " in name else ""


def fax(user):
    return None if user % 3 == 0 else f"+1 555 {user:04}"


def steps(version):
    return reads(version) + writes(version) + errors(version) + transactions(version) + large(version)


class Words:
    """A version's own names."""

    def __init__(self, version):
        self.v1 = version == "v1"
        self.table = "users" if self.v1 else "people"
        self.mail = "mail" if self.v1 else "email"
        self.names = ["full_name"] if self.v1 else ["first_name", "last_name"]

    def name(self, name):
        return [name] if self.v1 else [first_name(name), last_name(name)]

    def columns(self):
        return ["id", self.mail, *self.names]

    def select(self, where):
        return f"SELECT {', '.join(self.columns())} FROM {self.table} {where}"

    def row(self, user):
        return [user, mail(user), *self.name(full_name(user))]


def reads(version):
    words = Words(version)
    by_mail = words.select(f"WHERE {words.mail} = ?")
    every = {"sql": f"SELECT * FROM {words.table} WHERE id = 1"}
    if words.v1:
        every |= {"columns": ["id", "mail", "full_name", "fax", "bio"], "rows": [[*words.row(1), fax(1), None]]}
    else:
        every |= {"columns": ["id", "email", "first_name", "last_name", "bio"], "rows": [[*words.row(1), None]]}
    return [
        {"sql": "SELECT DATABASE()", "rows": [["shop"]]},
        {
            "sql": words.select("WHERE id <= 5 ORDER BY id"),
            "columns": words.columns(),
            "rows": [words.row(user) for user in range(1, 6)],
        },
        {"sql": by_mail, "args": [mail(5)], "columns": words.columns(), "rows": [words.row(5)]},
        {"sql": by_mail, "args": [mail(3)], "columns": words.columns(), "rows": [words.row(3)]},
        {"sql": by_mail, "args": ["nobody"], "columns": words.columns(), "rows": []},
        {"sql": f"SELECT COUNT(*) AS n, MAX({words.mail}) FROM {words.table}", "rows": [[USERS, mail(USERS)]]},
        every,
    ]


def writes(version):
    words = Words(version)
    columns = ", ".join([words.mail, *words.names])
    marks = ", ".join("?" * (1 + len(words.names)))
    sets = ", ".join(f"{name} = ?" for name in words.names)
    text = ", ".join(f"'{name}'" for name in words.name("By Text"))
    last = words.select(f"WHERE id > {USERS} ORDER BY id")
    return [
        {
            "sql": f"INSERT INTO {words.table} ({columns}) VALUES ('text@example.com', {text})",
            "affected": 1,
            "insert_id": USERS + 1,
        },
        {
            "sql": f"INSERT INTO {words.table} ({columns}) VALUES ({marks})",
            "args": ["prepared@example.com", *words.name("Zoë  Ünal 🎈")],
            "affected": 1,
            "insert_id": USERS + 2,
        },
        {
            "sql": last,
            "rows": [
                [USERS + 1, "text@example.com", *words.name("By Text")],
                [USERS + 2, "prepared@example.com", *words.name("Zoë  Ünal 🎈")],
            ],
        },
        {
            "sql": f"UPDATE {words.table} SET {sets} WHERE id > ?",
            "args": [*words.name("Both Changed"), USERS],
            "affected": 2,
        },
        {"sql": f"DELETE FROM {words.table} WHERE {words.mail} = 'text@example.com'", "affected": 1},
        {"sql": last, "rows": [[USERS + 2, "prepared@example.com", *words.name("Both Changed")]]},
    ]


def errors(version):
    words = Words(version)
    columns = ", ".join([words.mail, *words.names])
    values = ", ".join(f"'{value}'" for value in [mail(1), *words.name("A B")])
    other = "people" if words.v1 else "users"
    return [
        {"sql": f"INSERT INTO {words.table} ({columns}) VALUES ({values})", "error": 1062, "says": mail(1)},
        {"sql": f"SELECT nope FROM {words.table}", "error": 1054, "says": "nope"},
        {"sql": f"SELECT id FROM {other}", "error": 1146, "says": f"shop.{other}"},
        {"sql": "SELECT 1 +", "error": 1064, "says": ""},
        {"sql": "SELECT 'still here'", "rows": [["still here"]]},
    ]


def transactions(version):
    words = Words(version)
    sets = ", ".join(f"{name} = ?" for name in words.names)
    update = f"UPDATE {words.table} SET {sets} WHERE id = ?"
    count = {"sql": f"SELECT COUNT(*) FROM {words.table}"}
    eight = {"sql": words.select("WHERE id = 8")}
    return [
        {"do": "begin"},
        {"sql": update, "args": [*words.name("Committed  Name"), 8], "affected": 1},
        eight | {"rows": [[8, mail(8), *words.name("Committed  Name")]]},
        {"do": "commit"},
        eight | {"rows": [[8, mail(8), *words.name("Committed  Name")]]},
        {"do": "begin"},
        {"sql": update, "args": [*words.name("Never Seen"), 8], "affected": 1},
        {"sql": f"DELETE FROM {words.table} WHERE id BETWEEN 11 AND 20", "affected": 10},
        count | {"rows": [[USERS + 1 - 10]]},
        {"do": "rollback"},
        count | {"rows": [[USERS + 1]]},
        eight | {"rows": [[8, mail(8), *words.name("Committed  Name")]]},
    ]


def large(version):
    words = Words(version)
    letter = f"SUBSTRING('{LETTERS}', 1 + MOD(id, {len(LETTERS)}), 1)"

    def query(length, where):
        return f"SELECT id, {words.mail}, REPEAT({letter}, {length}) AS big FROM {words.table} WHERE {where} ORDER BY id"

    return [
        {"large": query(MEGABYTE, f"id <= {USERS}"), "count": USERS, "length": MEGABYTE},
        {"large": query(WIDE, "id = 1"), "count": 1, "length": WIDE},
        {"do": "begin"},
        {
            "sql": f"UPDATE {words.table} SET bio = ? WHERE {words.mail} = ?",
            "args": [{"repeat": ["xyz", WIDE // 3]}, mail(9)],
            "affected": 1,
        },
        {
            "sql": f"SELECT LENGTH(bio), bio = REPEAT('xyz', {WIDE // 3}) FROM {words.table} WHERE id = 9",
            "rows": [[WIDE // 3 * 3, 1]],
        },
        {"do": "rollback"},
    ]


def stored():
    """What the steps leave in the physical table, whichever version ran them: id, email, first and last name."""
    changed = {8: "Committed  Name", USERS + 2: "Both Changed"}
    mails = {USERS + 2: "prepared@example.com"}
    users = [*range(1, USERS + 1), USERS + 2]
    names = {user: changed.get(user, full_name(user)) for user in users}
    return [[str(u), mails.get(u, mail(u)), first_name(names[u]), last_name(names[u])] for u in users]


SCHEMA_V1 = """
CREATE TABLE users (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  mail VARCHAR(120) NOT NULL,
  full_name VARCHAR(120) NOT NULL,
  fax VARCHAR(40) NULL,
  bio LONGTEXT NULL,
  UNIQUE KEY mail (mail)
) CHARACTER SET utf8mb4;
"""

FIRST = "SUBSTRING_INDEX(full_name, ' ', 1)"
LAST = "SUBSTRING(full_name, CHAR_LENGTH(SUBSTRING_INDEX(full_name, ' ', 1)) + 2)"

MIGRATION = f"""
RENAME TABLE users TO people;
ALTER TABLE people RENAME COLUMN mail TO email;
ALTER TABLE people
  ADD COLUMN first_name VARCHAR(120) NOT NULL DEFAULT '' AFTER email,
  ADD COLUMN last_name VARCHAR(120) NOT NULL DEFAULT '' AFTER first_name,
  MODIFY full_name VARCHAR(120) NULL INVISIBLE, MODIFY fax VARCHAR(40) NULL INVISIBLE;
UPDATE people SET first_name = {FIRST}, last_name = {LAST};
"""

RULES = f"""
database: shop
versions:
  - name: v1
    schema: shop/v1.schema.json
  - name: v2
    schema: shop/v2.schema.json
    changes:
      - rename_table: {{from: users, to: people}}
      - rename_column: {{table: people, from: mail, to: email}}
      - split_column:
          table: people
          column: full_name
          into:
            first_name: "{FIRST}"
            last_name: "{LAST}"
          backward: "CONCAT_WS(' ', first_name, NULLIF(last_name, ''))"
          keep: true
      - drop_column: {{table: people, column: fax, keep: true}}
"""


def data():
    """The rows before each run, in the physical table."""
    rows = []
    for user in range(1, USERS + 1):
        name = full_name(user)
        values = [mail(user), first_name(name), last_name(name), name, fax(user)]
        rows.append(f"({user}, {', '.join('NULL' if v is None else repr(v) for v in values)})")
    return (
        "TRUNCATE TABLE people; INSERT INTO people (id, email, first_name, last_name, full_name, fax) VALUES "
        + ", ".join(rows)
        + ";"
    )
