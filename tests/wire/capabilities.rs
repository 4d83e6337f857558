//! What client and server agree on in the connection phase.

use bifocal::wire::Capabilities;

use super::{
    script::{Script, Step, both_eofs, execute, of_statement, one, prepare, queries, query, script},
    support::server::Family,
};

const QUERY_ATTRIBUTES: u64 = Capabilities::QUERY_ATTRIBUTES.0;
const OPTIONAL: u64 = Capabilities::OPTIONAL_RESULTSET_METADATA.0;
const EXTENDED: u64 = Capabilities::EXTENDED_METADATA.0;
const CACHE: u64 = Capabilities::CACHE_METADATA.0;
const BULK: u64 = Capabilities::STMT_BULK_OPERATIONS.0;
const FOUND_ROWS: u64 = 1 << 1;
const LOCAL_FILES: u64 = 1 << 7;
const INTERACTIVE: u64 = 1 << 10;
const MULTI_STATEMENTS: u64 = 1 << 16;
const MULTI_RESULTS: u64 = 1 << 17;

/// The scripts about lines 9 to 12 and 20.
pub fn scripts() -> Vec<Script> {
    let mut scripts = vec![
        eofs(),
        session_track(),
        found_rows(),
        multi_statements(),
        compound_statement(),
        local_files(),
        interactive(),
    ];
    scripts.extend([query_attributes(), executes_with_attributes(), malformed_attributes()]);
    scripts.extend([optional_metadata(), cached_metadata(), extended_metadata(), progress()]);
    scripts.extend([bulk_of_unchanged(), bulk_of_rewritten(), bulk_units(), bulk_errors(), bulk_without_capability()]);
    scripts
}

const SELECT_USERS: &str = "SELECT id, mail, full_name, tier, born, credit FROM users WHERE id < 4 ORDER BY id";

fn eofs() -> Script {
    let mut steps = queries([SELECT_USERS, "SELECT mail FROM users WHERE id = 0", "SELECT nothing FROM users", "DO 1"]);
    steps.extend([one(prepare(SELECT_USERS)), one(execute(1, 0, b"")), one(execute(1, 0, b""))]);
    script("l9_deprecate_eof_is_the_same_on_both_legs", steps)
}

fn with_attributes(text: &str) -> Vec<u8> {
    [b"\x03\x02\x01\x02\x01\xfe\0\x02n1\x03\0\x02n2\x05value", text.as_bytes()].concat()
}

fn plain(text: &str) -> Vec<u8> {
    [b"\x03\0\x01", text.as_bytes()].concat()
}

const READ_ATTRIBUTE: &str = "SELECT mysql_query_attribute_string('n1') a, mysql_query_attribute_string('n2') b";

fn query_attributes() -> Script {
    let read = |rest: &str| format!("{READ_ATTRIBUTE}{rest}");
    let and_warnings =
        |command: Vec<u8>, with: fn(&str) -> Vec<u8>| Step::Commands(vec![command, with("SHOW WARNINGS")]);
    let steps = vec![
        one(with_attributes(READ_ATTRIBUTE)),
        one(with_attributes(&read(", mail FROM users WHERE id = 1"))),
        one(plain(&read(", mail FROM users WHERE id = 1"))),
        one(plain("SET sql_mode = 'ANSI_QUOTES'")),
        one(with_attributes(&read(", \"mail\" FROM users WHERE id = 1"))),
        and_warnings(plain("SELECT nothing FROM users"), with_attributes),
        and_warnings(plain("UPDATE users SET mail = NULL WHERE id = 2"), plain),
        and_warnings(
            with_attributes("INSERT INTO users (mail, full_name) VALUES ('ann@example.com', 'x')"),
            with_attributes,
        ),
    ];
    let script = script("l10_query_attributes_stand_before_the_text", steps).on(Family::MySql);
    script.with(both_eofs(QUERY_ATTRIBUTES))
}

