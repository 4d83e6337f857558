//! Packets that get a session far, for scripts to name by a number.

use crate::{
    session::Side,
    wire::{Capabilities, ColumnDefinition, EofPacket, StatusFlags, put_lenenc_bytes},
};

/// The payload of that number without its end, which the script appends, and whether it is a command.
pub fn payload(side: Side, number: u8) -> (&'static [u8], bool) {
    let list: &[&[u8]] = match side {
        Side::Client => &CLIENT,
        Side::Backend => &BACKEND,
    };
    let payload = list[usize::from(number) % list.len()];
    let is_answer = payload.is_empty() || ANSWERS.contains(&payload);
    (payload, side == Side::Client && !is_answer)
}

/// What a client says in a dialog.
const ANSWERS: [&[u8]; 4] = [b"\x02", b"\x01", b"password\0", b"scramble, 20 bytes.."];

const CLIENT: [&[u8]; 42] = [
    b"",
    ANSWERS[0],
    ANSWERS[1],
    ANSWERS[2],
    ANSWERS[3],
    b"\x01",
    b"\x02shop",
    b"\x02shop__v1",
    b"\x04users\0",
    b"\x09",
    b"\x0e",
    b"\x0c\x01\0\0\0",
    b"\x11root\0\0shop__v1\0\x2d\0mysql_native_password\0",
    b"\x11root\0\x02xyshop\0\x2d\0caching_sha2_password\0",
    b"\x11root\0\0\0\x2d\0mysql_clear_password\0",
    b"\x12\0\0\0\0",
    b"\x1b\0\0",
    b"\x1f",
    b"\x17\x01\0\0\0\0\x01\0\0\0",
    b"\x17\x01\0\0\0\x01\x01\0\0\0\0\x01",
    b"\x17\x02\0\0\0\0\x01\0\0\0\0\x01\xfd\0\xfd\0\x01a\x01b",
    b"\x17\x01\0\0\0\0\x01\0\0\0\0\x00",
    b"\x17\xff\xff\xff\xff\0\x01\0\0\0",
    b"\x18\x01\0\0\0\0\0",
    b"\x18\xff\xff\xff\xff\x01\0",
    b"\x19\x01\0\0\0",
    b"\x1a\x01\0\0\0",
    b"\x1c\x01\0\0\0\x10\0\0\0",
    b"\xfa\x01\0\0\0\x80\0",
    b"\x03USE shop__v1",
    b"\x03SET sql_mode = ",
    b"\x03SHOW WARNINGS",
    b"\x03SHOW COUNT(*) ERRORS",
    b"\x03SELECT ",
    b"\x03SELECT id, mail, full_name FROM users WHERE ",
    b"\x03SELECT u.*, o.status FROM users u JOIN orders o ON o.user_id = u.id ",
    b"\x03INSERT INTO users (mail, full_name) VALUES ",
    b"\x03UPDATE users SET full_name = 'a b', mail = ",
    b"\x03DELETE FROM shop.users WHERE mail = ",
    b"\x16SELECT mail FROM users WHERE full_name = ? AND id = ",
    b"\x16UPDATE users SET full_name = ?, fax = ? WHERE id = ?",
    b"\x16INSERT INTO orders (user_id, status, price) VALUES (?, ?, ?)",
];

const BACKEND: [&[u8]; 26] = [
    b"",
    b"\x00\x00\x00\x02\x00\x00\x00",
    b"\x00\x00\x00\x03\x00\x00\x00",
    b"\x00\x00\x00\x0a\x00\x00\x00",
    b"\x00\x01\xfc\x00\x01\x02\x40\x00\x00\x00\x07",
    b"\xfe\x00\x00\x02\x00",
    b"\xfe\x00\x00\x42\x00",
    b"\xfe\x00\x00\x0a\x00",
    b"\xfe\x00\x00\x02\x00\x00\x00",
    b"\xff\x28\x04#42000syntax",
    b"\xff\x26\x04#23000Duplicate entry 'a' for key 'people.people_mail'",
    b"\xff\x1c\x07#HY000You must change your password",
    b"\xff\x1c\x05#22003DOUBLE value is out of range in 'exp(70003)'",
    b"\xff\xff\xff\x01\x01\0\0\0\x05stage",
    b"\xff\x10\x04Too many connections",
    b"\xfbfile",
    b"\xfecaching_sha2_password\0salt salt salt salt 20\0",
    b"\xfesha256_password\0salt salt salt salt 20\0",
    b"\xfemysql_clear_password\0",
    b"\x02dialog\0Password: ",
    b"\x01\x03",
    b"\x01\x04",
    b"\x03def\x04shop\x01u\x06people\x04mail\x05email\x0c\x21\x00\xfd\x02\x00\x00\xfd\x00\x00\x00\x00\x00",
    b"\x02",
    b"\x00\x01\0\0\0\x01\0\x02\0\0\0\0",
    b"\x01a\xfb",
];

