//! Packets at their limits, files of the client, chains of results.

use bifocal::wire::MAX_PACKET_LEN;

use super::script::{Script, Step, execute, of_statement, one, prepare, queries, query, script};

const MULTI: u64 = 1 << 16 | 1 << 17;
const LOCAL_FILES: u64 = 1 << 7;

/// The scripts about lines 15 to 18.
pub fn scripts() -> Vec<Script> {
    vec![
        odd_rows(),
        long_rows(),
        chains(),
        procedures(),
        cursors(),
        files(),
        refused_files(),
        many_rows(),
        long_texts(),
        rewrites_across_the_limit(),
        prepares_across_the_limit(),
    ]
}

fn odd_rows() -> Script {
    let steps = queries([
        "SELECT ''",
        "SELECT NULL",
        "SELECT '', mail FROM users WHERE id = 1",
        "SELECT NULL, mail FROM users WHERE id < 3 ORDER BY id",
        "SELECT REPEAT('x', 254), REPEAT('y', 65536)",
        "SELECT EXP(id * 300) FROM users ORDER BY id",
    ]);
    script("l15_a_row_may_begin_with_any_byte", steps)
}

/// Rows that begin with 0xFE, and that are as long as a packet.
fn long_rows() -> Script {
    let lens = [16_777_216, MAX_PACKET_LEN - 4, MAX_PACKET_LEN - 5, MAX_PACKET_LEN - 3, 2 * MAX_PACKET_LEN - 9];
    let texts = lens.map(|len| query(&format!("SELECT REPEAT('x', {len}) FROM users WHERE id = 1")));
    let mut steps: Vec<Step> = texts.into_iter().map(one).collect();
    steps.extend([one(prepare("SELECT REPEAT('x', 16777216), mail FROM users WHERE id = 1")), one(execute(1, 0, b""))]);
    script("l15_a_long_row_is_no_end", steps)
}

fn chains() -> Script {
    let steps = queries([
        "SELECT 1; SELECT 2; DO 1; SELECT 3",
        "SELECT 1; SELECT nothing; SELECT 2",
        "SELECT id FROM products WHERE id < 3; UPDATE products SET stock = stock; SELECT ROW_COUNT()",
        "DO 1; SELECT 2; SELECT mail FROM nothing; DO 3",
    ]);
    script("l16_results_come_in_chains", steps).with([0, 1 << 24].map(|eof| MULTI | eof).to_vec())
}

fn procedures() -> Script {
    let mut steps = queries([
        "DROP PROCEDURE IF EXISTS twice",
        "CREATE PROCEDURE twice(n INT) BEGIN SELECT n; SELECT n + 1, n + 2; DO 1; END",
        "CALL twice(1)",
    ]);
    steps.extend([one(prepare("CALL twice(?)")), one(execute(1, 0, b"\0\x01\x03\0\x07\0\0\0"))]);
    steps.push(one(query("DROP PROCEDURE twice")));
    script("l16_a_procedure_gives_several_results", steps).with([0, 1 << 24].map(|eof| MULTI | 1 << 18 | eof).to_vec())
}

fn cursors() -> Script {
    let fetch = |id: u32, count: u32| one(of_statement(0x1C, id, &count.to_le_bytes()));
    let steps = vec![
        one(prepare("SELECT id, mail, full_name, fax FROM users WHERE id > ? ORDER BY id")),
        one(execute(1, 1, b"\0\x01\x03\0\0\0\0\0")),
        fetch(1, 2),
        fetch(1, 1),
        fetch(1, 0),
        // Another statement while the cursor is open.
        one(query("SELECT mail FROM users WHERE id = 1")),
        fetch(1, 1000),
        fetch(1, 1),
        one(execute(1, 1, b"\0\0\0\0\0\0")),
        one(of_statement(0x1A, 1, b"")),
        fetch(1, 1),
        one(prepare("UPDATE users SET mail = mail WHERE id = ?")),
        one(execute(2, 1, b"\0\x01\x03\0\x01\0\0\0")),
        fetch(2, 1),
        one(prepare("SELECT sku FROM products ORDER BY id")),
        one(execute(3, 1, b"")),
        fetch(3, 2),
        fetch(3, 200),
    ];
    script("l16_a_cursor_gives_definitions_and_then_rows", steps)
}