fn executes_with_attributes() -> Script {
    let select = format!("{READ_ATTRIBUTE}, mail FROM users WHERE id = ? AND mail LIKE ?");
    let insert = "INSERT INTO users (mail, full_name) VALUES (?, ?)";
    let two = b"\x0c\0\x01\x03\0\0\xfe\0\0";
    let steps = vec![
        one(prepare(&select)),
        one(execute(1, 8, b"\x03\0\x01\x03\0\0\xfe\0\0\xfe\0\x02n1\x01\0\0\0\x01%\x02v1")),
        one(execute(1, 8, &[b"\x02\0\x01", &two[3..], b"\x01\0\0\0\x01%"].concat())),
        one(execute(1, 8, b"\x02\0\0\x02\0\0\0\x01%")),
        // Attributes must be bound each time.
        one(execute(1, 8, b"\x03\0\0\x02\0\0\0\x01%\x02v2")),
        one(execute(1, 0, b"\0\x01\x03\0\xfe\0\x01\0\0\0\x01%")),
        one(prepare(insert)),
        one(execute(2, 8, b"\x03\0\x01\xfe\0\0\xfe\0\0\xfe\0\x02n1\x04a@qa\x0bQuery Attri\x02v1")),
        one(execute(2, 8, b"\x02\0\x01\xfe\0\0\xfe\0\0\x04b@qa\x0bQuery Other")),
        one(execute(2, 8, b"\x02\0\0\x04c@qa\x0bQuery Third")),
        // Without the flag the number stands there too.
        one(execute(1, 0, &[b"\x02\0\x01", &two[3..], b"\x01\0\0\0\x01%"].concat())),
        one(execute(1, 0, b"\x02\0\0\x02\0\0\0\x01%")),
        one(execute(2, 0, b"\x02\0\x01\xfe\0\0\xfe\0\0\x04d@qa\x0bQuery Again")),
        one(execute(2, 0, b"\x02\0\0\x04e@qa\x0bQuery Still")),
        one(execute(2, 0, b"\x03\0\x01\xfe\0\0\xfe\0\0\xfe\0\x02n1\x04f@qa\x0bQuery Attri\x02v1")),
        one(prepare(&format!("{READ_ATTRIBUTE} FROM users WHERE id = 1"))),
        one(execute(3, 8, b"\x01\0\x01\xfe\0\x02n2\x02v9")),
        one(execute(3, 8, b"\x00")),
        one(execute(3, 0, b"")),
        one(prepare(READ_ATTRIBUTE)),
        one(execute(4, 8, b"\x01\0\x01\xfe\0\x02n2\x02v9")),
        one(b"\x03\0\x01SELECT mail, full_name FROM users WHERE mail LIKE '%@qa' ORDER BY mail"),
        one(b"\x03\0\x01DELETE FROM users WHERE mail LIKE '%@qa'"),
    ];
    let script = script("l10_query_attributes_follow_the_parameters", steps).on(Family::MySql);
    script.with(both_eofs(QUERY_ATTRIBUTES))
}

fn malformed_attributes() -> Script {
    let wrong: [&[u8]; 5] =
        [b"\x03", b"\x03\x01", b"\x03\0\x02SELECT 1", b"\x03\0\0SELECT 1", b"\x03\x01\x01\0\0\x02v1SELECT 1"];
    let steps = wrong.into_iter().map(one).collect();
    script("l10_malformed_query_attributes_are_an_error", steps).on(Family::MySql).with(both_eofs(QUERY_ATTRIBUTES))
}

fn optional_metadata() -> Script {
    let mut steps = queries([SELECT_USERS, "SET resultset_metadata = NONE", SELECT_USERS, "SELECT id FROM products"]);
    steps.extend(prepared_and_fetched());
    steps.extend(queries(["SELECT 1 FROM users WHERE id = 0", "SHOW WARNINGS", "SELECT nothing FROM users"]));
    steps.extend([one(b"\x04products\0"), one(query("SET resultset_metadata = FULL")), one(query(SELECT_USERS))]);
    steps.extend([one(prepare(SELECT_USERS)), one(execute(5, 0, b""))]);
    script("l10_optional_metadata_is_a_byte_after_the_count", steps).on(Family::MySql).with(both_eofs(OPTIONAL))
}

