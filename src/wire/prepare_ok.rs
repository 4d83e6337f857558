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
}

impl PrepareOk {
    /// Reads a payload.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "prepare OK");
        reader.u8()?;
        Ok(Self { statement: StatementId(reader.u32()?), column_count: reader.u16()?, param_count: reader.u16()? })
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
        assert_eq!(ok, PrepareOk { statement: StatementId(1), column_count: 1, param_count: 2 });
        PrepareOk::patch_param_count(&mut payload, 0x105);
        assert_eq!(PrepareOk::decode(&payload).map(|ok| ok.param_count), Ok(0x105));
    }
}
