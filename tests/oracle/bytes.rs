//! The bytes of a case's text: in a charset, and with raw bytes in it.

use std::borrow::Cow;

use anyhow::{Context, Result};
use encoding_rs::Encoding;

/// Begins raw bytes, e.g. `{x:BF5C}`.
const RAW: &str = "{x:";

/// `text` in a charset; what the charset lacks, and every text of a charset without a table here, stays UTF-8.
pub fn of(text: &str, charset: Option<&str>) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(RAW) {
        let (digits, after) = after.split_once('}').context("{x: without }")?;
        bytes.extend_from_slice(&encoded(before, charset));
        for pair in digits.as_bytes().chunks(2) {
            bytes.push(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
        }
        rest = after;
    }
    bytes.extend_from_slice(&encoded(rest, charset));
    Ok(bytes)
}

fn encoded<'t>(text: &'t str, charset: Option<&str>) -> Cow<'t, [u8]> {
    match charset.and_then(encoding) {
        Some(encoding) => encoding.encode(text).0,
        None => Cow::Borrowed(text.as_bytes()),
    }
}

fn encoding(charset: &str) -> Option<&'static Encoding> {
    let label = match charset {
        "big5" => "big5",
        "cp1251" => "windows-1251",
        "cp932" | "sjis" => "shift_jis",
        "euckr" => "euc-kr",
        "eucjpms" | "ujis" => "euc-jp",
        "gb18030" => "gb18030",
        "gb2312" | "gbk" => "gbk",
        "greek" => "iso-8859-7",
        "latin1" => "windows-1252",
        "latin2" => "iso-8859-2",
        _ => return None,
    };
    Encoding::for_label(label.as_bytes())
}