/// Statements with one, two and no parameters, forwarded and rewritten, executed twice and by cursor.
fn prepared_and_fetched() -> Vec<Step> {
    let by_id = "SELECT mail, full_name, id FROM users WHERE id = ?";
    let mut steps = vec![one(prepare(by_id)), one(prepare("INSERT INTO users (mail, full_name) VALUES (?, ?)"))];
    steps.extend([
        one(prepare("SELECT sku FROM products WHERE id = ?")),
        one(prepare("SELECT mail FROM users ORDER BY id")),
    ]);
    for id in [1, 3] {
        let value: &[u8] = b"\0\x01\x03\0\x01\0\0\0";
        steps.extend([one(execute(id, 0, value)), one(execute(id, 0, value))]);
        steps.push(one(execute(id, 0, b"\0\x01\xfe\0\x012")));
        steps.extend([one(execute(id, 1, value)), one(of_statement(0x1C, id, &5_u32.to_le_bytes()))]);
        steps.extend([one(execute(id, 1, value)), one(of_statement(0x1A, id, b""))]);
    }
    steps.extend([one(execute(4, 1, b"")), one(of_statement(0x1C, 4, &1_u32.to_le_bytes()))]);
    steps.push(one(of_statement(0x1C, 4, &500_u32.to_le_bytes())));
    steps.push(one(of_statement(0x1C, 4, &1_u32.to_le_bytes())));
    steps
}

fn cached_metadata() -> Script {
    let mut steps = prepared_and_fetched();
    steps.extend(queries([SELECT_USERS, SELECT_USERS]));
    let script = script("l10_cached_metadata_is_a_byte_after_the_count", steps).on(Family::MariaDb);
    script.with([both_eofs(CACHE), both_eofs(CACHE | EXTENDED)].concat())
}

fn extended_metadata() -> Script {
    let mut steps = queries(["SELECT JSON_OBJECT('a', mail) j, POINT(1, 2) p, mail FROM users WHERE id = 1"]);
    steps.extend(queries([SELECT_USERS, "SELECT * FROM products WHERE id = 1"]));
    steps.push(one(b"\x04products\0"));
    steps.push(one(prepare("INSERT INTO users (mail, full_name, bio) VALUES (?, ?, ?)")));
    steps.push(one(prepare("SELECT mail FROM users WHERE full_name = ? AND id > ?")));
    let script = script("l10_extended_metadata_adds_a_string", steps).on(Family::MariaDb);
    script.with(both_eofs(EXTENDED))
}

fn progress() -> Script {
    let steps = queries([
        "CREATE TEMPORARY TABLE unused (a INT)",
        "SET progress_report_time = 1",
        "CREATE TABLE big (a INT, b VARCHAR(100)) AS SELECT seq AS a, REPEAT('x', 100) AS b FROM seq_1_to_300000",
        "ALTER TABLE big ADD KEY (b), ALGORITHM=COPY",
        "DROP TABLE big",
    ]);
    let reports = Capabilities::PROGRESS.0;
    let script = script("l15_a_progress_report_ends_nothing", steps).on(Family::MariaDb).with(both_eofs(reports));
    script.physical().ignoring(|packets| {
        let count = packets.len();
        packets.retain(|(_, payload)| !payload.starts_with(b"\xff\xff\xff"));
        if count > packets.len() {
            for (seq, _) in packets {
                *seq = 0;
            }
        }
    })
}

fn session_track() -> Script {
    let steps = queries([
        "SET NAMES latin1",
        "SET autocommit = 0",
        "SELECT mail FROM users WHERE id = 1",
        "UPDATE users SET born = born WHERE id = 1",
        "ROLLBACK",
        "SET SESSION sql_mode = 'ANSI_QUOTES'",
        "SET SESSION session_track_system_variables = '*'",
        "SET SESSION sql_mode = ''",
        "SET @a = 1",
        "USE mysql",
    ]);
    let script = script("l11_session_tracking_is_what_the_client_asked_for", steps).ignoring(|packets| {
        // MySQL numbers the statements of all sessions together.
        const NAME: &[u8] = b"statement_id";
        for (_, payload) in packets {
            if let Some(at) = payload.windows(NAME.len()).position(|part| part == NAME) {
                payload[at + NAME.len()..].fill(0);
            }
        }
    });
    script.with([both_eofs(0), both_eofs(Capabilities::SESSION_TRACK.0)].concat())
}

fn found_rows() -> Script {
    let steps = queries([
        "UPDATE products SET stock = stock WHERE id < 3",
        "UPDATE users SET mail = mail WHERE id < 3",
        "UPDATE users SET tier = tier WHERE full_name LIKE 'A%'",
        "SELECT ROW_COUNT()",
    ]);
    script("l12_found_rows_follow_the_client", steps).with(vec![0, FOUND_ROWS])
}