fn load(table: &str, columns: &str) -> Vec<u8> {
    query(&format!("LOAD DATA LOCAL INFILE 'f' INTO TABLE {table} FIELDS TERMINATED BY ',' ({columns})"))
}

fn files() -> Script {
    let rows: Vec<Vec<u8>> = (0..600).map(|n| format!("f{n},title {n}\n").into_bytes()).collect();
    let products = || load("products", "sku, title");
    let steps = vec![
        Step::File(products(), vec![b"f-1,\x11one\nf-2,".to_vec(), b"two\n".to_vec()]),
        Step::File(products(), vec![]),
        Step::File(products(), rows),
        // Twice the same key.
        Step::File(products(), vec![b"f-1,again\n".to_vec()]),
        Step::File(load("nothing", "a"), vec![b"1\n".to_vec()]),
        one(query("SELECT sku, title FROM products WHERE sku LIKE 'f-%' ORDER BY sku")),
        one(query("SELECT mail FROM users WHERE id = 1")),
        one(query("DELETE FROM products WHERE sku LIKE 'f%'")),
    ];
    script("l17_local_infile_wraps_sequence_ids", steps).with([0, 1 << 24].map(|eof| LOCAL_FILES | eof).to_vec())
}

/// A client that does not want to send a file sends an empty one.
fn refused_files() -> Script {
    let steps = vec![Step::File(load("products", "sku, title"), vec![]), one(b"\x0e"), one(query("SELECT 1"))];
    script("l17_a_refused_file_is_an_empty_one", steps).with(vec![LOCAL_FILES])
}

fn many_rows() -> Script {
    let steps = queries([
        "SELECT a.id, b.mail FROM users a, users b, users c, users d ORDER BY a.id, b.id, c.id, d.id LIMIT 700",
        "SELECT a.sku FROM products a, products b, products c, products d ORDER BY 1 LIMIT 700",
    ]);
    script("l17_long_results_wrap_sequence_ids", steps)
}

fn padded(text: &str, len: usize) -> Vec<u8> {
    let mut payload = query(text);
    payload.extend_from_slice(b" /*");
    payload.resize(len - 2, b'x');
    payload.extend_from_slice(b"*/");
    payload
}

fn long_texts() -> Script {
    let lens = [MAX_PACKET_LEN - 1, MAX_PACKET_LEN, MAX_PACKET_LEN + 1, 2 * MAX_PACKET_LEN];
    let steps = lens.into_iter().map(|len| one(padded("SELECT sku FROM products WHERE id = 1", len))).collect();
    script("l18_long_texts_go_on_in_the_next_packet", steps).with(vec![0])
}

fn rewrites_across_the_limit() -> Script {
    let lens = [MAX_PACKET_LEN - 300, MAX_PACKET_LEN - 1, MAX_PACKET_LEN, 2 * MAX_PACKET_LEN - 20];
    let select = "SELECT mail, full_name FROM users WHERE id = 1";
    let mut steps: Vec<Step> = lens.into_iter().map(|len| one(padded(select, len))).collect();
    steps.push(one(padded("SELECT nothing FROM users", MAX_PACKET_LEN - 10)));
    script("l18_a_rewrite_across_the_limit_is_renumbered", steps).with(vec![0])
}

fn prepares_across_the_limit() -> Script {
    let mut text = padded("SELECT mail FROM users WHERE full_name = ? OR id = ?", MAX_PACKET_LEN - 10);
    text[0] = 0x16;
    let long = [&b"\0\x01\xfd\0\x03\0\xfd\xf0\xff\xff"[..], &vec![b'x'; 0xFF_FFF0], b"\x01\0\0\0"].concat();
    let steps = vec![one(text), one(execute(1, 0, b"\0\x01\xfd\0\x03\0\x01a\x01\0\0\0")), one(execute(1, 0, &long))];
    script("l18_a_prepare_across_the_limit_is_renumbered", steps).with(vec![0, 1 << 24])
}
