//! The command phase of a connection without a version: bytes in, bytes out.
//!
//! Of the client's packets the header and the first byte are read, to notice a `COM_CHANGE_USER` that names a
//! version; of the backend's, the first five bytes of an answer, to tell a file's contents from commands.

use super::{
    End, Io, Settings, State, Step,
    authentication::Authentication,
    connecting::{MAX_RESPONSE_LEN, clear_password},
    legs::NO_PLUGIN,
    too_long,
    version::{self, Wishes},
};
use crate::{
    rewrite::ServerError,
    wire::{Announced, Capabilities, ChangeUser, Command, Extent, HEADER_LEN, Header, put_payload},
};

/// A connection without a version, after authentication.
#[derive(Debug)]
pub(super) struct Relay {
    capabilities: Capabilities,
    /// Bytes of the client's current packet that have not come yet.
    packet_left: usize,
    /// The client's next packet continues a payload.
    is_continued: bool,
    /// The client sends a file, up to an empty packet.
    is_infile: bool,
    /// Bytes of the client's current payload, as far as its headers came.
    payload_len: usize,
    /// Sequence id of the client's last packet.
    last_seq: u8,
    /// The client's last command is one that the backend answers.
    is_answered: bool,
    /// Sequence id of the last packet of the first command that waits for its answer, while no byte of that is there.
    waiting: Option<u8>,
    /// The first bytes of an answer, as far as they came.
    answer: Answer,
}

/// What is known of the answer to the last command.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// The client has spoken last; this much of the answer is there.
    Awaited([u8; HEADER_LEN + 1], usize),
    /// The backend has spoken last.
    Begun,
}

