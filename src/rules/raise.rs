//! Values that no expression may turn into something else without a word: how an expression raises an error.
//!
//! SQL expressions cannot raise errors of their own, but `EXP(70001)` overflows: both servers answer error 1690,
//! `DOUBLE value is out of range in 'exp(70001)'`, in every statement kind and `sql_mode`, with IGNORE too, and
//! only if the branch of the CASE that holds it is taken. The number says which rule was broken, so that the
//! error can be put into the server's own words.

/// An older version writes a value that `map_values` does not name.
pub const UNMAPPED_WRITE: u32 = 70001;
/// An older version reads a value that it has no word for.
pub const UNMAPPED_READ: u32 = 70002;
/// A value is longer than the older version's column (1406).
pub const TOO_LONG: u32 = 70003;
/// A value is outside the range of the older version's column (1264).
pub const OUT_OF_RANGE: u32 = 70004;
/// NULL for a column that the older version declares NOT NULL (1048).
pub const NULL_NOT_ALLOWED: u32 = 70005;
/// A value that the older version's column cannot hold at all: not a date, not a member, not JSON (1366, 1292).
pub const UNFIT: u32 = 70006;

/// No value for a column without a default (1364).
pub const NO_DEFAULT: u32 = 70007;

/// All of them, with what is meant.
pub const ALL: [(u32, &str); 7] = [
    (UNMAPPED_WRITE, "the value has no counterpart in the newer version"),
    (UNMAPPED_READ, "the stored value has no counterpart in this version"),
    (TOO_LONG, "data too long"),
    (OUT_OF_RANGE, "out of range value"),
    (NULL_NOT_ALLOWED, "the column cannot be null"),
    (UNFIT, "incorrect value"),
    (NO_DEFAULT, "the column has no default"),
];

/// The expression that raises `code`.
pub fn raise(code: u32) -> String {
    format!("EXP({code})")
}

/// The code that error 1690 with this text carries, if it comes from [`raise`].
pub fn raised(message: &str) -> Option<u32> {
    let lower = message.to_ascii_lowercase();
    ALL.iter().map(|(code, _)| *code).find(|code| lower.contains(&format!("exp({code})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_code_in_the_servers_text() {
        assert_eq!(raised("DOUBLE value is out of range in 'exp(70004)'"), Some(OUT_OF_RANGE));
        assert_eq!(raised("DOUBLE value is out of range in 'exp(710)'"), None);
    }
}
