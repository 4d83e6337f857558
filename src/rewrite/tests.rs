//! Plans over a small hand-made mapping; the differential cases hold what they mean on real servers.

use std::sync::Arc;

use super::{Facts, Plan, plan};
use crate::{
    rules::{
        AddedColumn, ColumnMapping, ColumnSource, Group, Kept, Lossiness, Mapping, PhysicalWrite, TableMapping,
        Template, TemplatePart,
    },
    schema::{Column, Schema, Table, TableKind},
    sql::{LexMode, ServerKind},
};

fn column(name: &str, column_type: &str, nullable: bool) -> Column {
    let data_type = column_type.split('(').next().unwrap_or(column_type).to_owned();
    let is_text = data_type == "varchar";
    Column {
        name: name.to_owned(),
        char_len: is_text.then_some(64),
        data_type,
        column_type: column_type.to_owned(),
        nullable,
        default: nullable.then(|| "NULL".to_owned()),
        extra: if name == "id" { "auto_increment".to_owned() } else { String::new() },
        charset: is_text.then(|| "utf8mb4".to_owned()),
        collation: is_text.then(|| "utf8mb4_general_ci".to_owned()),
        collation_is_default: true,
        precision: None,
        scale: None,
        datetime_precision: None,
        generated: None,
    }
}

fn schema(tables: Vec<(&str, Vec<Column>)>) -> Arc<Schema> {
    Arc::new(Schema {
        database: "shop".to_owned(),
        server: "10.11.18-MariaDB".to_owned(),
        charset: "utf8mb4".to_owned(),
        collation: "utf8mb4_general_ci".to_owned(),
        tables: tables
            .into_iter()
            .map(|(name, columns)| Table {
                name: name.to_owned(),
                kind: TableKind::BaseTable,
                create: String::new(),
                columns,
                keys: Vec::new(),
            })
            .collect(),
    })
}

fn template(parts: &[&str]) -> Template {
    Template {
        parts: parts
            .iter()
            .map(|part| match part.strip_prefix(':') {
                Some(name) => TemplatePart::Column(name.to_owned()),
                None => TemplatePart::Text((*part).to_owned()),
            })
            .collect(),
    }
}

fn mapping() -> Arc<Mapping> {
    let v1 = schema(vec![
        (
            "users",
            vec![column("id", "int", false), column("mail", "varchar(64)", false), column("full", "varchar(64)", true)],
        ),
        (
            "orders",
            vec![column("id", "int", false), column("user_id", "int", false), column("note", "varchar(64)", true)],
        ),
    ]);
    let v2 = schema(vec![
        (
            "people",
            vec![
                column("id", "int", false),
                column("email", "varchar(64)", false),
                column("first", "varchar(64)", true),
                column("full", "varchar(64)", true),
                column("points", "int", false),
            ],
        ),
        (
            "orders",
            vec![column("id", "int", false), column("user_id", "int", false), column("note", "varchar(64)", true)],
        ),
    ]);
    let direct = |name: &str, newer: &str| ColumnMapping {
        name: name.to_owned(),
        source: ColumnSource::Direct(newer.to_owned()),
    };
    let full = ColumnMapping {
        name: "full".to_owned(),
        source: ColumnSource::Computed { read: template(&["READ(", ":full", ",", ":first", ")"]), group: 0 },
    };
    let users = TableMapping {
        name: "users".to_owned(),
        physical: "people".to_owned(),
        columns: vec![direct("id", "id"), direct("mail", "email"), full],
        groups: vec![Group {
            columns: vec!["full".to_owned()],
            writes: vec![PhysicalWrite { column: "first".to_owned(), forward: template(&["F(", ":full", ")"]) }],
            kept: vec![Kept { column: "full".to_owned(), physical: "full".to_owned() }],
            lossiness: Lossiness::Keep,
            backward: vec![template(&["B(", ":first", ")"])],
        }],
        added: vec![AddedColumn { column: "points".to_owned(), value: Some(template(&["(0)"])) }],
        keys: Vec::new(),
    };
    Arc::new(Mapping {
        database: "shop".to_owned(),
        version: "v1".to_owned(),
        tables: vec![users],
        schema: v1,
        physical: v2,
    })
}

fn show(sql: &str) -> String {
    let facts = Facts {
        database: Some("shop".to_owned()),
        lex: LexMode::of_server(ServerKind::MariaDb, 101_118),
        strict: true,
        introduce: false,
        odd_mode: None,
        multi_statements: true,
    };
    match plan(sql.as_bytes(), &[mapping()], &facts) {
        Plan::Forward => "forward".to_owned(),
        Plan::Rewrite(rewrite) => format!("{} {:?}", String::from_utf8_lossy(&rewrite.text), rewrite.params),
        Plan::Answer(error) => format!("{} {}", error.number, error.message),
        Plan::Refuse(refusal) => format!("{} {}", refusal.code, refusal.reason),
    }
}

const DERIVED: &str = "(SELECT `id`, `email` AS `mail`, READ(`full`,`first`) AS `full` FROM `shop`.`people`";

