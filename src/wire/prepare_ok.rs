//! The first packet of the answer to `COM_STMT_PREPARE`.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html>

use super::{Malformed, Reader, StatementId};

/// A prepare OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrepareOk {
    /// The statement's id.
    pub statement: StatementId,
    /// How many columns its result set has.
    pub column_count: u16,
    /// How many parameters it takes.
    pub param_count: u16,
    /// Whether definitions follow; they are left out only where optional metadata is agreed on.
    pub has_definitions: bool,
}

impl PrepareOk {
    /// Reads a payload.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "prepare OK");
        reader.u8()?;
        let (statement, column_count, param_count) = (StatementId(reader.u32()?), reader.u16()?, reader.u16()?);
        // A filler and the number of warnings, which no server has left out since 5.0; then the byte, if there is one.
        let is_without = reader.take(3).and_then(|_| reader.u8()).is_ok_and(|byte| byte == 0);
        Ok(Self { statement, column_count, param_count, has_definitions: !is_without })
    }

    /// Writes another number of parameters into the payload this was read from.
    pub fn patch_param_count(payload: &mut [u8], param_count: u16) {
        payload[7..9].copy_from_slice(&param_count.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{PrepareOk, StatementId};

    #[test]
    fn reads_and_patches_the_manuals_example() {
        let mut payload = *b"\x00\x01\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00";
        let ok = PrepareOk::decode(&payload).expect("a prepare OK");
        assert_eq!(ok, PrepareOk { statement: StatementId(1), column_count: 1, param_count: 2, has_definitions: true });
        for (byte, has_definitions) in [(0, false), (1, true)] {
            let ok = PrepareOk::decode(&[&payload[..], &[byte]].concat()).expect("a prepare OK");
            assert_eq!(ok.has_definitions, has_definitions);
        }
        PrepareOk::patch_param_count(&mut payload, 0x105);
        assert_eq!(PrepareOk::decode(&payload).map(|ok| ok.param_count), Ok(0x105));
    }
}