/// What a server says first.
pub fn greeting(is_mariadb: bool) -> Vec<u8> {
    let (version, low, extended) = if is_mariadb {
        (&b"11.8.3-MariaDB"[..], [0xFE, 0xFF], [0x1D, 0, 0, 0])
    } else {
        (&b"9.7.0"[..], [0xFF, 0xFF], [0; 4])
    };
    [&b"\x0a"[..], version, b"\0\x0b\0\0\0dvH@I-CJ\0", &low, b"\xff\x02\0\xff\xff\x15\0\0\0\0\0\0", &extended, TAIL]
        .concat()
}

const TAIL: &[u8] = b"*4d|cZwk4^]:\0mysql_native_password\0";

/// A client's handshake response.
pub fn handshake_response(capabilities: Capabilities, database: &[u8], plugin: &[u8]) -> Vec<u8> {
    let (both, extended) = capabilities.halves();
    let mut payload = [&both[..], b"\0\0\0\x01\x2d", &[0; 19], &extended, b"root\0\x03abc"].concat();
    if capabilities.has(Capabilities::CONNECT_WITH_DB) {
        payload.extend_from_slice(&[database, b"\0"].concat());
    }
    payload.extend_from_slice(&[plugin, b"\0"].concat());
    if capabilities.has(Capabilities::CONNECT_ATTRS) {
        put_lenenc_bytes(&mut payload, b"\x03_os\x05Linux");
    }
    payload
}

/// An OK without news.
pub const OK: &[u8] = BACKEND[1];

/// The payloads of a result set, its rows of short strings.
pub fn result_set(columns: u8, rows: u8, status: u8, capabilities: Capabilities) -> Vec<Vec<u8>> {
    let mut payloads = head(columns, capabilities);
    payloads.extend((0..rows).map(|row| [1, b'a' + row].repeat(columns.into())));
    payloads.push(end_of_rows(status, capabilities));
    payloads
}

/// The answer to the session's own question.
pub fn facts(number: u8, capabilities: Capabilities) -> Vec<Vec<u8>> {
    const MODES: [&str; 4] = ["STRICT_TRANS_TABLES", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "EMPTY_STRING_IS_NULL"];
    const CHARSETS: [&str; 4] = ["utf8mb4", "latin1", "gbk", "sjis"];
    const SHOP: &str = "73686F70";
    let version = if number & 32 == 0 { "11.8.3-MariaDB" } else { "9.7.0" };
    let (mode, charset) = (MODES[usize::from(number & 3)], CHARSETS[usize::from(number >> 2 & 3)]);
    let mut row = Vec::new();
    for value in [mode, charset, charset, SHOP, version, "1048576"] {
        put_lenenc_bytes(&mut row, value.as_bytes());
    }
    let mut payloads = head(6, capabilities);
    payloads.extend([row, end_of_rows(2, capabilities)]);
    payloads
}

/// The answer to a prepare.
pub fn prepared(id: u8, params: u8, columns: u8, capabilities: Capabilities) -> Vec<Vec<u8>> {
    let mut payloads = vec![vec![0, id, 0, 0, 0, columns, 0, params, 0, 0, 0, 0]];
    payloads.extend(definitions(params, capabilities));
    payloads.extend(definitions(columns, capabilities));
    payloads
}

/// What comes before the rows.
fn head(columns: u8, capabilities: Capabilities) -> Vec<Vec<u8>> {
    let has_byte =
        capabilities.has(Capabilities::OPTIONAL_RESULTSET_METADATA) || capabilities.has(Capabilities::CACHE_METADATA);
    let mut payloads = vec![if has_byte { vec![columns, 1] } else { vec![columns] }];
    payloads.extend(definitions(columns, capabilities));
    payloads
}

fn definitions(count: u8, capabilities: Capabilities) -> Vec<Vec<u8>> {
    let mut definition = Vec::new();
    let parameter = ColumnDefinition::parameter(capabilities);
    ColumnDefinition { table: b"u", org_table: b"people", org_name: b"email", ..parameter }.encode(&mut definition);
    let mut payloads = vec![definition; count.into()];
    if count > 0 && !capabilities.has(Capabilities::DEPRECATE_EOF) {
        payloads.push(BACKEND[5].to_vec());
    }
    payloads
}

fn end_of_rows(status: u8, capabilities: Capabilities) -> Vec<u8> {
    let mut payload = Vec::new();
    if capabilities.has(Capabilities::DEPRECATE_EOF) {
        payload.extend_from_slice(&[EofPacket::HEADER, 0, 0, status, 0, 0, 0]);
    } else {
        EofPacket { warning_count: 0, status: StatusFlags(status.into()) }.encode(&mut payload);
    }
    payload
}
