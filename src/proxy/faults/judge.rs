//! What must hold, whatever broke.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    Choice, DRAIN_TIMEOUT, HANDSHAKE_TIMEOUT, Outcome, Stage, WRITE_TIMEOUT,
    leg::{Fault, Kind},
    script::boundaries,
};
use crate::{
    proxy::ending::Ending,
    session::{End, Side},
    wire::{ErrPacket, HEADER_LEN, Header},
};

/// How many runs came to which end.
#[derive(Debug, Default)]
pub(super) struct Tally {
    endings: BTreeMap<String, usize>,
    errors: BTreeMap<u16, usize>,
    runs: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs; endings: {:?}; errors: {:?}", self.runs, self.endings, self.errors)
    }
}

/// What the client heard: so much of the script, then perhaps an error.
struct Heard {
    len: usize,
    error: Option<u16>,
}

/// Panics if something does not hold.
pub(super) fn judge(stage: &Stage, choice: &Choice, outcome: &Outcome, tally: &mut Tally) {
    let what = format!("{}: {choice:?}; ended: {} after {:?}", stage.script.name, outcome.ending, outcome.took);
    assert!(outcome.took <= bound(choice), "it took too long: {what}");
    let heard = heard(stage, outcome).unwrap_or_else(|why| panic!("the client heard {why}: {what}"));
    let course = &stage.course;
    assert!(course.to_backend.starts_with(&outcome.to_backend), "the backend heard something else: {what}");
    let broke = |side| choice.side == side && has_broken(choice, outcome);
    let (client_broke, backend_broke) = (broke(Side::Client), broke(Side::Backend));
    if !is_disturbed(choice, outcome) {
        assert_eq!(heard.len, course.to_client.len(), "the client heard all: {what}");
        assert_eq!(outcome.to_backend.len(), course.to_backend.len(), "the backend heard all: {what}");
        assert!(matches!(outcome.ending, Ending::Session(End::Quit) | Ending::ClientClosed), "{what}");
    }
    let is_whole = boundaries(&course.to_client).contains(&heard.len);
    let may_be_cut = client_broke || backend_broke || matches!(outcome.ending, Ending::Cut | Ending::Stuck(_));
    assert!(is_whole || may_be_cut, "the client heard half a packet: {what}");
    let len = outcome.to_backend.len();
    let is_file = course.files.iter().any(|file| file.contains(&len));
    if stage.script.is_mapped && !is_file && !boundaries(&course.to_backend).contains(&len) {
        let is_large = course.to_backend.len() > 100_000;
        let is_slow = choice.capacities[1] < 1000 || is_large;
        assert!(backend_broke || is_slow, "the backend heard half a command: {what}");
    }
    if let Some(question) = unanswered(stage, outcome, &heard).filter(|_| backend_broke) {
        // A relayed connection is closed, as a server closes it.
        let is_closed = !stage.script.is_mapped && heard.len >= course.authenticated_after;
        assert!(heard.error.is_some() || is_closed, "the client waits after {question} bytes: {what}");
    }
    if matches!(outcome.ending, Ending::Session(End::SlowHandshake)) && !client_broke {
        assert!(heard.error == Some(HANDSHAKE_ERROR) || heard.len >= course.authenticated_after, "{what}");
    }
    tally.note(outcome, &heard);
}

impl Tally {
    fn note(&mut self, outcome: &Outcome, heard: &Heard) {
        self.runs += 1;
        let ending = format!("{:?}", outcome.ending);
        let ending = match &outcome.ending {
            Ending::Client(_) => "Client",
            Ending::Tls(_) => "Tls",
            Ending::Header(_) => "Header",
            _ => &ending,
        };
        *self.endings.entry(ending.to_owned()).or_default() += 1;
        if let Some(error) = heard.error {
            *self.errors.entry(error).or_default() += 1;
        }
    }
}

/// All timeouts that can come one after the other, and the peer's own stall.
fn bound(choice: &Choice) -> Duration {
    let stall = match &choice.fault {
        Some(Fault { kind: Kind::Stall(stall), .. }) => *stall,
        _ => Duration::ZERO,
    };
    stall + HANDSHAKE_TIMEOUT * 2 + WRITE_TIMEOUT + DRAIN_TIMEOUT + Duration::from_secs(2)
}

fn fired<'a>(choice: &'a Choice, outcome: &Outcome) -> Option<&'a Fault> {
    let meter = outcome.meters[usize::from(choice.side == Side::Backend)];
    choice.fault.as_ref().filter(|_| meter.has_fired)
}

/// Whether the leg broke, for good or for longer than any timeout.
fn has_broken(choice: &Choice, outcome: &Outcome) -> bool {
    match fired(choice, outcome).map(|fault| &fault.kind) {
        None | Some(Kind::Drain(_)) => false,
        Some(Kind::Stall(time)) => *time > HANDSHAKE_TIMEOUT,
        Some(_) => true,
    }
}

fn is_disturbed(choice: &Choice, outcome: &Outcome) -> bool {
    has_broken(choice, outcome) || matches!(fired(choice, outcome), Some(Fault { kind: Kind::Drain(_), .. }))
}

/// Splits what the client heard into a part of the script and one error.
fn heard(stage: &Stage, outcome: &Outcome) -> Result<Heard, String> {
    let (script, heard) = (&stage.course.to_client, &outcome.to_client);
    if script.starts_with(heard) {
        return Ok(Heard { len: heard.len(), error: None });
    }
    let common = script.iter().zip(heard).take_while(|(a, b)| a == b).count();
    let len = boundaries(script).into_iter().filter(|at| *at <= common).max().unwrap_or(0);
    let last = &heard[len..];
    let header = Header::read(last)
        .filter(|header| header.packet_len() == last.len())
        .ok_or_else(|| format!("half a packet after {len} bytes: {}", last.escape_ascii()))?;
    let error = ErrPacket::decode(&last[HEADER_LEN..]).map_err(|_| "no error")?;
    if let Some(next) = Header::read(&script[len..]) {
        // Who authenticates may be told instead of being heard.
        let is_dialog = len < stage.course.authenticated_after || error.number == HANDSHAKE_ERROR;
        let is_expected = header.seq == next.seq || is_dialog && header.seq < next.seq;
        if !is_expected {
            return Err(format!("an error with sequence id {} for {}", header.seq, next.seq));
        }
    }
    Ok(Heard { len, error: Some(error.number) })
}

/// After how many bytes the client waits for the first byte of an answer, if it does.
fn unanswered(stage: &Stage, outcome: &Outcome, heard: &Heard) -> Option<usize> {
    // How long TLS makes a command is not known.
    let is_plain = !stage.script.client_tls && !stage.script.backend_tls;
    let read = outcome.meters[0].read_before_end;
    let mut questions = stage.course.questions.iter().filter(|_| is_plain);
    questions.find(|question| question.sent <= read && question.heard == heard.len).map(|question| question.heard)
}

/// What the client hears when the handshake timeout is over.
const HANDSHAKE_ERROR: u16 = 1159;
