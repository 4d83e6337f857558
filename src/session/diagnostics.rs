//! `SHOW WARNINGS` and its like after a statement that was planned.
//!
//! An error that Bifocal gave itself, or put in another one's place, is not in the server's list: then the answer is
//! made of it. Otherwise the server's rows are relayed with their texts in the version's words.

use std::sync::Arc;

use super::version::Chain;
use crate::{
    rewrite::{ServerError, translate_error},
    wire::{Malformed, Reader, put_lenenc_bytes},
};

/// The statement that a `SHOW WARNINGS` speaks of.
#[derive(Debug, Clone)]
pub(super) struct Diagnostics {
    /// What it was planned over.
    pub chain: Chain,
    /// The client's text.
    pub text: Arc<[u8]>,
    /// The error that the server does not know of.
    pub error: Option<ServerError>,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self { chain: Chain::default(), text: [].into(), error: None }
    }
}

impl Diagnostics {
    /// The statement to send in place of `SHOW WARNINGS`, if the server's own list would not do. `None` for other
    /// texts too.
    pub fn question(&self, text: &[u8]) -> Option<String> {
        let error = self.error.as_ref()?;
        let hex: String = error.message.bytes().map(|byte| format!("{byte:02X}")).collect();
        match Asks::of(text)? {
            Asks::Count(variable) => Some(format!("SELECT 1 AS `@@session.{variable}`")),
            Asks::Rows => Some(format!(
                "SELECT 'Error' AS `Level`, {} AS `Code`, CONVERT(X'{hex}' USING utf8mb4) AS `Message`",
                error.number
            )),
        }
    }

    /// A row of `SHOW WARNINGS` in the version's words.
    pub fn row(&self, payload: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut reader = Reader::new(payload, "row of SHOW WARNINGS");
        let (level, code, message) = (reader.lenenc_bytes()?, reader.lenenc_bytes()?, reader.lenenc_bytes()?);
        let number = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()).unwrap_or(0);
        let error = ServerError { number, sqlstate: *b"HY000", message: String::from_utf8_lossy(message).into_owned() };
        let translated = translate_error(error, &self.chain, &self.text);
        let mut row = Vec::with_capacity(payload.len());
        put_lenenc_bytes(&mut row, level);
        put_lenenc_bytes(&mut row, translated.number.to_string().as_bytes());
        put_lenenc_bytes(&mut row, translated.message.as_bytes());
        Ok(row)
    }
}

/// Whether a text asks for rows of diagnostics.
pub(super) fn asks_for_rows(text: &[u8]) -> bool {
    matches!(Asks::of(text), Some(Asks::Rows))
}

enum Asks {
    Count(&'static str),
    Rows,
}

impl Asks {
    fn of(text: &[u8]) -> Option<Self> {
        const LOOK_LEN: usize = 80;
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= LOOK_LEN)?;
        let whole = text.trim().trim_end_matches(';');
        let rest_is_limit = whole.split_ascii_whitespace().nth(2).is_none_or(|word| {
            ["LIMIT", "WARNINGS", "ERRORS"].iter().any(|allowed| word.eq_ignore_ascii_case(allowed))
        });
        if whole.contains(';') || !rest_is_limit {
            return None;
        }
        let mut words = text.trim().trim_end_matches(';').split_ascii_whitespace().map(str::to_ascii_uppercase);
        let (first, second, third) = (words.next()?, words.next()?, words.next().unwrap_or_default());
        match (first.as_str(), second.as_str(), third.as_str()) {
            ("SHOW", "WARNINGS" | "ERRORS", _) => Some(Self::Rows),
            ("SHOW", "COUNT(*)", "WARNINGS") => Some(Self::Count("warning_count")),
            ("SHOW", "COUNT(*)", "ERRORS") => Some(Self::Count("error_count")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_our_own_is_asked_for_as_a_constant() {
        let error = ServerError { number: 1048, sqlstate: *b"23000", message: "no".to_owned() };
        let diagnostics = Diagnostics { error: Some(error), ..Diagnostics::default() };
        let question = diagnostics.question(b"show warnings;").expect("a question");
        assert_eq!(question, "SELECT 'Error' AS `Level`, 1048 AS `Code`, CONVERT(X'6E6F' USING utf8mb4) AS `Message`");
        assert_eq!(diagnostics.question(b"SHOW TABLES"), None);
        assert_eq!(Diagnostics::default().question(b"SHOW WARNINGS"), None);
    }

    #[test]
    fn rows_keep_their_form() {
        let row = b"\x07Warning\x041265\x04text";
        assert_eq!(Diagnostics::default().row(row).expect("a row"), row);
    }
}
