//! The commands, with their odd answers.

use super::{
    client::Packet,
    script::{Script, Step, execute, of_statement, one, prepare, queries, query, script},
};

/// The scripts about lines 13 and 14.
pub fn scripts() -> Vec<Script> {
    let mut scripts = vec![pipelined(), last_statement(), statistics(), field_list(), set_option(), simple()];
    scripts.extend([process_info(), databases(), no_answer(), cut_short(), empty_packet()]);
    scripts.extend([unknown(b""), unknown(b"\0\0\0\0\0\0\0\0\0\0\0\0"), replication(), reset_connection()]);
    scripts
}

fn pipelined() -> Script {
    let ahead = vec![
        query("SELECT mail FROM users WHERE id = 1"),
        b"\x0e".to_vec(),
        query("SELECT nothing FROM users"),
        prepare("SELECT mail FROM users WHERE id = ?"),
        execute(1, 0, b"\0\x01\x03\0\x01\0\0\0"),
        of_statement(0x19, 1, b""),
        execute(1, 0, b"\0\x01\x03\0\x01\0\0\0"),
        query("SELECT 1"),
        b"\x09".to_vec(),
        b"\x1f".to_vec(),
        query("SELECT mail FROM users WHERE id = 2"),
    ];
    script("l13_answers_come_in_the_order_of_commands", vec![Step::Commands(ahead)])
        .ignoring(|packets| without_digits(packets))
}

fn last_statement() -> Script {
    const LAST: u32 = u32::MAX;
    let value: &[u8] = b"\0\x01\x03\0\x01\0\0\0";
    let insert = "INSERT INTO users (mail, full_name) VALUES (?, ?)";
    let steps = vec![
        one(execute(LAST, 0, b"")),
        Step::Commands(vec![prepare("SELECT mail FROM users WHERE id = ?"), execute(LAST, 0, value)]),
        one(execute(LAST, 0, value)),
        one(query("SELECT 1")),
        one(execute(LAST, 0, b"\0\0\x02\0\0\0")),
        Step::Commands(vec![prepare(insert), execute(LAST, 0, b"\0\x01\xfd\0\xfd\0\x03l@1\x03A B")]),
        Step::Commands(vec![prepare("SELECT sku FROM products WHERE id = ?"), execute(LAST, 0, value)]),
        Step::Commands(vec![prepare("SELEC"), execute(LAST, 0, b"")]),
        Step::Commands(vec![prepare("SELECT nothing FROM users"), execute(LAST, 0, b"")]),
        Step::Commands(vec![prepare("SELECT full_name FROM users WHERE mail = 'l@1'"), execute(LAST, 0, b"")]),
        Step::Commands(vec![of_statement(0x19, LAST, b""), execute(LAST, 0, b"")]),
        one(query("DELETE FROM users WHERE mail = 'l@1'")),
    ];
    script("l13_minus_one_is_the_last_prepared_statement", steps)
}

fn statistics() -> Script {
    script("l14_statistics_is_a_bare_string", vec![one(b"\x09"), one(b"\x09trailing")])
        .ignoring(|packets| without_digits(packets))
}

/// What `COM_STATISTICS` counts is not the same twice.
fn without_digits(packets: &mut [Packet]) {
    for (_, payload) in packets.iter_mut().filter(|(_, payload)| payload.starts_with(b"Uptime")) {
        let text = String::from_utf8_lossy(payload);
        let words: Vec<&str> =
            text.split(|c: char| c.is_ascii_digit() || c == '.').filter(|word| !word.is_empty()).collect();
        *payload = words.join("#").into_bytes();
    }
}

fn field_list() -> Script {
    let steps = vec![one(b"\x04products\0"), one(b"\x04products\0s%"), one(b"\x04nothing\0"), one(b"\x04products")];
    script("l14_field_list_ends_with_an_eof", steps)
}

fn set_option() -> Script {
    let steps =
        vec![one(b"\x1b\x01\0"), one(query("SELECT 1; SELECT 2")), one(b"\x1b\0\0"), one(b"\x1b\x07\0"), one(b"\x1b")];
    script("l14_set_option_is_answered_with_an_eof", steps)
}

