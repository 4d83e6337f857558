//! The command phase of a connection without a version, one of whose legs is compressed.
//!
//! Frames and ids are numbered anew with each command and each result, so what the backend says is followed from one
//! answer to the next. Nothing is planned or changed, and no payload is held: a command goes on as it comes.

use super::{
    End, Io, Settings, State, Step,
    answering::{Answering, Origin, Progress},
    connecting::MAX_RESPONSE_LEN,
    relay, too_long,
};
use crate::{
    rewrite::ServerError,
    wire::{Announced, Answer, Capabilities, Command, Extent, HEADER_LEN, Header, StatusFlags, put_payload},
};

/// A connection without a version, after authentication.
#[derive(Debug)]
pub(super) struct Followed {
    capabilities: Capabilities,
    status: StatusFlags,
    /// A command that is not sent on to its end.
    sending: Option<Sending>,
    /// The command whose answer is not complete.
    answering: Option<Answering>,
}

#[derive(Debug)]
struct Sending {
    answer: Answer,
    /// Bytes of the current packet that have not come yet.
    packet_left: usize,
    is_continued: bool,
    last_seq: u8,
    /// Length of the payload as far as it was announced.
    len: usize,
}

impl Followed {
    pub fn new(capabilities: Capabilities, status: StatusFlags) -> Self {
        Self { capabilities, status, sending: None, answering: None }
    }

    pub fn takes_client_bytes(&self) -> bool {
        self.answering.as_ref().is_none_or(|answering| answering.is_infile() || answering.is_endless())
    }

    pub fn is_at_rest(&self) -> bool {
        self.answering.is_none() && self.sending.is_none() && !self.status.has(StatusFlags::IN_TRANS)
    }

    /// The sequence id of the ERR that a waiting client gets when the backend is gone.
    pub fn seq_of_lost_answer(&self) -> Option<u8> {
        self.answering.as_ref()?.next_seq()
    }

    pub fn client(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        loop {
            if let Some(sending) = &mut self.sending {
                let (progress, last_seq) = (sending.relay(io, settings.max_packet_len), sending.last_seq);
                io.client.flush(&mut io.out.to_backend);
                match progress {
                    Progress::Wait => return Step::Wait,
                    Progress::Ended(_) => return too_long_after(io, last_seq),
                    Progress::Complete => self.sent(io),
                }
            }
            if let Some(answering) = self.answering.as_mut().filter(|answering| !answering.is_endless()) {
                answering.client(io);
                return Step::Wait;
            }
            let rest = io.client.rest();
            let Some(header) = Header::read(rest) else { return Step::Wait };
            if header.len > settings.max_packet_len {
                return too_long_after(io, header.seq);
            }
            let first = rest.get(HEADER_LEN).copied().filter(|_| header.len > 0);
            if header.len > 0 && first.is_none() {
                return Step::Wait;
            }
            match first.and_then(Command::from_byte) {
                Some(Command::ChangeUser) => return self.change_user(io, settings),
                Some(Command::Quit) => {
                    io.relay_client(io.client.rest().len().min(header.packet_len()));
                    return Step::Become(State::Ended(End::Quit));
                }
                Some(Command::SubscribeGroupReplication) => {
                    io.begin_answer();
                    io.put_error(header.seq.wrapping_add(1), &no_packets());
                    return Step::Become(State::Ended(End::Refused));
                }
                command => self.sending = Some(Sending::of(command, header)),
            }
            io.client.relay(HEADER_LEN);
        }
    }

    pub fn backend(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        let Some(answering) = &mut self.answering else {
            // Nothing was asked: the backend says why it ends the connection.
            io.relay_last_words(io.backend.rest().len());
            return Step::Wait;
        };
        match answering.backend(io, &settings.planner) {
            Progress::Wait => Step::Wait,
            Progress::Ended(end) => Step::Become(State::Ended(end)),
            Progress::Complete => {
                self.status = answering.response.status().unwrap_or(self.status);
                self.answering = None;
                Step::Again
            }
        }
    }

    /// The backend has all of the command.
    fn sent(&mut self, io: &mut Io<'_>) {
        let Some(Sending { answer, last_seq, .. }) = self.sending.take() else { return };
        if self.answering.is_some() {
            // A replica tells what it has received.
            io.skip_answer();
            return;
        }
        io.begin_answer();
        self.answering = (answer != Answer::None).then(|| {
            Answering::new(answer, Origin::Plain, self.capabilities, last_seq, last_seq)
                .counted(io.is_backend_compressed())
        });
    }

    fn change_user(&self, io: &mut Io<'_>, settings: &Settings) -> Step {
        let announced = Announced::of(io.client.rest());
        if announced.payload_len > settings.max_packet_len.min(MAX_RESPONSE_LEN) {
            return too_long_after(io, announced.last_seq);
        }
        let Some(extent) = Extent::find(io.client.rest()) else { return Step::Wait };
        let mut joined = Vec::new();
        let payload = extent.payload(io.client.rest(), &mut joined);
        let changed = relay::change_user(payload, self.capabilities, settings);
        io.client.skip(extent.wire_len, &mut io.out.to_backend);
        io.begin_answer();
        match changed {
            Err(error) => {
                io.put_error(extent.last_seq.wrapping_add(1), &error);
                Step::Again
            }
            Ok((authentication, encoded)) => {
                let backend_seq = put_payload(&mut io.out.to_backend, extent.first_seq, &encoded);
                Step::Authenticate(authentication.after(extent.last_seq, backend_seq))
            }
        }
    }
}

impl Sending {
    fn of(command: Option<Command>, header: Header) -> Self {
        Self {
            answer: command.map_or(Answer::Single, Command::answer),
            packet_left: header.len,
            is_continued: header.is_continued(),
            last_seq: header.seq,
            len: header.len,
        }
    }

    /// Marks what has come of the payload, unless it is too long.
    fn relay(&mut self, io: &mut Io<'_>, max_len: usize) -> Progress {
        loop {
            let len = self.packet_left.min(io.client.rest().len());
            self.packet_left -= len;
            io.client.relay(len);
            if self.packet_left > 0 {
                return Progress::Wait;
            }
            if !self.is_continued {
                return Progress::Complete;
            }
            let Some(header) = Header::read(io.client.rest()) else { return Progress::Wait };
            *self = Self { answer: self.answer, len: self.len + header.len, ..Self::of(None, header) };
            if self.len > max_len {
                return Progress::Ended(End::TooLong);
            }
            io.client.relay(HEADER_LEN);
        }
    }
}

/// As the backend does: it says why, and closes the connection.
fn too_long_after(io: &mut Io<'_>, last_seq: u8) -> Step {
    io.begin_answer();
    io.put_error(last_seq.wrapping_add(1), &too_long());
    Step::Become(State::Ended(End::TooLong))
}

fn no_packets() -> ServerError {
    let message = "Bifocal cannot pass a stream of group replication through a compressed connection".to_owned();
    ServerError { number: 1235, sqlstate: *b"42000", message }
}
