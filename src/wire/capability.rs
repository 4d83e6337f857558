//! Capability flags: what client and server agree on in the connection phase.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>

/// A set of capability flags: in the lower half those of both servers, in the upper half MariaDB's extended ones,
/// which exist only where [`Capabilities::CLIENT_MYSQL`] is clear.
///
/// <https://mariadb.com/kb/en/connection/#capabilities>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// Whoever says this is not MariaDB; in MySQL, `CLIENT_LONG_PASSWORD`.
    pub const CLIENT_MYSQL: Self = Self(1);
    /// The client can name a database in its handshake response.
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    /// The zlib-compressed protocol.
    pub const COMPRESS: Self = Self(1 << 5);
    /// The protocol of MySQL 4.1 and later.
    pub const PROTOCOL_41: Self = Self(1 << 9);
    /// TLS after an `SSLRequest`.
    pub const SSL: Self = Self(1 << 11);
    /// The authentication answer of the handshake response has a length byte.
    pub const SECURE_CONNECTION: Self = Self(1 << 15);
    /// A text may hold several statements.
    pub const MULTI_STATEMENTS: Self = Self(1 << 16);
    /// Authentication plugins are named.
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    /// The handshake response has connection attributes.
    pub const CONNECT_ATTRS: Self = Self(1 << 20);
    /// The authentication answer is a length-encoded string.
    pub const PLUGIN_AUTH_LENENC: Self = Self(1 << 21);
    /// OK packets may tell of changes in the session's state.
    pub const SESSION_TRACK: Self = Self(1 << 23);
    /// Result sets end with an OK packet, and definitions have no EOF after them.
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    /// Result sets may come without column definitions, as a byte before them says.
    pub const OPTIONAL_RESULTSET_METADATA: Self = Self(1 << 25);
    /// The zstd-compressed protocol.
    pub const ZSTD: Self = Self(1 << 26);
    /// Commands carry query attributes before their text.
    pub const QUERY_ATTRIBUTES: Self = Self(1 << 27);
    /// More than one authentication factor.
    pub const MULTI_FACTOR_AUTHENTICATION: Self = Self(1 << 28);
    /// MariaDB's progress reports, before they had a bit of their own; in MySQL the bit is reserved.
    pub const PROGRESS_OBSOLETE: Self = Self(1 << 29);
    /// MariaDB's progress reports: ERR packets with the number 0xFFFF.
    pub const PROGRESS: Self = Self(1 << 32);
    /// `COM_MULTI`, which no server has any more.
    pub const COM_MULTI: Self = Self(1 << 33);
    /// `COM_STMT_BULK_EXECUTE`.
    pub const STMT_BULK_OPERATIONS: Self = Self(1 << 34);
    /// Column definitions carry another length-encoded string after the names.
    pub const EXTENDED_METADATA: Self = Self(1 << 35);
    /// The result of an EXECUTE may come without column definitions, as a byte after their count says.
    pub const CACHE_METADATA: Self = Self(1 << 36);
    /// `COM_STMT_BULK_EXECUTE` may be answered with a result set: a row for each of the parameters' rows.
    pub const BULK_UNIT_RESULTS: Self = Self(1 << 37);

    /// What is not taken from one leg to the other: what Bifocal does not speak, and what is each leg's own, which are
    /// TLS and compression.
    pub const MASKED: Self = Self(
        Self::COMPRESS.0
            | Self::SSL.0
            | Self::ZSTD.0
            | Self::PROGRESS_OBSOLETE.0
            | (Self::EXTENDED.0 & !Self::SPOKEN_EXTENDED.0),
    );

    /// All of MariaDB's extended capabilities, also those that are yet to come.
    const EXTENDED: Self = Self(!0 << 32);

    /// Those of them that Bifocal speaks.
    const SPOKEN_EXTENDED: Self = Self(
        Self::PROGRESS.0
            | Self::STMT_BULK_OPERATIONS.0
            | Self::EXTENDED_METADATA.0
            | Self::CACHE_METADATA.0
            | Self::BULK_UNIT_RESULTS.0,
    );

    /// What a client may only use when the server offered it, and what leaves the layout of the handshake
    /// response alone when it is cleared there.
    pub const AS_OFFERED: Self = Self(
        Self::DEPRECATE_EOF.0
            | Self::SESSION_TRACK.0
            | Self::OPTIONAL_RESULTSET_METADATA.0
            | Self::QUERY_ATTRIBUTES.0
            | Self::EXTENDED.0,
    );

    /// These flags and those of `flags`.
    #[must_use]
    pub fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// The flags as a greeting or a handshake response has them: the 32 bits that both servers know, then MariaDB's.
    pub fn from_halves(low: u32, extended: u32) -> Self {
        let extended = if low & 1 == 0 { extended } else { 0 };
        Self(u64::from(low) | u64::from(extended) << 32)
    }

    /// The reverse of [`Capabilities::from_halves`], as bytes.
    #[expect(clippy::cast_possible_truncation)]
    pub fn halves(self) -> ([u8; 4], [u8; 4]) {
        ((self.0 as u32).to_le_bytes(), ((self.0 >> 32) as u32).to_le_bytes())
    }

    /// Whether every flag of `flags` is set.
    pub fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether any flag of `flags` is set.
    pub fn has_any(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    /// The flags that both have.
    #[must_use]
    pub fn and(self, flags: Self) -> Self {
        Self(self.0 & flags.0)
    }

    /// These flags without those of `flags`.
    #[must_use]
    pub fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}