impl Relay {
    pub fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            packet_left: 0,
            is_continued: false,
            is_infile: false,
            payload_len: 0,
            last_seq: 0,
            is_answered: true,
            waiting: None,
            answer: Answer::Begun,
        }
    }

    /// Whether the backend has spoken last, at least: more is not known here.
    pub fn is_quiet(&self) -> bool {
        matches!(self.answer, Answer::Begun) && self.packet_left == 0
    }

    pub fn client(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        while !io.client.rest().is_empty() {
            let len = self.packet_left.min(io.client.rest().len());
            if len > 0 {
                self.packet_left -= len;
                io.client.relay(len);
                self.end_packet();
                continue;
            }
            let Some(header) = Header::read(io.client.rest()) else { break };
            if self.announced_len(header) > settings.max_packet_len {
                return self.refuse_too_long(io, header);
            }
            if header.len > 0 && !self.is_continued && !self.is_infile && header.seq == 0 {
                let Some(first) = io.client.rest().get(HEADER_LEN) else { break };
                self.is_answered = !UNANSWERED.contains(first);
                if *first == Command::ChangeUser as u8 {
                    io.client.flush(&mut io.out.to_backend);
                    match self.change_user(io, settings) {
                        None => continue,
                        Some(step) => return step,
                    }
                }
            }
            if header.len == 0 && !self.is_continued {
                self.is_infile = false;
            }
            self.begin_packet(header);
            io.client.relay(HEADER_LEN);
            self.end_packet();
        }
        io.client.flush(&mut io.out.to_backend);
        Step::Wait
    }

    pub fn backend(&mut self, io: &mut Io<'_>) -> Step {
        if let Answer::Awaited(mut head, len) = self.answer {
            let rest = io.backend.rest();
            let count = rest.len().min(head.len() - len);
            head[len..len + count].copy_from_slice(&rest[..count]);
            self.answer = Answer::Awaited(head, len + count);
            if count > 0 {
                self.waiting = None;
            }
            if len + count == head.len() {
                self.is_infile = head[HEADER_LEN - 1..] == INFILE_REQUEST;
                self.answer = Answer::Begun;
            }
        }
        io.relay_backend(io.backend.rest().len());
        Step::Wait
    }

    fn announced_len(&self, header: Header) -> usize {
        let before = if self.is_continued { self.payload_len } else { 0 };
        before + if self.is_infile { 0 } else { header.len }
    }

    /// Ends the connection before the rest of a payload comes.
    fn refuse_too_long(&self, io: &mut Io<'_>, header: Header) -> Step {
        io.client.flush(&mut io.out.to_backend);
        let waits_for_this = match self.answer {
            Answer::Begun => !self.is_continued,
            Answer::Awaited(_, len) => self.is_continued && self.waiting.is_none() && len == 0,
        };
        if waits_for_this {
            io.put_error(header.seq.wrapping_add(1), &too_long());
        }
        Step::Become(State::Ended(End::TooLong))
    }

    fn begin_packet(&mut self, header: Header) {
        self.payload_len = self.announced_len(header);
        self.packet_left = header.len;
        self.last_seq = header.seq;
        self.is_continued = header.is_continued();
        // Commands sent ahead of an earlier one's answer change nothing: which bytes begin their answers is not
        // known here.
        if matches!(self.answer, Answer::Begun) && !self.is_infile {
            self.answer = Answer::Awaited([0; HEADER_LEN + 1], 0);
        }
    }

    /// Notes the end of a command, if it is one.
    fn end_packet(&mut self) {
        if self.packet_left == 0 && !self.is_continued && self.is_answered && matches!(self.answer, Answer::Awaited(..))
        {
            self.waiting.get_or_insert(self.last_seq);
        }
    }

    /// None: it was refused, and the session goes on.
    fn change_user(&mut self, io: &mut Io<'_>, settings: &Settings) -> Option<Step> {
        let announced = Announced::of(io.client.rest());
        if announced.payload_len > settings.max_packet_len.min(MAX_RESPONSE_LEN) {
            return Some(self.refuse_too_long(io, Header { len: 0, seq: announced.last_seq }));
        }
        let Some(extent) = Extent::find(io.client.rest()) else { return Some(Step::Wait) };
        let mut joined = Vec::new();
        let payload = extent.payload(io.client.rest(), &mut joined);
        match change_user(payload, self.capabilities, settings) {
            Err(error) => {
                io.client.skip(extent.wire_len, &mut io.out.to_backend);
                io.put_error(extent.last_seq.wrapping_add(1), &error);
                None
            }
            Ok((authentication, encoded)) => {
                io.client.skip(extent.wire_len, &mut io.out.to_backend);
                let backend_seq = put_payload(&mut io.out.to_backend, extent.first_seq, &encoded);
                Some(Step::Authenticate(authentication.after(extent.last_seq, backend_seq)))
            }
        }
    }
}

/// The dialog that a `COM_CHANGE_USER` opens, and the payload that the backend gets.
pub(super) fn change_user(
    payload: &[u8],
    capabilities: Capabilities,
    settings: &Settings,
) -> Result<(Authentication, Vec<u8>), ServerError> {
    let unknown_command = |_| ServerError { number: 1047, sqlstate: *b"08S01", message: "Unknown command".to_owned() };
    let command = ChangeUser::decode(payload, capabilities).map_err(unknown_command)?;
    let wishes = Wishes {
        database: command.database,
        attribute: command.attributes.value(version::ATTRIBUTE),
        listener: settings.listener.as_ref(),
    };
    let decision = version::decide(&settings.rules, wishes)?;
    let plugin = command.plugin.unwrap_or_default();
    settings.legs.allow(plugin).map_err(|why| clear_password(plugin, why))?;
    settings.legs.know_os_user(command.user, command.collation, command.plugin)?;
    let silent_plugin = settings.legs.must_ask_again(plugin, command.auth).then_some(NO_PLUGIN);
    let encoded = command.encode(payload, decision.database.as_deref().map(str::as_bytes), silent_plugin);
    let authentication = Authentication::new(capabilities, decision, plugin);
    Ok((authentication, encoded))
}

/// Commands without an answer.
const UNANSWERED: [u8; 3] = [Command::Quit as u8, Command::StmtSendLongData as u8, Command::StmtClose as u8];

/// Sequence id and first byte of a LOCAL INFILE request, the first packet of an answer.
const INFILE_REQUEST: [u8; 2] = [1, 0xFB];
