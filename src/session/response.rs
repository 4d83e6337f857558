//! The shape of an answer: which packet may come next, and which one is the last.
//!
//! It knows packets' first bytes and counts, nothing of rules; [`Command::answer`] is its table.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html>

use crate::wire::{
    Answer, Capabilities, EofPacket, ErrPacket, MAX_PACKET_LEN, Malformed, OkPacket, PrepareOk, Reader, StatusFlags,
};

/// Follows the answer to one command.
#[derive(Debug)]
pub(super) struct Response {
    awaits: Awaits,
    /// The result sets are binary, so a cursor may hold back the rows.
    is_binary: bool,
    deprecate_eof: bool,
    /// A byte after the number of columns says whether their definitions follow.
    has_metadata_byte: bool,
    /// Results before this one, of the same command.
    result_index: usize,
    /// The status flags of the last OK or EOF.
    status: Option<StatusFlags>,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// The answer is complete.
    Nothing,
    /// The first packet of a result.
    Result,
    /// Column definitions of a result set, then perhaps an EOF.
    Columns(Counted),
    /// The EOF after them.
    ColumnsEof,
    /// Rows, and what ends them.
    Rows,
    /// The first packet of the answer to a prepare.
    Prepare,
    /// Parameters' definitions of a prepared statement; then come its columns.
    PreparedParams(Counted, PrepareOk),
    /// The EOF after them.
    PreparedParamsEof(PrepareOk),
    /// Columns' definitions of a prepared statement.
    PreparedColumns(Counted),
    /// The EOF after them.
    PreparedColumnsEof,
    /// Definitions up to an EOF.
    Fields,
    /// One packet.
    Single,
    /// Packets without an end.
    Endless,
}

/// How many definitions came, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    index: u64,
    count: u64,
}

/// What one packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet {
    /// The definition of a column of the first result set or of a prepared statement.
    Column(usize),
    /// The EOF after definitions.
    DefinitionsEof,
    /// An error; nothing follows.
    Err,
    /// The server asks for a file.
    InfileRequest,
    /// An OK or EOF that ends a result.
    Ok,
    /// Something to be sent on without a look.
    Other,
    /// The definition of a parameter.
    Param(usize),
    /// The EOF after the definitions of parameters.
    ParamsEof,
    /// A prepare OK.
    PrepareOk(PrepareOk),
    /// A row.
    Row,
}

impl Response {
    /// Starts before the first packet.
    pub fn new(answer: Answer, capabilities: Capabilities) -> Self {
        let awaits = match answer {
            Answer::BinaryResult | Answer::TextResult => Awaits::Result,
            Answer::Endless => Awaits::Endless,
            Answer::Fields => Awaits::Fields,
            Answer::None => Awaits::Nothing,
            Answer::Prepare => Awaits::Prepare,
            Answer::Rows => Awaits::Rows,
            Answer::Authentication | Answer::Single => Awaits::Single,
        };
        Self {
            awaits,
            is_binary: answer == Answer::BinaryResult,
            deprecate_eof: capabilities.has(Capabilities::DEPRECATE_EOF),
            has_metadata_byte: capabilities.has_any(METADATA_BYTE),
            result_index: 0,
            status: None,
        }
    }

    /// Whether nothing more comes.
    pub fn is_complete(&self) -> bool {
        self.awaits == Awaits::Nothing
    }

    /// Whether a packet after one that ended a result begins another.
    pub fn begins_result(&self) -> bool {
        self.awaits == Awaits::Result
    }

    /// Whether packets come without an end.
    pub fn is_endless(&self) -> bool {
        self.awaits == Awaits::Endless
    }

    /// The status flags of the last OK or EOF.
    pub fn status(&self) -> Option<StatusFlags> {
        self.status
    }

    /// Whether a packet can be sent on before all of it is there: a row that nobody needs to see.
    pub fn is_streamed(&self, len: usize, first: Option<u8>) -> bool {
        match self.awaits {
            Awaits::Endless => first != Some(ErrPacket::HEADER) && !ends_stream(len, first),
            Awaits::Rows => !self.ends_rows(len, first) && first != Some(ErrPacket::HEADER),
            _ => false,
        }
    }

