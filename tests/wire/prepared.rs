//! Prepared statements whose placeholders a rewrite moves.

use super::script::{Script, Step, execute, of_statement, one, prepare, query, script};

/// The scripts about line 19.
pub fn scripts() -> Vec<Script> {
    vec![counts(), types(), long_data(), long_data_errors(), wrong_arguments()]
}

const INSERT: &str = "INSERT INTO users (full_name, mail, fax, bio) VALUES (?, ?, ?, ?)";
const SELECT: &str = "SELECT mail, full_name, fax, bio FROM users WHERE mail LIKE '%@l19' ORDER BY mail";
const DELETE: &str = "DELETE FROM users WHERE mail LIKE '%@l19'";

fn counts() -> Script {
    let texts = [
        INSERT,
        "SELECT mail FROM users WHERE id = ?",
        "SELECT ?, full_name FROM users WHERE mail = ? AND full_name LIKE ? LIMIT ?",
        "UPDATE users SET full_name = ?, mail = ? WHERE id = ?",
        "DELETE FROM users WHERE mail = ? LIMIT 1",
        "SELECT 1 FROM users",
        "INSERT INTO orders (user_id, status) VALUES (?, ?)",
        "UPDATE orders SET status = ?, note = ? WHERE id = ?",
        "DO 1",
        "SELECT nothing FROM users WHERE id = ?",
    ];
    script("l19_the_client_counts_its_own_parameters", texts.map(|text| one(prepare(text))).to_vec())
}

fn types() -> Script {
    let head: &[u8] = b"\0\x01\xfd\0\xfd\0\xfd\0\xfd\0";
    let steps = vec![
        one(prepare(INSERT)),
        one(execute(1, 0, &[head, b"\x03A B\x05a@l19\x011\x03bio"].concat())),
        one(execute(1, 0, b"\0\0\x03C D\x05b@l19\x011\x03bio")),
        one(execute(1, 0, b"\x0c\0\x03E F\x05c@l19")),
        one(execute(1, 0, b"\x0c\x01\xfd\0\xfd\0\x06\0\x06\0\x03E G\x05d@l19")),
        one(query(SELECT)),
        one(prepare("UPDATE users SET full_name = ?, bio = ? WHERE mail = ?")),
        one(execute(2, 0, b"\0\x01\xfd\0\x03\0\xfd\0\x02  \x07\0\0\0\x05a@l19")),
        one(execute(2, 0, b"\0\0\x03X Y\x08\0\0\0\x05b@l19")),
        one(query(SELECT)),
        one(query(DELETE)),
    ];
    script("l19_types_are_remembered_and_nulls_follow", steps)
}

fn long_data() -> Script {
    let data = |param: u8, data: &[u8]| of_statement(0x18, 1, &[&[param, 0], data].concat());
    let head: &[u8] = b"\0\x01\xfc\0\xfd\0\xfd\0\xfc\0";
    let steps = vec![
        one(prepare(INSERT)),
        Step::Commands(vec![
            data(3, b"some"),
            data(0, b"Long "),
            data(3, b" bio"),
            data(0, b"Name"),
            execute(1, 0, &[head, b"\x05a@l19\x011"].concat()),
        ]),
        one(query(SELECT)),
        // Reset: the value comes with the EXECUTE.
        Step::Commands(vec![data(0, b"lost"), of_statement(0x1A, 1, b"")]),
        one(execute(1, 0, &[head, b"\x03N M\x05b@l19\x011\x01b"].concat())),
        // An empty value, and one that the bitmap calls NULL.
        Step::Commands(vec![data(3, b""), execute(1, 0, &[head, b"\x03N M\x05c@l19\x011"].concat())]),
        one(query(SELECT)),
        one(query(DELETE)),
    ];
    script("l19_long_data_follows_its_placeholder", steps)
}

fn long_data_errors() -> Script {
    let steps = vec![
        one(prepare(INSERT)),
        Step::Commands(vec![of_statement(0x18, 1, b"\x09\0x"), of_statement(0x1A, 1, b"")]),
        Step::Commands(vec![
            of_statement(0x18, 1, b"\x09\0x"),
            execute(1, 0, b"\0\x01\xfd\0\xfd\0\xfd\0\xfd\0\x03A B\x05a@l19\x011\x03bio"),
        ]),
        one(of_statement(0x1A, 1, b"")),
        one(execute(1, 0, b"\0\x01\xfd\0\xfd\0\xfd\0\xfd\0\x03A B\x05b@l19\x011\x03bio")),
        one(query(SELECT)),
        one(query(DELETE)),
    ];
    script("l19_errors_of_long_data_surface_at_execute", steps)
}

fn wrong_arguments() -> Script {
    let steps = vec![
        one(prepare("SELECT mail FROM users WHERE id = ?")),
        one(execute(1, 0, b"\0\0\x01\0\0\0")),
        one(execute(2, 0, b"\0\x01\x03\0\x01\0\0\0")),
        one(execute(1, 0, b"\0\x01\x03\0\x01\0\0\0")),
        one(of_statement(0x19, 1, b"")),
        one(execute(1, 0, b"\0\x01\x03\0\x01\0\0\0")),
    ];
    script("l19_wrong_arguments_are_the_servers_error", steps)
}