fn multi_statements() -> Script {
    let mut steps = queries(["SELECT 1; SELECT 2", "SELECT id FROM products LIMIT 1; DO 1; SELECT nothing; SELECT 3"]);
    steps.extend([one(b"\x1b\0\0"), one(query("SELECT 1; SELECT 2")), one(b"\x1b\x01\0")]);
    steps.push(one(query("SELECT 1; SELECT 2")));
    script("l12_multi_statements_follow_the_client", steps).with(vec![
        0,
        MULTI_STATEMENTS,
        MULTI_STATEMENTS | MULTI_RESULTS,
    ])
}

/// Without the capability a text is one statement, so the SET in it belongs to its body.
fn compound_statement() -> Script {
    let steps = queries([
        "DROP PROCEDURE IF EXISTS l12",
        "CREATE PROCEDURE l12(OUT n INT) BEGIN SET n = 1; SELECT n; SET n = 2; END",
        "CALL l12(@n)",
        "SELECT @n",
        "DROP PROCEDURE l12",
    ]);
    script("l12_one_statement_may_have_a_body", steps).with(vec![MULTI_RESULTS])
}

fn local_files() -> Script {
    let load = "LOAD DATA LOCAL INFILE 'x' INTO TABLE products FIELDS TERMINATED BY ',' (sku, title)";
    let steps = vec![
        Step::File(query(load), vec![b"l12,Title\n".to_vec()]),
        one(query("DELETE FROM products WHERE sku = 'l12'")),
    ];
    script("l12_local_files_follow_the_client", steps).with(vec![0, LOCAL_FILES])
}

fn interactive() -> Script {
    let steps = queries(["SELECT @@wait_timeout = @@interactive_timeout, @@wait_timeout"]);
    script("l12_interactive_follows_the_client", steps).with(vec![0, INTERACTIVE])
}

/// A bulk execute; `rest` is what follows the flags.
fn bulk(statement: u32, flags: u16, rest: &[u8]) -> Vec<u8> {
    of_statement(0xFA, statement, &[&flags.to_le_bytes(), rest].concat())
}

fn bulk_of_unchanged() -> Script {
    let steps = vec![
        one(prepare("INSERT INTO products (sku, title, stock) VALUES (?, ?, ?)")),
        one(bulk(1, 128, b"\xfd\0\xfd\0\x03\0\0\x02b1\0\x01x\0\x07\0\0\0\0\x02b2\0\x01y\x02\0\x02b3\0\x01z\x03")),
        one(bulk(1, 0, b"\0\x02b4\0\x01x\0\x07\0\0\0")),
        one(bulk(u32::MAX, 0, b"\0\x02b5\0\x01x\0\x07\0\0\0")),
        one(query("SELECT sku, title, stock FROM products WHERE sku LIKE 'b_' ORDER BY sku")),
        one(prepare("UPDATE products SET title = ?, stock = ? WHERE sku = ?")),
        one(bulk(2, 128, b"\xfd\0\x03\0\xfd\0\x03\0\x05\0\0\0\0\x02b1\0\x01u\x03\0\x02b2")),
        one(query("SELECT sku, title, stock FROM products WHERE sku LIKE 'b_' ORDER BY sku")),
        one(prepare("DELETE FROM products WHERE sku = ?")),
        one(bulk(3, 128, b"\xfd\0\0\x02b1\0\x02b2\0\x02b3\0\x02b4\0\x02b5")),
    ];
    script("l20_bulk_execute_of_an_unchanged_table", steps).on(Family::MariaDb).with(both_eofs(BULK | CACHE))
}

