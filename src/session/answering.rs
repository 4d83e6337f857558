//! The answer to one command on its way to the client: rows pass as they are, definitions and errors are put in
//! the version's own words, and the parameters of a rewritten prepare are counted as the client's.

use std::sync::Arc;

use super::{
    End, Io, Planner,
    diagnostics::Diagnostics,
    facts,
    response::{Packet, Response},
    statements::{Reorder, Statement},
    version::Chain,
};
use crate::{
    rewrite::{Facts, ResultTable, ServerError},
    wire::{
        Answer, Capabilities, ColumnDefinition, EofPacket, ErrPacket, Extent, HEADER_LEN, Header, Malformed, PrepareOk,
        StatementId, StatusFlags, put_payload,
    },
};

/// A command whose answer is not complete.
#[derive(Debug)]
pub(super) struct Answering {
    /// What the answer looks like.
    pub response: Response,
    /// What asked for it.
    pub origin: Origin,
    capabilities: Capabilities,
    numbering: Numbering,
    /// Sequence id of the last packet that the client sent or got.
    client_seq: u8,
    /// Bytes of the current row that have not come yet.
    row_left: usize,
    /// The next packet continues a row.
    is_row_continued: bool,
    /// The client sends a file.
    infile: Option<Infile>,
}

/// How the client's sequence ids come from the backend's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    /// This is added: a rewrite may have more or fewer packets than the original.
    Delta(u8),
    /// The backend's say nothing, so packets are counted.
    Counted,
}

/// Why there is an answer.
#[derive(Debug)]
pub(super) enum Origin {
    /// The session's own question.
    Facts(FactsAnswer),
    /// A command without a plan.
    Plain,
    /// A statement that was planned.
    Planned(Planned),
    /// A prepare, and its statement as it will be remembered.
    Prepare(Preparing),
    /// The server's warnings about a planned statement.
    Warnings(Diagnostics),
}

/// What the answer to a planned statement is changed with.
#[derive(Debug)]
pub(super) struct Planned {
    pub chain: Chain,
    pub text: Arc<[u8]>,
    pub tables: Arc<[ResultTable]>,
    /// The error that was put in place of the backend's, if it is another one.
    pub raised: Option<ServerError>,
}

/// A statement that the backend is about to prepare.
#[derive(Debug)]
pub(super) struct Preparing {
    pub statement: Statement,
    /// Its id, once the backend has told it.
    pub id: Option<StatementId>,
    /// The error that was put in place of the backend's, if it is another one.
    pub raised: Option<ServerError>,
    /// The backend's definitions of its parameters.
    params: Vec<Vec<u8>>,
}

/// What the backend answered to the session's question.
#[derive(Debug, Default)]
pub(super) struct FactsAnswer {
    pub facts: Option<Facts>,
    /// The server takes no payload that is as long as this.
    pub payload_limit: usize,
    /// The payload of an ERR.
    pub error: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Infile {
    packet_left: usize,
    is_continued: bool,
}

/// How far an answer came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Complete,
    Ended(End),
    Wait,
}

impl Preparing {
    pub fn new(statement: Statement) -> Self {
        Self { statement, id: None, raised: None, params: Vec::new() }
    }
}

impl Answering {
    /// Starts after a command whose last packet had the sequence id `client_seq` when the client sent it, and
    /// `backend_seq` when the backend got it.
    pub fn new(answer: Answer, origin: Origin, capabilities: Capabilities, client_seq: u8, backend_seq: u8) -> Self {
        Self {
            response: Response::new(answer, capabilities),
            origin,
            capabilities,
            numbering: Numbering::Delta(client_seq.wrapping_sub(backend_seq)),
            client_seq,
            row_left: 0,
            is_row_continued: false,
            infile: None,
        }
    }

    /// The same for a backend whose ids say nothing, if it is one.
    pub fn counted(mut self, is_counted: bool) -> Self {
        if is_counted {
            self.numbering = Numbering::Counted;
        }
        self
    }

    /// Whether packets come without an end.
    pub fn is_endless(&self) -> bool {
        self.response.is_endless()
    }

    /// The sequence id of an ERR in place of the rest of the answer; none in the middle of a packet, and none while the
    /// client sends a file.
    pub fn next_seq(&self) -> Option<u8> {
        (self.row_left == 0 && !self.is_row_continued && self.infile.is_none()).then(|| self.client_seq.wrapping_add(1))
    }

