//! What a backend says of an authentication plugin in the middle of the dialog: `AuthSwitchRequest`, and MySQL's
//! `AuthNextFactor`, which has the same form.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_auth_switch_request.html>;
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_auth_next_factor_request.html>

use super::Reader;

/// The plugin that goes on with the dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthSwitch<'a> {
    /// Its name; empty in the form of before 4.1, which names none.
    pub plugin: &'a [u8],
    /// What it begins with, for most plugins the scramble.
    pub data: &'a [u8],
}

impl<'a> AuthSwitch<'a> {
    /// The first byte of an `AuthSwitchRequest`.
    pub const HEADER: u8 = 0xFE;

    /// The first byte of an `AuthNextFactor`.
    pub const NEXT_FACTOR: u8 = 0x02;

    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Self {
        let mut reader = Reader::new(payload.get(1..).unwrap_or_default(), "AuthSwitchRequest");
        Self { plugin: reader.nul_or_rest(), data: reader.rest() }
    }
}

#[cfg(test)]
mod tests {
    use super::AuthSwitch;

    #[test]
    fn reads_the_plugin_and_its_data() {
        let switch = AuthSwitch::decode(b"\xfemysql_native_password\0z{-Sw9:8pwn0R\0");
        assert_eq!(switch, AuthSwitch { plugin: b"mysql_native_password", data: b"z{-Sw9:8pwn0R\0" });
        assert_eq!(AuthSwitch::decode(b"\xfe"), AuthSwitch { plugin: b"", data: b"" });
    }
}