    /// Takes the next payload.
    pub fn packet(&mut self, payload: &[u8]) -> Result<Packet, Malformed> {
        let first = payload.first().copied();
        if first == Some(ErrPacket::HEADER) {
            // A progress report ends nothing.
            if ErrPacket::decode(payload)?.number == ErrPacket::PROGRESS {
                return Ok(Packet::Other);
            }
            self.awaits = Awaits::Nothing;
            return Ok(Packet::Err);
        }
        match self.awaits {
            Awaits::Result => self.result(payload),
            Awaits::Columns(counted) => Ok(self.column(counted)),
            Awaits::ColumnsEof => self.columns_eof(payload),
            Awaits::Rows | Awaits::Fields if self.ends_rows(payload.len(), first) => self.end_of_rows(payload),
            Awaits::Rows => Ok(Packet::Row),
            Awaits::Prepare => self.prepare_ok(payload),
            Awaits::PreparedParams(counted, ok) => Ok(self.prepared_param(counted, ok)),
            Awaits::PreparedParamsEof(ok) => {
                self.awaits = self.prepared_columns(ok);
                Ok(Packet::ParamsEof)
            }
            Awaits::PreparedColumns(counted) => Ok(self.prepared_column(counted)),
            Awaits::PreparedColumnsEof => {
                self.awaits = Awaits::Nothing;
                Ok(Packet::DefinitionsEof)
            }
            Awaits::Endless if ends_stream(payload.len(), first) => {
                self.awaits = Awaits::Nothing;
                Ok(Packet::Ok)
            }
            Awaits::Fields | Awaits::Nothing | Awaits::Endless => Ok(Packet::Other),
            Awaits::Single => Ok(self.single(payload)),
        }
    }

    fn result(&mut self, payload: &[u8]) -> Result<Packet, Malformed> {
        match payload.first() {
            Some(&OkPacket::HEADER) => {
                let status = OkPacket::decode(payload)?.status;
                self.end_of_result(status);
                Ok(Packet::Ok)
            }
            Some(0xFB) => Ok(Packet::InfileRequest),
            Some(&EofPacket::HEADER) if payload.len() < EofPacket::LEN_LIMIT => self.end_of_rows(payload),
            _ => {
                let mut reader = Reader::new(payload, "column count");
                let count = reader.lenenc()?;
                let has_definitions = !self.has_metadata_byte || reader.u8()? != 0;
                self.awaits =
                    if has_definitions { Awaits::Columns(Counted { index: 0, count }) } else { self.after_columns() };
                Ok(Packet::Other)
            }
        }
    }

    fn column(&mut self, counted: Counted) -> Packet {
        self.awaits = match counted.next() {
            Some(counted) => Awaits::Columns(counted),
            None => self.after_columns(),
        };
        // Only the first result set belongs to the statement that was planned.
        if self.result_index == 0 { counted.packet(Packet::Column) } else { Packet::Other }
    }

    fn after_columns(&self) -> Awaits {
        if self.deprecate_eof { Awaits::Rows } else { Awaits::ColumnsEof }
    }

    fn columns_eof(&mut self, payload: &[u8]) -> Result<Packet, Malformed> {
        let status = EofPacket::decode(payload)?.status;
        if self.is_binary && status.has(StatusFlags::CURSOR_EXISTS) {
            self.end_of_result(status);
        } else {
            self.status = Some(status);
            self.awaits = Awaits::Rows;
        }
        Ok(Packet::DefinitionsEof)
    }

    fn end_of_rows(&mut self, payload: &[u8]) -> Result<Packet, Malformed> {
        let status = if self.deprecate_eof && payload.len() > EOF_LEN {
            OkPacket::decode(payload)?.status
        } else {
            EofPacket::decode(payload)?.status
        };
        // MySQL says of OUT parameters only before their row that another result follows.
        let before = self.status.filter(|before| before.has(StatusFlags::PS_OUT_PARAMS)).unwrap_or_default();
        self.end_of_result(StatusFlags(status.0 | before.0 & StatusFlags::MORE_RESULTS.0));
        Ok(Packet::Ok)
    }