    /// Whether the client sends a file.
    pub fn is_infile(&self) -> bool {
        self.infile.is_some()
    }

    /// Sends the client's file on.
    pub fn client(&mut self, io: &mut Io<'_>) {
        while let Some(infile) = &mut self.infile {
            let len = infile.packet_left.min(io.client.rest().len());
            if len > 0 {
                infile.packet_left -= len;
                io.client.relay(len);
                continue;
            }
            let Some(header) = Header::read(io.client.rest()) else { break };
            let backend_seq = match self.numbering {
                Numbering::Delta(delta) => header.seq.wrapping_sub(delta),
                // Only the codec looks, to which 0 could begin a command.
                Numbering::Counted => 1,
            };
            self.client_seq = header.seq;
            if backend_seq != header.seq {
                io.client.rest_mut()[HEADER_LEN - 1] = backend_seq;
            }
            let is_last = header.len == 0 && !infile.is_continued;
            *infile = Infile { packet_left: header.len, is_continued: header.is_continued() };
            io.client.relay(HEADER_LEN);
            if is_last {
                self.infile = None;
            }
        }
        io.client.flush(&mut io.out.to_backend);
    }

    /// Takes the backend's bytes as far as they go.
    pub fn backend(&mut self, io: &mut Io<'_>, planner: &Planner) -> Progress {
        let progress = loop {
            if self.response.is_complete() {
                // An error that comes before the end of the client's file ends the answer, but not the file.
                break if self.infile.is_some() { Progress::Wait } else { Progress::Complete };
            }
            match self.step(io, planner) {
                Ok(true) => {}
                Ok(false) => break Progress::Wait,
                Err(end) => break Progress::Ended(end),
            }
        };
        io.backend.flush(&mut io.out.to_client);
        progress
    }

    fn step(&mut self, io: &mut Io<'_>, planner: &Planner) -> Result<bool, End> {
        if self.row_left > 0 {
            let len = self.row_left.min(io.backend.rest().len());
            self.row_left -= len;
            io.backend.relay(len);
            return Ok(len > 0);
        }
        let is_relayed = !matches!(self.origin, Origin::Facts(_) | Origin::Warnings(_));
        if is_relayed && self.numbering == Numbering::Delta(0) && self.whole_rows(io) {
            return Ok(true);
        }
        let rest = io.backend.rest();
        let Some(header) = Header::read(rest) else { return Ok(false) };
        let first = rest.get(HEADER_LEN).copied();
        if first.is_none() && header.len > 0 {
            return Ok(false);
        }
        if self.is_row_continued || is_relayed && self.response.is_streamed(header.len, first) {
            self.renumber(io, header);
            self.row_left = header.len;
            self.is_row_continued = header.is_continued();
            io.backend.relay(HEADER_LEN);
            return Ok(true);
        }
        let Some(extent) = Extent::find(rest) else {
            return if rest.len() > MAX_WHOLE_LEN { Err(End::TooLong) } else { Ok(false) };
        };
        self.whole(io, extent, planner).map_err(|_| End::BackendBroke)?;
        Ok(true)
    }

    /// Sends on, in one piece, the rows that are there whole; whether there were any. Large results spend their
    /// time here.
    fn whole_rows(&mut self, io: &mut Io<'_>) -> bool {
        let rest = io.backend.rest();
        let mut at = 0;
        while let Some((header, first)) = Header::read(&rest[at..]).zip(rest.get(at + HEADER_LEN)) {
            let end = at + header.packet_len();
            let is_row = self.response.is_streamed(header.len, Some(*first));
            if !is_row || header.len == 0 || header.is_continued() || self.is_row_continued || end > rest.len() {
                break;
            }
            self.client_seq = header.seq;
            at = end;
        }
        io.backend.relay(at);
        at > 0
    }

