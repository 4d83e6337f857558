//! What the session must know of the backend to plan a statement: the question, the answer, and when to ask.

use crate::{
    rewrite::Facts,
    sql::{Charset, LexMode, ServerKind},
    wire::{MAX_PAYLOAD_LEN, Malformed, Reader},
};

/// Asks for everything at once; digits are the same in every `character_set_results`, names are not. It has no table, so
/// it neither opens a transaction nor uses up a `SET TRANSACTION`; but it clears the warnings, `ROW_COUNT()` and `FOUND_ROWS()`.
pub(super) const QUESTION: &[u8] =
    b"SELECT @@sql_mode, @@character_set_client, @@character_set_connection, HEX(CONVERT(DATABASE() USING utf8mb4)), \
      VERSION(), @@max_allowed_packet";

/// Modes under which the rewriter's expressions mean something else. In MariaDB's SIMULTANEOUS_ASSIGNMENT assignments
/// do not run left to right; ORACLE, which is listed expanded, has it. In its EMPTY_STRING_IS_NULL `''` is NULL. In
/// PAD_CHAR_TO_FULL_LENGTH a CHAR column is read with blanks at its end, which a computed one has not.
const ODD_MODES: [&str; 3] = ["SIMULTANEOUS_ASSIGNMENT", "EMPTY_STRING_IS_NULL", "PAD_CHAR_TO_FULL_LENGTH"];

/// Values of `character_set_connection` that give a plain text literal another meaning than its ASCII characters have,
/// or have the servers compute a constant beside it before it is known whether it is needed.
const ODD_CONNECTIONS: [&str; 7] = ["binary", "sjis", "swe7", "ucs2", "utf16", "utf16le", "utf32"];

/// Reads the row that answers [`QUESTION`]: the facts, and the length from which on the server takes no payload.
pub(super) fn from_row(payload: &[u8]) -> Result<(Facts, usize), Malformed> {
    let mut reader = Reader::new(payload, "answer about the session");
    let mut text = || -> Result<Option<String>, Malformed> { Ok(reader.text_value()?.map(plain)) };
    let sql_mode = text()?.unwrap_or_default();
    let charset = text()?.unwrap_or_default();
    let connection = text()?.unwrap_or_default();
    let database = text()?.and_then(|digits| from_hex(&digits));
    let version = text()?.unwrap_or_default();
    let payload_limit = text()?.and_then(|text| text.parse().ok()).unwrap_or(MAX_PAYLOAD_LEN);
    let has = |mode: &str| sql_mode.split(',').any(|one| one == mode);
    let server = if version.contains("MariaDB") { ServerKind::MariaDb } else { ServerKind::MySql };
    let lex = LexMode {
        ansi_quotes: has("ANSI_QUOTES"),
        no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        pipes_as_concat: has("PIPES_AS_CONCAT"),
        server,
        server_version: server_version(&version),
        charset: Charset::named(&charset),
    };
    let strict = has("STRICT_TRANS_TABLES") || has("STRICT_ALL_TABLES");
    let odd_mode = ODD_MODES.into_iter().find(|mode| has(mode));
    let introduce = ODD_CONNECTIONS.contains(&connection.as_str());
    let facts = Facts { database, lex, introduce, strict, odd_mode, multi_statements: true };
    Ok((facts, payload_limit.min(MAX_PAYLOAD_LEN)))
}

/// Whether a text does nothing but read what [`QUESTION`] would clear, so that it must not be asked just before. Such a
/// text names no table: one that does is never planned over facts that may be stale.
pub(super) fn reads_diagnostics(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 5] = [b"row_count", b"found_rows", b"warning_count", b"error_count", b"diagnostics"];
    let text = text.trim_ascii();
    let contains = |word: &[u8]| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    if text.len() > LOOK_LEN || text.contains(&b';') || contains(b"from") {
        return false;
    }
    let shows = text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"SHOW "));
    (shows && [&b"warnings"[..], b"errors"].iter().any(|word| contains(word)))
        || WORDS.iter().any(|word| contains(word))
}

/// What reads diagnostics is short.
const LOOK_LEN: usize = 1024;

/// A value as text. With `character_set_results` at UTF-16 or UTF-32 the answer has zero bytes between the
/// characters that matter here.
fn plain(bytes: &[u8]) -> String {
    let bytes: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn from_hex(digits: &str) -> Option<String> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

/// The number in versioned comments: 10.11.11 is 101111, 9.7.0 is 90700. Some MariaDB servers put `5.5.5-`
/// before their version, for old replicas.
fn server_version(version: &str) -> u32 {
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let digits = |part: &str| -> u32 {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().unwrap_or(0)
    };
    let mut parts = version.splitn(3, '.').map(digits);
    let mut next = || parts.next().unwrap_or(0).min(999);
    next() * 10_000 + next() * 100 + next()
}

#[cfg(test)]
mod tests {
    use super::{from_row, reads_diagnostics, server_version};
    use crate::{
        sql::{Charset, ServerKind},
        wire::put_lenenc_bytes,
    };

    fn row(values: [Option<&[u8]>; 6]) -> Vec<u8> {
        let mut payload = Vec::new();
        for value in values {
            match value {
                Some(bytes) => put_lenenc_bytes(&mut payload, bytes),
                None => payload.push(0xFB),
            }
        }
        payload
    }

    #[test]
    fn reads_the_modes_and_the_server() {
        let mode = b"REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,STRICT_TRANS_TABLES";
        let (gbk, shop, version) = (b"gbk", b"73686F70", b"10.11.11-MariaDB-log");
        let payload = row([Some(mode), Some(gbk), Some(gbk), Some(shop), Some(version), Some(b"1048576")]);
        let (facts, payload_limit) = from_row(&payload).expect("facts");
        assert_eq!(payload_limit, 1_048_576);
        assert!(facts.strict && facts.lex.ansi_quotes && facts.lex.pipes_as_concat);
        assert!(!facts.lex.no_backslash_escapes);
        assert_eq!((facts.lex.server, facts.lex.server_version), (ServerKind::MariaDb, 101_111));
        assert_eq!((facts.lex.charset, facts.database.as_deref()), (Charset::named("gbk"), Some("shop")));
    }

    #[test]
    fn an_answer_in_utf16_is_read_too() {
        let wide = |text: &str| text.bytes().flat_map(|byte| [0, byte]).collect::<Vec<u8>>();
        let (charset, connection) = (wide("latin1"), wide("ucs2"));
        let (version, limit) = (wide("9.7.0"), wide("67108864"));
        let payload = row([Some(b""), Some(&charset), Some(&connection), None, Some(&version), Some(&limit)]);
        let (facts, payload_limit) = from_row(&payload).expect("facts");
        assert_eq!(payload_limit, 64 << 20);
        assert_eq!((facts.lex.server, facts.lex.server_version), (ServerKind::MySql, 90_700));
        assert_eq!((facts.lex.charset, facts.database, facts.strict), (Charset::named("latin1"), None, false));
        assert!(facts.introduce);
    }

    #[test]
    fn versions_are_as_in_versioned_comments() {
        assert_eq!(server_version("8.0.36-28"), 80_036);
        assert_eq!(server_version("5.5.5-10.6.12-MariaDB"), 100_612);
        assert_eq!(server_version(""), 0);
    }

    #[test]
    fn statements_that_read_diagnostics_are_known() {
        for text in ["SHOW WARNINGS", "show count(*) errors", "SELECT Row_Count()", "select @@warning_count"] {
            assert!(reads_diagnostics(text.as_bytes()), "{text}");
        }
        assert!(!reads_diagnostics(b"SELECT 1"));
    }
}
