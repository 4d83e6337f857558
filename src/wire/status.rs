//! Status flags: what a server says about the session in every OK and EOF packet.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html#a1d854e841086925be1883e4d7b4e8cad>

/// A set of status flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusFlags(pub u16);

impl StatusFlags {
    /// A transaction is open.
    pub const IN_TRANS: Self = Self(0x0001);
    /// Another result follows this one.
    pub const MORE_RESULTS: Self = Self(0x0008);
    /// The statement opened a cursor, so its rows come by `COM_STMT_FETCH`.
    pub const CURSOR_EXISTS: Self = Self(0x0040);

    /// The result is a procedure's OUT parameters.
    pub const PS_OUT_PARAMS: Self = Self(0x1000);

    /// Whether every flag of `flags` is set.
    pub fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}
