//! The command line as users and scripts meet it: exit codes, what goes to stdout and what to stderr, and `check`
//! and `snapshot` against live servers.

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::Output,
};

use anyhow::{Context, Result, ensure};

use support::{
    client::Client,
    migrated::{DATABASE, Migrated},
    proxy::{bifocal, output},
    server::Coverage,
    set::Set,
};

const GOOD: &str = "tests/rules/good";
const MANY: &str = "tests/rules/bad/many.yaml";
/// Mistakes on the command line or in the configuration.
const USAGE: i32 = 64;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn explain(version: &str, sql: &str) -> Result<Output> {
    output(&["explain", "--rules", GOOD, "--database", "shop", "--version", version, sql])
}

#[test]
fn explain_prints_the_rewritten_text_alone() -> Result<()> {
    let explained = explain("v2", "SELECT id, first_name FROM people /* kept */ WHERE id = 7")?;
    assert_eq!(explained.status.code(), Some(0));
    let text = stdout(&explained);
    assert!(text.starts_with("SELECT id, first_name FROM (SELECT "), "{text}");
    assert!(text.ends_with(" /* kept */ WHERE id = 7\n") && text.lines().count() == 1, "{text}");
    let reasons = stderr(&explained);
    assert!(reasons.starts_with("rewrite: for version v2\n"), "{reasons}");
    assert!(reasons.contains("column people.first_name stands in display_name (its own value is kept)"), "{reasons}");
    Ok(())
}

#[test]
fn explain_prints_what_is_forwarded_as_it_is() -> Result<()> {
    for (version, sql) in [("v1", "SELECT 1 -- why not"), ("v3", "SELECT email FROM people")] {
        let explained = explain(version, sql)?;
        assert_eq!(explained.status.code(), Some(0));
        assert_eq!(stdout(&explained), format!("{sql}\n"));
        assert!(stderr(&explained).starts_with("forward: "), "{}", stderr(&explained));
    }
    Ok(())
}

#[test]
fn explain_says_why_a_statement_is_refused() -> Result<()> {
    for (sql, reason) in [
        ("ALTER TABLE users ADD COLUMN age INT", "refuse: R102: "),
        ("SELECT 1; DELETE FROM users", "refuse: R104: "),
        ("SELECT * FROM people", "answer: ERROR 1146 (42S02): Table 'shop.people' doesn't exist"),
    ] {
        let explained = explain("v1", sql)?;
        assert_eq!(explained.status.code(), Some(2), "{sql}");
        assert_eq!(stdout(&explained), "", "{sql}");
        assert!(stderr(&explained).starts_with(reason), "{sql}: {}", stderr(&explained));
    }
    Ok(())
}

#[test]
fn explain_lists_what_there_is() -> Result<()> {
    let unknown = explain("v9", "SELECT 1")?;
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(stderr(&unknown), "error: shop has no version v9; it has: v1, v2, v3\n");
    let unknown = output(&["explain", "--rules", GOOD, "--database", "shoe", "--version", "v1", "SELECT 1"])?;
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(stderr(&unknown), "error: no rules for database shoe; there are rules for: shop, stock\n");
    let missing = output(&["explain", "--rules", "nowhere", "--database", "shop", "--version", "v1", "SELECT 1"])?;
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).starts_with("nowhere: "), "{}", stderr(&missing));
    for output in [unknown, missing] {
        assert_eq!(stdout(&output), "");
    }
    Ok(())
}

#[test]
fn check_sums_up_good_rules() -> Result<()> {
    let checked = output(&["check", "--rules", GOOD])?;
    assert_eq!((checked.status.code(), stderr(&checked).as_str()), (Some(0), ""));
    assert!(stdout(&checked).contains("shop v1: 3 tables mapped in 2 step(s)\n"), "{}", stdout(&checked));
    assert!(stdout(&checked).contains("shop v3: physical, 4 tables\n"), "{}", stdout(&checked));
    Ok(())
}

#[test]
fn check_tells_every_mistake_with_its_place() -> Result<()> {
    let checked = output(&["check", "--rules", MANY])?;
    assert_eq!((checked.status.code(), stdout(&checked).as_str()), (Some(1), ""));
    let told = stderr(&checked);
    let golden = fs::read_to_string("tests/rules/bad/many.txt")?;
    assert!(golden.lines().count() >= 10, "{golden}");
    for line in golden.lines() {
        ensure!(told.lines().any(|told| told == line), "not told: {line}\n{told}");
        let place = line.split(": ").next().context("no place")?;
        let mut place = place.rsplitn(3, ':');
        let is_number = |part: Option<&str>| part.is_some_and(|part| part.parse::<usize>().is_ok());
        ensure!(is_number(place.next()) && is_number(place.next()) && place.next() == Some(MANY), "no place: {line}");
    }
    assert!(told.trim_end().ends_with(&format!("{} mistakes", golden.lines().count())), "{told}");
    Ok(())
}