fn bulk_of_rewritten() -> Script {
    let select = "SELECT mail, full_name, fax, tier, bio FROM users WHERE mail LIKE '%@bulk' ORDER BY mail";
    let steps = vec![
        one(prepare("INSERT INTO users (full_name, mail, fax) VALUES (?, ?, ?)")),
        one(bulk(1, 128, b"\xfd\0\xfd\0\xfd\0\0\x03A B\0\x06a@bulk\0\x011\0\x05C D E\0\x06b@bulk\x01")),
        one(bulk(1, 0, b"\0\x02  \0\x06c@bulk\0\x02no")),
        one(execute(1, 0, b"\0\0\x03X Y\x06d@bulk\x02no")),
        one(query(select)),
        one(prepare("UPDATE users SET bio = ?, full_name = ? WHERE mail = ?")),
        one(bulk(2, 128, b"\xfd\0\xfd\0\xfd\0\x01\0\x03N M\0\x06a@bulk\0\x01b\0\x03O P\0\x06b@bulk")),
        one(query(select)),
        one(prepare("INSERT INTO orders (user_id, status, total) VALUES (?, ?, ?)")),
        one(bulk(3, 128, b"\x03\0\xfd\0\x03\0\0\x01\0\0\0\0\x04paid\0\x09\x03\0\0\0\x01\0\0\0\0\x03new\0\x0a\x03\0\0")),
        one(query("SELECT user_id, status, total FROM orders WHERE total IN (777, 778) ORDER BY total")),
        one(query("DELETE FROM orders WHERE total IN (777, 778)")),
        one(prepare("DELETE FROM users WHERE mail = ?")),
        one(bulk(4, 128, b"\xfd\0\0\x06a@bulk\0\x06b@bulk\0\x06c@bulk\0\x06d@bulk")),
    ];
    script("l20_bulk_execute_of_a_changed_table", steps).on(Family::MariaDb).with(both_eofs(BULK | CACHE | EXTENDED))
}

fn bulk_units() -> Script {
    let steps = vec![
        one(prepare("INSERT INTO users (full_name, mail) VALUES (?, ?)")),
        one(bulk(1, 192, b"\xfd\0\xfd\0\0\x03A B\0\x06a@unit\0\x03C D\0\x06b@unit")),
        one(prepare("INSERT INTO products (sku, title) VALUES (?, ?) RETURNING sku")),
        one(bulk(2, 192, b"\xfd\0\xfd\0\0\x02u1\0\x01x\0\x02u2\0\x01y")),
        one(prepare("UPDATE users SET full_name = ? WHERE mail = ?")),
        one(bulk(3, 192, b"\xfd\0\xfd\0\0\x03N M\0\x06a@unit\0\x03O P\0\x07no@unit")),
        one(query("DELETE FROM users WHERE mail LIKE '%@unit'")),
        one(query("DELETE FROM products WHERE sku LIKE 'u_'")),
    ];
    let flags = BULK | Capabilities::BULK_UNIT_RESULTS.0;
    script("l20_bulk_execute_tells_of_each_row", steps).on(Family::MariaDb).since(11).with(both_eofs(flags))
}

fn bulk_errors() -> Script {
    let steps = vec![
        one(prepare("INSERT INTO users (mail, full_name) VALUES (?, ?)")),
        // No types yet, no rows, an unknown indicator, a duplicate.
        one(bulk(1, 0, b"\0\x01a\0\x01b")),
        one(bulk(1, 128, b"\xfd\0\xfd\0")),
        one(bulk(1, 128, b"\xfd\0\xfd\0\x09\0\x01b")),
        one(bulk(1, 128, b"\xfd\0\xfd\0\0\x05e@dup\0\x03a b\0\x05e@dup\0\x03a b")),
        one(query("SELECT mail FROM users WHERE mail = 'e@dup'")),
        one(query("DELETE FROM users WHERE mail = 'e@dup'")),
        one(prepare("SELECT mail FROM users WHERE id = ?")),
        one(bulk(2, 128, b"\x03\0\0\x01\0\0\0")),
        one(prepare("DELETE FROM users WHERE id = 0")),
        one(bulk(3, 128, b"")),
        one(bulk(99, 128, b"")),
        one(b"\xfa\x01\0\0\0"),
    ];
    script("l20_errors_of_a_bulk_execute", steps).on(Family::MariaDb).with(both_eofs(BULK))
}

fn bulk_without_capability() -> Script {
    let steps = vec![
        one(prepare("INSERT INTO users (mail, full_name) VALUES (?, ?)")),
        one(bulk(1, 128, b"\xfd\0\xfd\0\0\x05e@dup\0\x03a b")),
        one(query("SELECT mail FROM users WHERE mail = 'e@dup'")),
    ];
    script("l20_bulk_execute_without_the_capability", steps)
}