    fn whole(&mut self, io: &mut Io<'_>, extent: Extent, planner: &Planner) -> Result<(), Malformed> {
        let mut joined = Vec::new();
        let payload = extent.payload(io.backend.rest(), &mut joined);
        let packet = self.response.packet(payload)?;
        let in_place = match &mut self.origin {
            Origin::Facts(answer) => {
                answer.take(packet, payload)?;
                io.backend.skip(extent.wire_len, &mut io.out.to_client);
                return Ok(());
            }
            Origin::Warnings(diagnostics) if packet == Packet::Row => Some(diagnostics.row(payload)?),
            Origin::Plain | Origin::Warnings(_) => None,
            Origin::Planned(planned) => planned.replace(packet, payload, planner)?,
            Origin::Prepare(preparing) => match packet {
                Packet::PrepareOk(_) | Packet::Param(_) | Packet::ParamsEof => {
                    return self.prepared(io, extent, packet);
                }
                _ => {
                    let Statement { chain, text, tables, .. } = &preparing.statement;
                    let (chain, text, tables) = (chain.clone(), text.clone(), tables.clone());
                    let mut planned = Planned { chain, text, tables, raised: None };
                    let in_place = planned.replace(packet, payload, planner)?;
                    preparing.raised = planned.raised;
                    in_place
                }
            },
        };
        match in_place {
            Some(payload) => self.put(io, extent, &payload),
            None => self.relay(io, extent),
        }
        if packet == Packet::InfileRequest {
            self.infile = Some(Infile::default());
        }
        if matches!(packet, Packet::Ok | Packet::DefinitionsEof) && self.response.begins_result() {
            io.begin_result();
        }
        Ok(())
    }

    /// A packet of a prepare's answer that tells of parameters.
    fn prepared(&mut self, io: &mut Io<'_>, extent: Extent, packet: Packet) -> Result<(), Malformed> {
        let Origin::Prepare(preparing) = &mut self.origin else { return Ok(()) };
        if let Packet::PrepareOk(ok) = packet {
            preparing.id = Some(ok.statement);
        }
        let Some(reorder) = preparing.statement.reorder.as_ref().filter(|reorder| !reorder.is_same()) else {
            self.relay(io, extent);
            return Ok(());
        };
        let (client_params, backend_params) = (reorder.client_params, reorder.params.len());
        match packet {
            Packet::PrepareOk(ok) => {
                if usize::from(ok.param_count) != backend_params {
                    return Err(Malformed("number of parameters in the answer to a rewritten statement"));
                }
                let payload = &mut io.backend.rest_mut()[HEADER_LEN..];
                PrepareOk::patch_param_count(payload, client_params);
                self.relay(io, extent);
                if backend_params == 0 {
                    if ok.has_definitions {
                        self.put_params(io);
                    }
                    if !self.capabilities.has(Capabilities::DEPRECATE_EOF) {
                        self.put_eof(io);
                    }
                }
            }
            Packet::Param(index) => {
                let payload = io.backend.rest()[HEADER_LEN..extent.wire_len].to_vec();
                preparing.params.push(payload);
                self.drop_packet(io, extent);
                if index + 1 == backend_params {
                    self.put_params(io);
                }
            }
            _ if client_params == 0 => self.drop_packet(io, extent),
            _ => self.relay(io, extent),
        }
        Ok(())
    }

    /// Tells the client of its own parameters, each as the backend defined the first that takes its value.
    fn put_params(&mut self, io: &mut Io<'_>) {
        let Origin::Prepare(Preparing { statement: Statement { reorder: Some(reorder), .. }, params, .. }) =
            &mut self.origin
        else {
            return;
        };
        let payloads: Vec<Vec<u8>> =
            (0..reorder.client_params).map(|param| definition(reorder, params, param, self.capabilities)).collect();
        params.clear();
        for payload in payloads {
            self.put_extra(io, &payload);
        }
    }

    fn put_eof(&mut self, io: &mut Io<'_>) {
        let mut payload = Vec::new();
        EofPacket { warning_count: 0, status: self.response.status().unwrap_or(StatusFlags(AUTOCOMMIT)) }
            .encode(&mut payload);
        self.put_extra(io, &payload);
    }

    /// Sends a packet that the backend did not send.
    fn put_extra(&mut self, io: &mut Io<'_>, payload: &[u8]) {
        io.backend.flush(&mut io.out.to_client);
        self.client_seq = put_payload(&mut io.out.to_client, self.client_seq.wrapping_add(1), payload);
        if let Numbering::Delta(delta) = &mut self.numbering {
            *delta = delta.wrapping_add(1);
        }
    }

    /// Keeps a packet of the backend from the client.
    fn drop_packet(&mut self, io: &mut Io<'_>, extent: Extent) {
        io.backend.skip(extent.wire_len, &mut io.out.to_client);
        if let Numbering::Delta(delta) = &mut self.numbering {
            *delta = delta.wrapping_sub(1);
        }
    }