#[test]
fn a_read_goes_over_a_derived_table() {
    assert_eq!(
        show("SELECT u.mail /* x */ FROM users u JOIN orders o ON o.user_id = u.id WHERE mail = ?"),
        format!("SELECT u.mail /* x */ FROM {DERIVED}) AS `u` JOIN orders o ON o.user_id = u.id WHERE mail = ? [0]")
    );
    assert_eq!(show("SELECT * FROM orders"), "forward");
    assert_eq!(show("SELECT * FROM people"), "1146 Table 'shop.people' doesn't exist");
}

#[test]
fn a_locking_clause_goes_inside() {
    assert_eq!(
        show("SELECT id FROM users FOR UPDATE"),
        format!("SELECT id FROM {DERIVED} FOR UPDATE) AS `users` FOR UPDATE []")
    );
    assert_eq!(
        show("SELECT users.id FROM users, orders FOR UPDATE OF users SKIP LOCKED"),
        format!("SELECT users.id FROM {DERIVED} FOR UPDATE SKIP LOCKED) AS `users`, orders  []")
    );
}

#[test]
fn an_insert_fills_the_newer_columns() {
    assert_eq!(
        show("INSERT INTO users (mail, full) VALUES (?, ?), ('b', DEFAULT)"),
        "INSERT INTO `people` (`email`, `full`, `first`, `points`) VALUES (?, ?, F(`full`), (0)), \
         ('b', NULL, F(`full`), (0)) [0, 1]"
    );
    assert_eq!(
        show("INSERT INTO users SET mail = 'x'"),
        "INSERT INTO `people` SET `email` = 'x', `full` = NULL, `first` = F(`full`), `points` = (0) []"
    );
}

#[test]
fn an_update_leaves_alone_what_did_not_change() {
    let same = "CAST(CONVERT(LEFT(CONVERT((?) USING utf8mb4), 64) USING utf8mb4) AS BINARY) <=> \
                CAST(CONVERT(READ(`users`.`full`,`users`.`first`) USING utf8mb4) AS BINARY)";
    assert_eq!(
        show("UPDATE users SET full = ? WHERE mail = 'm'"),
        format!(
            "UPDATE `people` AS `users` SET `users`.`full` = IF({same}, `users`.`full`, ?), `users`.`first` = \
             IF({same}, `users`.`first`, F(LEFT(CONVERT((?) USING utf8mb4), 64))) WHERE `email` = 'm' [0, 0, 0, 0]"
        )
    );
    assert_eq!(show("UPDATE users SET mail = 'x' WHERE points = 1"), "1054 Unknown column 'points' in 'WHERE'");
}

#[test]
fn a_delete_names_the_newer_table() {
    assert_eq!(
        show("DELETE FROM users WHERE users.mail = 'a' AND id IN (SELECT user_id FROM orders WHERE note = mail)"),
        "DELETE FROM `people` WHERE `people`.`email` = 'a' AND id IN \
         (SELECT user_id FROM orders WHERE note = `people`.`email`) []"
    );
    assert_eq!(
        show("DELETE u FROM users u JOIN orders o ON o.user_id = u.id WHERE u.mail = ''"),
        "DELETE u FROM `shop`.`people` u JOIN orders o ON o.user_id = u.id WHERE u.`email` = '' []"
    );
}

#[test]
fn a_name_that_is_an_operator_elsewhere_hides_no_table() {
    for sql in [
        "SELECT mail ILIKE FROM users",
        "SELECT mail OVERLAPS FROM users",
        "SELECT mail COLLATE FROM users",
        "SELECT 1 ILIKE FROM (SELECT mail FROM users) x",
        "SELECT mail % FROM users",
    ] {
        let shown = show(sql);
        assert!(shown.starts_with("R103"), "{sql}: {shown}");
    }
    for sql in [
        "SELECT LEFT(mail, 1), users.mail FROM users",
        "SELECT CAST(mail AS CHAR(3) CHARSET utf8mb4) COLLATE utf8mb4_bin FROM users",
        "SELECT mail CHARSET FROM users",
        "SELECT CHARSET.mail FROM users CHARSET",
        "SELECT 1 FROM tags CHARSET JOIN users",
    ] {
        let shown = show(sql);
        assert!(shown.contains("people"), "{sql}: {shown}");
    }
}

#[test]
fn what_is_not_mapped_is_refused_by_code() {
    for (sql, code) in [
        ("SHOW COLUMNS FROM users", "R101"),
        ("SHOW TABLES", "R101"),
        ("ALTER TABLE users ADD x INT", "R102"),
        ("SELECT * FROM users WHERE )", "R103"),
        ("SELECT 1; SELECT * FROM users", "R104"),
        ("PREPARE s FROM @v", "R105"),
        ("LOCK TABLES users WRITE", "R106"),
        ("SELECT * FROM users WHERE MATCH (mail) AGAINST ('x')", "R108"),
        ("REPLACE INTO users VALUES (1, 'x', 'y')", "R109"),
        ("UPDATE users JOIN orders USING (id) SET mail = 'x'", "R110"),
        ("SELECT * FROM Users", "R115"),
        ("WITH users AS (SELECT 1) SELECT * FROM users", "R116"),
    ] {
        let shown = show(sql);
        assert!(shown.starts_with(code), "{sql}: {shown}");
    }
}
