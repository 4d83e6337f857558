//! The greeting (`HandshakeV10`), with which the server opens the connection phase.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>;
//! MariaDB's use of the reserved bytes: <https://mariadb.com/kb/en/connection/#initial-handshake-packet>

use std::ops::Range;

use super::{Capabilities, Malformed, Reader};

/// What Bifocal reads of a greeting, and where the capability flags stand in its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The server's capability flags.
    pub capabilities: Capabilities,
    /// What passwords are scrambled with.
    pub scramble: Vec<u8>,
    /// The plugin that the server would like.
    pub plugin: Vec<u8>,
    low: Range<usize>,
    high: Range<usize>,
    extended: Range<usize>,
}

impl Greeting {
    /// The protocol version that starts a greeting.
    pub const VERSION: u8 = 10;

    /// Reads a payload.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        const WHAT: &str = "greeting";
        let mut reader = Reader::new(payload, WHAT);
        if reader.u8()? != Self::VERSION {
            return Err(Malformed(WHAT));
        }
        reader.nul_bytes()?;
        // Connection id, then the first part of the scramble and a filler.
        reader.take(4)?;
        let mut scramble = reader.take(8)?.to_vec();
        reader.take(1)?;
        let low_start = reader.offset();
        let low = reader.u16()?;
        // Collation, status flags.
        reader.take(1 + 2)?;
        let high_start = reader.offset();
        let high = reader.u16()?;
        // Length of the scramble, then ten reserved bytes, of which MariaDB uses the last four.
        reader.take(1 + 6)?;
        let extended_start = reader.offset();
        let extended = reader.u32()?;
        // The rest of the scramble, and the plugin's name.
        scramble.extend_from_slice(reader.nul_or_rest());
        let plugin = reader.nul_or_rest().to_vec();
        let low_half = u32::from(low) | u32::from(high) << 16;
        Ok(Self {
            capabilities: Capabilities::from_halves(low_half, extended),
            scramble,
            plugin,
            low: low_start..low_start + 2,
            high: high_start..high_start + 2,
            extended: extended_start..extended_start + 4,
        })
    }

    /// Writes `capabilities` into the payload this was read from.
    pub fn patch(&self, payload: &mut [u8], capabilities: Capabilities) {
        let (both, extended) = capabilities.halves();
        payload[self.low.clone()].copy_from_slice(&both[..2]);
        payload[self.high.clone()].copy_from_slice(&both[2..]);
        payload[self.extended.clone()].copy_from_slice(&extended);
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Greeting};

    /// The manual's example of MySQL 5.5.2, with MariaDB's extended capabilities put in.
    const PAYLOAD: &[u8] = b"\x0a5.5.2-m2\0\x0b\0\0\0dvH@I-CJ\0\xfe\xf7\x08\x02\0\xff\x81\
        \x15\0\0\0\0\0\0\x1d\0\0\0*4d|cZwk4^]:\0mysql_native_password\0";

    #[test]
    fn reads_and_patches_the_flags_alone() {
        let greeting = Greeting::decode(PAYLOAD).expect("a greeting");
        assert_eq!(greeting.capabilities, Capabilities(0x1D_81FF_F7FE));
        assert_eq!(greeting.scramble, b"dvH@I-CJ*4d|cZwk4^]:");
        assert_eq!(greeting.plugin, b"mysql_native_password");
        let mut patched = PAYLOAD.to_vec();
        greeting.patch(&mut patched, Capabilities(0x0102_0304));
        let again = Greeting::decode(&patched).expect("a greeting");
        assert_eq!(again.capabilities, Capabilities(0x0102_0304));
        let changed = PAYLOAD.iter().zip(&patched).filter(|(a, b)| a != b).count();
        assert_eq!(changed, 5, "four bytes of flags and MariaDB's one");
    }

    #[test]
    fn every_cut_is_malformed_or_complete() {
        for len in 0..PAYLOAD.len() {
            let _ = Greeting::decode(&PAYLOAD[..len]);
        }
        assert!(Greeting::decode(&PAYLOAD[..20]).is_err());
    }
}