fn simple() -> Script {
    let mut steps = vec![one(b"\x0e"), one(b"\x0etrailing"), one(b"\x0d"), one(b"\x07\x01"), one(b"\x07\x04")];
    steps.extend([one(b"\x0c\xff\xff\xff\x7f"), one(b"\x02shop_nothing"), one(b"\x02"), one(b"\x02mysql")]);
    steps.extend(queries(["SELECT DATABASE()", "KILL 2147483647"]));
    script("l14_single_packets_answer_simple_commands", steps)
}

fn process_info() -> Script {
    script("l14_process_info_is_a_result_set", vec![one(b"\x0a"), one(b"\x0e")]).ignoring(|packets| {
        // What others do at that time, and how many they are.
        if packets.len() > 5 {
            packets.truncate(5);
        }
    })
}

fn databases() -> Script {
    let mut steps = vec![one(b"\x05made"), one(b"\x05made"), one(b"\x06made"), one(b"\x06made")];
    steps.extend(queries(["CREATE DATABASE made", "DROP DATABASE made"]));
    script("l14_databases_are_made_and_dropped", steps)
}

fn no_answer() -> Script {
    let steps = vec![
        one(prepare("SELECT ?")),
        Step::Commands(vec![
            of_statement(0x18, 1, b"\0\0data"),
            execute(1, 0, b"\0\x01\xfc\0"),
            of_statement(0x19, 1, b""),
        ]),
        Step::Commands(vec![of_statement(0x19, 1, b""), of_statement(0x19, 77, b""), of_statement(0x18, 77, b"\0\0x")]),
        Step::Commands(vec![of_statement(0x1A, 77, b""), of_statement(0x1C, 77, b"\x01\0\0\0"), execute(77, 0, b"")]),
    ];
    script("l14_close_and_long_data_are_not_answered", steps)
}

fn cut_short() -> Script {
    let mut steps = vec![one(prepare("SELECT mail FROM users WHERE id = ?"))];
    for command in [0x17, 0x18, 0x19, 0x1A, 0x1C] {
        for len in 1..5 {
            steps.push(Step::Commands(vec![[&[command], &b"\x01\0\0\0"[..len - 1]].concat(), b"\x0e".to_vec()]));
        }
    }
    steps.extend([
        one(of_statement(0x18, 1, b"")),
        one(of_statement(0x18, 1, b"\0")),
        one(of_statement(0x1C, 1, b"\x01")),
    ]);
    script("l14_commands_that_are_cut_short", steps)
}

fn empty_packet() -> Script {
    script("l18_an_empty_packet_is_four_bytes", vec![one(b""), one(b"\x0e"), one(b"\x03"), one(b"\x16"), one(b"")])
}

/// Every byte, but those that end the server or the connection, begin authentication or a dump.
fn unknown(rest: &'static [u8]) -> Script {
    let others = [0x01, 0x08, 0x09, 0x0A, 0x11, 0x12, 0x13, 0x15, 0x1E, 0x20, 0x21];
    let steps = (0..=u8::MAX).filter(|byte| !others.contains(byte)).map(|byte| one([&[byte][..], rest].concat()));
    let name = if rest.is_empty() {
        "l14_every_byte_alone_is_answered_as_by_the_server"
    } else {
        "l14_every_byte_with_zeros_is_answered_as_by_the_server"
    };
    script(name, steps.collect())
}

fn replication() -> Script {
    let commands: [&[u8]; 7] = [
        b"\x12\x04\0\0\0\0\0\x01\0\0\0",
        b"\x13",
        b"\x15\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x1e\0\0\x01\0\0\0",
        b"\x1e",
        b"\x20",
        b"\x21",
    ];
    let steps = commands.into_iter().flat_map(|command| [one(command), Step::Again]).collect();
    script("l14_a_replicas_commands_are_relayed", steps).physical()
}

fn reset_connection() -> Script {
    let mut steps = queries(["SET @a = 1, sql_mode = 'ANSI_QUOTES'", "SELECT \"mail\" FROM users WHERE id = 1"]);
    steps.extend([one(prepare("SELECT mail FROM users WHERE id = ?")), one(b"\x1f")]);
    steps.extend([
        one(execute(1, 0, b"\0\x01\x03\0\x01\0\0\0")),
        one(query("SELECT @a, \"mail\" FROM users WHERE id = 1")),
    ]);
    script("l8_a_reset_forgets_statements_and_modes", steps)
}