    fn end_of_result(&mut self, status: StatusFlags) {
        self.status = Some(status);
        self.result_index += 1;
        self.awaits = if status.has(StatusFlags::MORE_RESULTS) { Awaits::Result } else { Awaits::Nothing };
    }

    fn prepare_ok(&mut self, payload: &[u8]) -> Result<Packet, Malformed> {
        let ok = PrepareOk::decode(payload)?;
        self.awaits = match Counted::of(ok.param_count) {
            None => self.prepared_columns(ok),
            Some(counted) if ok.has_definitions => Awaits::PreparedParams(counted, ok),
            Some(_) => self.after_prepared_params(ok),
        };
        Ok(Packet::PrepareOk(ok))
    }

    fn prepared_param(&mut self, counted: Counted, ok: PrepareOk) -> Packet {
        self.awaits = match counted.next() {
            Some(counted) => Awaits::PreparedParams(counted, ok),
            None => self.after_prepared_params(ok),
        };
        counted.packet(Packet::Param)
    }

    fn after_prepared_params(&self, ok: PrepareOk) -> Awaits {
        if self.deprecate_eof { self.prepared_columns(ok) } else { Awaits::PreparedParamsEof(ok) }
    }

    fn prepared_columns(&self, ok: PrepareOk) -> Awaits {
        match Counted::of(ok.column_count) {
            None => Awaits::Nothing,
            Some(counted) if ok.has_definitions => Awaits::PreparedColumns(counted),
            // Where definitions are left out, the EOF after them is not.
            Some(_) => self.after_prepared_columns(),
        }
    }

    fn after_prepared_columns(&self) -> Awaits {
        if self.deprecate_eof { Awaits::Nothing } else { Awaits::PreparedColumnsEof }
    }

    fn prepared_column(&mut self, counted: Counted) -> Packet {
        self.awaits = match counted.next() {
            Some(counted) => Awaits::PreparedColumns(counted),
            None => self.after_prepared_columns(),
        };
        counted.packet(Packet::Column)
    }

    fn single(&mut self, payload: &[u8]) -> Packet {
        self.awaits = Awaits::Nothing;
        // COM_STATISTICS answers with a bare string, so what does not decode is fine.
        let status = match payload.first() {
            Some(&OkPacket::HEADER) => OkPacket::decode(payload).ok().map(|ok| ok.status),
            Some(&EofPacket::HEADER) => EofPacket::decode(payload).ok().map(|eof| eof.status),
            _ => None,
        };
        self.status = status.or(self.status);
        if status.is_some() { Packet::Ok } else { Packet::Other }
    }

    fn ends_rows(&self, len: usize, first: Option<u8>) -> bool {
        let limit = if self.deprecate_eof { MAX_PACKET_LEN } else { EofPacket::LEN_LIMIT };
        first == Some(EofPacket::HEADER) && len < limit
    }
}

/// A dump that does not wait for new events ends with an EOF, which may be an OK.
fn ends_stream(len: usize, first: Option<u8>) -> bool {
    first == Some(EofPacket::HEADER) && len < EofPacket::LEN_LIMIT
}

/// Both servers leave out definitions, and tell so alike: MySQL where `resultset_metadata` says so, MariaDB where they
/// are those of the EXECUTE before.
const METADATA_BYTE: Capabilities =
    Capabilities(Capabilities::OPTIONAL_RESULTSET_METADATA.0 | Capabilities::CACHE_METADATA.0);

/// Length of an EOF; an OK is longer.
const EOF_LEN: usize = 5;

impl Counted {
    fn of(count: u16) -> Option<Self> {
        (count > 0).then_some(Self { index: 0, count: count.into() })
    }

    fn next(self) -> Option<Self> {
        (self.index + 1 < self.count).then_some(Self { index: self.index + 1, count: self.count })
    }

    fn packet(self, packet: fn(usize) -> Packet) -> Packet {
        usize::try_from(self.index).map_or(Packet::Other, packet)
    }
}
