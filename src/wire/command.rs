//! Commands, and the table of what each is answered with.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>

/// A command, by the first byte of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// `COM_QUIT`
    Quit = 0x01,
    /// `COM_INIT_DB`
    InitDb = 0x02,
    /// `COM_QUERY`
    Query = 0x03,
    /// `COM_FIELD_LIST`
    FieldList = 0x04,
    /// `COM_CREATE_DB`
    CreateDb = 0x05,
    /// `COM_DROP_DB`
    DropDb = 0x06,
    /// `COM_REFRESH`
    Refresh = 0x07,
    /// `COM_SHUTDOWN`
    Shutdown = 0x08,
    /// `COM_STATISTICS`
    Statistics = 0x09,
    /// `COM_PROCESS_INFO`
    ProcessInfo = 0x0A,
    /// `COM_PROCESS_KILL`
    ProcessKill = 0x0C,
    /// `COM_DEBUG`
    Debug = 0x0D,
    /// `COM_PING`
    Ping = 0x0E,
    /// `COM_CHANGE_USER`
    ChangeUser = 0x11,
    /// `COM_BINLOG_DUMP`
    BinlogDump = 0x12,
    /// `COM_TABLE_DUMP`
    TableDump = 0x13,
    /// `COM_REGISTER_SLAVE`
    RegisterReplica = 0x15,
    /// `COM_STMT_PREPARE`
    StmtPrepare = 0x16,
    /// `COM_STMT_EXECUTE`
    StmtExecute = 0x17,
    /// `COM_STMT_SEND_LONG_DATA`
    StmtSendLongData = 0x18,
    /// `COM_STMT_CLOSE`
    StmtClose = 0x19,
    /// `COM_STMT_RESET`
    StmtReset = 0x1A,
    /// `COM_SET_OPTION`
    SetOption = 0x1B,
    /// `COM_STMT_FETCH`
    StmtFetch = 0x1C,
    /// `COM_BINLOG_DUMP_GTID`
    BinlogDumpGtid = 0x1E,
    /// `COM_RESET_CONNECTION`
    ResetConnection = 0x1F,
    /// MySQL's `COM_CLONE`
    Clone = 0x20,
    /// MySQL's `COM_SUBSCRIBE_GROUP_REPLICATION_STREAM`
    SubscribeGroupReplication = 0x21,
    /// MariaDB's `COM_STMT_BULK_EXECUTE`
    StmtBulkExecute = 0xFA,
}

/// The shape of a command's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A dialog that ends with OK or ERR.
    Authentication,
    /// OK, ERR, a LOCAL INFILE request, or a result set in the binary protocol that a cursor may hold back.
    BinaryResult,
    /// Packets without an end: replication.
    Endless,
    /// Column definitions up to an EOF.
    Fields,
    /// Nothing.
    None,
    /// A prepare OK and the definitions that it counts, or ERR.
    Prepare,
    /// Rows of an open cursor up to an EOF.
    Rows,
    /// One packet, whatever it is: OK, ERR, EOF, or the bare string of `COM_STATISTICS`.
    Single,
    /// OK, ERR, a LOCAL INFILE request, or a result set in the text protocol.
    TextResult,
}

impl Command {
    /// Every command with its answer.
    pub const ALL: [(Self, Answer); 29] = [
        (Self::Quit, Answer::None),
        (Self::InitDb, Answer::Single),
        (Self::Query, Answer::TextResult),
        (Self::FieldList, Answer::Fields),
        (Self::CreateDb, Answer::Single),
        (Self::DropDb, Answer::Single),
        (Self::Refresh, Answer::Single),
        (Self::Shutdown, Answer::Single),
        (Self::Statistics, Answer::Single),
        (Self::ProcessInfo, Answer::TextResult),
        (Self::ProcessKill, Answer::Single),
        (Self::Debug, Answer::Single),
        (Self::Ping, Answer::Single),
        (Self::ChangeUser, Answer::Authentication),
        (Self::BinlogDump, Answer::Endless),
        (Self::TableDump, Answer::Endless),
        (Self::RegisterReplica, Answer::Single),
        (Self::StmtPrepare, Answer::Prepare),
        (Self::StmtExecute, Answer::BinaryResult),
        (Self::StmtSendLongData, Answer::None),
        (Self::StmtClose, Answer::None),
        (Self::StmtReset, Answer::Single),
        (Self::SetOption, Answer::Single),
        (Self::StmtFetch, Answer::Rows),
        (Self::BinlogDumpGtid, Answer::Endless),
        (Self::ResetConnection, Answer::Single),
        (Self::Clone, Answer::Endless),
        (Self::SubscribeGroupReplication, Answer::Endless),
        (Self::StmtBulkExecute, Answer::BinaryResult),
    ];

    /// The command of that first byte; none if no server knows it.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.iter().map(|(command, _)| *command).find(|command| *command as u8 == byte)
    }

    /// What it is answered with.
    pub fn answer(self) -> Answer {
        let entry = Self::ALL.iter().find(|(command, _)| *command == self);
        entry.map_or(Answer::Single, |(_, answer)| *answer)
    }
}

/// The id of a prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatementId(pub u32);

impl StatementId {
    /// In MariaDB, the statement that was prepared last.
    pub const LAST: Self = Self(u32::MAX);
}

#[cfg(test)]
mod tests {
    use super::{Answer, Command};

    #[test]
    fn every_byte_is_one_command_or_none() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|byte| Command::from_byte(*byte).is_some()).collect();
        assert_eq!(known.len(), Command::ALL.len());
        assert!(Command::ALL.iter().all(|(command, answer)| command.answer() == *answer));
        assert_eq!(Command::StmtClose.answer(), Answer::None);
    }
}