#[test]
fn wrong_flags_are_a_usage_error() -> Result<()> {
    let backend = ["serve", "--backend", "mysql://127.0.0.1:1"];
    for args in [
        vec!["frobnicate"],
        vec![],
        vec!["check", "--rulez", "rules"],
        vec!["explain", "--rules", GOOD, "SELECT 1"],
        vec!["snapshot"],
        vec!["check", "--rules", GOOD, "--database-url", "mysql://db/shop", "--database-url-file", "url"],
        vec!["serve"],
        [&backend[..], &["--listen", "somewhere"]].concat(),
        [&backend[..], &["--listen", "127.0.0.1:0=shop"]].concat(),
        [&backend[..], &["--listen", "127.0.0.1:0", "--max-connections", "many"]].concat(),
        [&backend[..], &["--listen", "127.0.0.1:0", "--drain-timeout", "-1"]].concat(),
        vec!["serve", "--backend", "db:3306", "--listen", "127.0.0.1:0"],
    ] {
        let wrong = output(&args)?;
        assert_eq!(wrong.status.code(), Some(USAGE), "{args:?}: {}", stderr(&wrong));
        assert_eq!(stdout(&wrong), "", "{args:?}");
        assert!(!stderr(&wrong).is_empty(), "{args:?}");
    }
    let mut many = vec!["serve", "--backend", "db", "--listen", "here", "--max-connections", "0"];
    many.extend(["--max-packet-size", "1", "--proxy-protocol-from", "10.0.0.0/40,here,::1"]);
    many.extend(["--backend-proxy-protocol", "v3"]);
    let wrong = output(&many)?;
    assert_eq!(stderr(&wrong).lines().count(), 7, "all at once: {}", stderr(&wrong));
    let asked = output(&["serve", "--help"])?;
    assert_eq!((asked.status.code(), stderr(&asked).as_str()), (Some(0), ""));
    assert!(stdout(&asked).contains("BIFOCAL_BACKEND"), "{}", stdout(&asked));
    Ok(())
}

/// `docs/serve.md` has a row for each option, as `--help` tells it, and no other row.
#[test]
fn every_option_of_serve_is_documented() -> Result<()> {
    let help = stdout(&output(&["serve", "--help"])?);
    let documented = fs::read_to_string("docs/serve.md")?;
    let told: Vec<String> = help.split("\n      --").skip(1).filter_map(row_of_option).collect();
    assert!(told.len() > 20, "{help}");
    let rows: Vec<&str> = documented.lines().filter(|line| line.starts_with("| `--")).collect();
    assert_eq!(rows, told, "docs/serve.md is not what --help says");
    Ok(())
}

/// An option of `--help` as a row of a table: option, environment, default, meaning.
fn row_of_option(option: &str) -> Option<String> {
    // The meaning stands behind two spaces, or on a line of its own.
    let (name, told) = option.split_once("  ")?;
    let name = name.trim();
    let (told, environment) = told.trim().split_once("=]")?.0.split_once(" [env: ")?;
    let (meaning, default) = match told.split_once(" [default: ") {
        Some((meaning, default)) => (meaning, default.trim_end_matches(']')),
        None => (told, ""),
    };
    let name = name.replace(['<', '>'], "");
    Some(format!("| `--{name}` | `{environment}` | {default} | {meaning} |"))
}

#[test]
fn serve_with_wrong_rules_serves_nobody() -> Result<()> {
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let listen = format!("127.0.0.1:{port}");
    let backend = ["serve", "--backend", "mysql://127.0.0.1:1", "--listen", &listen];
    for (rules, words) in [(MANY, "tests/rules/bad/many.yaml:12:30: error: "), ("nowhere", "nowhere: ")] {
        let served = output(&[&backend[..], &["--rules", rules]].concat())?;
        assert_eq!((served.status.code(), stdout(&served).as_str()), (Some(1), ""));
        assert!(stderr(&served).contains(words), "{}", stderr(&served));
        assert!(TcpStream::connect(&listen).is_err());
    }
    let listen = format!("{listen}=shop@v9");
    let served = output(&["serve", "--backend", "mysql://127.0.0.1:1", "--rules", GOOD, "--listen", &listen])?;
    assert_eq!((served.status.code(), stdout(&served).as_str()), (Some(1), ""));
    assert!(stderr(&served).contains("the rules know no shop@v9"), "{}", stderr(&served));
    Ok(())
}