    /// Sends `payload` in place of a packet of the backend.
    fn put(&mut self, io: &mut Io<'_>, extent: Extent, payload: &[u8]) {
        io.backend.skip(extent.wire_len, &mut io.out.to_client);
        let seq = self.client_seq_of(extent.first_seq);
        self.client_seq = put_payload(&mut io.out.to_client, seq, payload);
    }

    fn relay(&mut self, io: &mut Io<'_>, extent: Extent) {
        let mut left = extent.wire_len;
        while let Some(header) = Header::read(io.backend.rest()).filter(|_| left > 0) {
            self.renumber(io, header);
            io.backend.relay(header.packet_len());
            left -= header.packet_len();
        }
    }

    fn renumber(&mut self, io: &mut Io<'_>, header: Header) {
        self.client_seq = self.client_seq_of(header.seq);
        if self.client_seq != header.seq {
            io.backend.rest_mut()[HEADER_LEN - 1] = self.client_seq;
        }
    }

    fn client_seq_of(&self, backend_seq: u8) -> u8 {
        match self.numbering {
            Numbering::Delta(delta) => backend_seq.wrapping_add(delta),
            Numbering::Counted => self.client_seq.wrapping_add(1),
        }
    }
}

impl Planned {
    /// A statement that is the same in every version.
    pub fn unchanged() -> Self {
        Self { chain: Chain::default(), text: [].into(), tables: [].into(), raised: None }
    }

    /// What the client gets in place of a packet, if not the packet itself.
    fn replace(&mut self, packet: Packet, payload: &[u8], planner: &Planner) -> Result<Option<Vec<u8>>, Malformed> {
        match packet {
            Packet::Column(_) if self.tables.is_empty() => Ok(None),
            Packet::Column(_) => patched_column(payload, &self.tables),
            Packet::Err if !self.chain.is_empty() => {
                let err = ErrPacket::decode(payload)?;
                let error = ServerError {
                    number: err.number,
                    sqlstate: err.sqlstate.unwrap_or(*b"HY000"),
                    // Bytes that are not UTF-8 are a client's values; the translation looks at names.
                    message: String::from_utf8_lossy(err.message).into_owned(),
                };
                let translated = (planner.translate_error)(error.clone(), &self.chain, &self.text);
                if translated.number != error.number {
                    self.raised = Some(translated.clone());
                }
                Ok((translated != error).then(|| error_payload(&translated)))
            }
            _ => Ok(None),
        }
    }
}

impl FactsAnswer {
    fn take(&mut self, packet: Packet, payload: &[u8]) -> Result<(), Malformed> {
        match packet {
            Packet::Err => self.error = Some(payload.to_vec()),
            Packet::Row => {
                let (facts, payload_limit) = facts::from_row(payload)?;
                (self.facts, self.payload_limit) = (Some(facts), payload_limit);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The definition with the version's own table, where it is a column of a changed one.
fn patched_column(payload: &[u8], tables: &[ResultTable]) -> Result<Option<Vec<u8>>, Malformed> {
    let definition = ColumnDefinition::decode(payload)?;
    let Some(table) = tables.iter().find(|table| table.alias.as_bytes() == definition.table) else { return Ok(None) };
    let mut patched = Vec::with_capacity(payload.len() + 16);
    ColumnDefinition { org_table: table.org_table.as_bytes(), ..definition }.encode(&mut patched);
    Ok(Some(patched))
}

fn definition(reorder: &Reorder, params: &[Vec<u8>], param: u16, capabilities: Capabilities) -> Vec<u8> {
    let first = reorder.params.iter().position(|client| *client == param);
    if let Some(payload) = first.and_then(|index| params.get(index)) {
        return payload.clone();
    }
    let mut payload = Vec::new();
    ColumnDefinition::parameter(capabilities).encode(&mut payload);
    payload
}

fn error_payload(error: &ServerError) -> Vec<u8> {
    let mut payload = Vec::new();
    ErrPacket { number: error.number, sqlstate: Some(error.sqlstate), message: error.message.as_bytes() }
        .encode(&mut payload);
    payload
}

/// What a session's status is when nothing is known.
const AUTOCOMMIT: u16 = 0x0002;

/// A packet that must be seen whole is no longer than this: OKs, errors, definitions.
const MAX_WHOLE_LEN: usize = 32 << 20;
