//! Capability flags: what client and server agree on in the connection phase.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>

/// A set of capability flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(pub u32);

impl Capabilities {
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
    /// MariaDB's progress reports; in MySQL the bit is reserved.
    pub const PROGRESS: Self = Self(1 << 29);

    /// What Bifocal does not speak: neither leg has these.
    pub const MASKED: Self = Self(
        Self::COMPRESS.0
            | Self::SSL.0
            | Self::OPTIONAL_RESULTSET_METADATA.0
            | Self::ZSTD.0
            | Self::QUERY_ATTRIBUTES.0
            | Self::MULTI_FACTOR_AUTHENTICATION.0
            | Self::PROGRESS.0,
    );

    /// What a client may only use when the server offered it, and what leaves the layout of the handshake
    /// response alone when it is cleared there.
    pub const AS_OFFERED: Self = Self(Self::DEPRECATE_EOF.0 | Self::SESSION_TRACK.0);

    /// Whether every flag of `flags` is set.
    pub fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags without those of `flags`.
    #[must_use]
    pub fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}