#[tokio::test]
async fn snapshots_and_checks_against_live_servers() -> Result<()> {
    let coverage = Coverage::find(&[])?;
    ensure!(!coverage.covered.is_empty(), "no server is there");
    let set = Set::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/shop"))?;
    for kind in &coverage.covered {
        let folder = tempfile::Builder::new().prefix("bifocal-commands-").tempdir()?;
        let migrated = Migrated::make(kind, &set, folder.path()).await?;
        snapshot_round_trips(&migrated).context(kind.name)?;
        let mut root = Client::connect(&migrated.server.root(Some(DATABASE))).await?;
        drifts_are_told(&migrated, &mut root).await.context(kind.name)?;
    }
    Ok(())
}

fn snapshot_round_trips(migrated: &Migrated) -> Result<()> {
    let text = bifocal(&["snapshot", "--database-url", &migrated.url()])?;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    assert_eq!(json["database"], DATABASE);
    assert_eq!(json["tables"].as_array().map(Vec::len), Some(4));
    assert_eq!(text, fs::read_to_string(migrated.rules.join("snap/v2.json"))?, "it is the same each time");
    let url = migrated.rules.join("url");
    fs::write(&url, format!("{}\n", migrated.url()))?;
    ensure!(bifocal(&["snapshot", "--database-url-file", &url.display().to_string()])? == text, "the URL in a file");
    let missing = output(&["snapshot", "--database-url-file", "nowhere"])?;
    assert_eq!((missing.status.code(), stdout(&missing).as_str()), (Some(1), ""));
    assert!(stderr(&missing).contains("cannot read nowhere"), "{}", stderr(&missing));
    let nowhere = output(&["snapshot", "--database-url", "mysql://root@127.0.0.1:1/shop"])?;
    assert_eq!((nowhere.status.code(), stdout(&nowhere).as_str()), (Some(1), ""));
    assert!(stderr(&nowhere).contains("cannot connect"), "{}", stderr(&nowhere));
    Ok(())
}

/// What is done to the database, how it is undone, and what `check` must say meanwhile.
const DRIFTS: [(&str, &str, &[&str]); 7] = [
    (
        "ALTER TABLE orders DROP COLUMN note",
        "ALTER TABLE orders ADD COLUMN note VARCHAR(200) NULL AFTER changed_at",
        &["drift: column `orders.note` of v2 is not in the database"],
    ),
    (
        "ALTER TABLE orders MODIFY note TEXT NULL",
        "ALTER TABLE orders MODIFY note VARCHAR(200) NULL",
        &["drift: `orders.note` is ", ", the snapshot says "],
    ),
    (
        "ALTER TABLE people MODIFY fax VARCHAR(40) NULL",
        "ALTER TABLE people MODIFY fax VARCHAR(40) NULL INVISIBLE",
        &["drift: `people.fax` is visible, the snapshot says invisible"],
    ),
    (
        "ALTER TABLE orders ADD COLUMN region INT NOT NULL",
        "ALTER TABLE orders DROP COLUMN region",
        &[
            "drift: the database has a column `orders.region` that v2 does not know",
            "drift: `orders.region` is NOT NULL and has no default",
        ],
    ),
    (
        "ALTER TABLE orders MODIFY note VARCHAR(200) NOT NULL DEFAULT 'x'",
        "ALTER TABLE orders MODIFY note VARCHAR(200) NULL",
        &["drift: `orders.note` is NOT NULL", "drift: the default of `orders.note` is "],
    ),
    (
        "RENAME TABLE order_items TO order_lines",
        "RENAME TABLE order_lines TO order_items",
        &[
            "drift: table `order_items` of v2 is not in the database",
            "drift: the database has a table `order_lines` that v2 does not know",
        ],
    ),
    (
        "UPDATE orders SET status_id = 9 WHERE id = 1",
        "UPDATE orders SET status_id = 3 WHERE id = 1",
        &["data: `orders`: status said to be bijective"],
    ),
];

async fn drifts_are_told(migrated: &Migrated, root: &mut Client) -> Result<()> {
    let rules = migrated.rules.display().to_string();
    let args = ["check", "--rules", &rules, "--database-url", &migrated.url()];
    let clean = |when: &str| {
        let checked = output(&args)?;
        ensure!((checked.status.code(), stderr(&checked).as_str()) == (Some(0), ""), "{when}: {}", stderr(&checked));
        Ok(())
    };
    clean("at first")?;
    root.run("SET foreign_key_checks = 0, sql_mode = ''").await?;
    // A row that an older NOT NULL would not take is of no matter here.
    root.run("UPDATE orders SET note = 'note'").await?;
    for (change, undo, words) in DRIFTS {
        root.run(change).await?;
        let checked = output(&args)?;
        let told = stderr(&checked);
        ensure!(checked.status.code() == Some(1) && stdout(&checked).is_empty(), "{change}: {checked:?}");
        for word in words {
            ensure!(told.contains(word), "{change}: not told: {word}\n{told}");
        }
        root.run(undo).await?;
        clean(undo)?;
    }
    Ok(())
}
