//! A script of raw bytes, and what is compared of the answers to it.

use std::fmt;

use anyhow::{Context, Result, ensure};
use bifocal::wire::{Capabilities, ColumnDefinition, OkPacket, Reader};

use super::{
    Shop,
    client::{Answer, Client, Packet},
    support::server::Family,
};

/// A script: the same bytes are sent to the server, through Bifocal without a version, and through Bifocal in the older
/// version; every packet that comes back must be the same.
#[derive(Debug, Clone)]
pub struct Script {
    /// The line of the list of traps that it proves, and what it proves.
    pub name: &'static str,
    /// Which servers it is for; none: all.
    pub family: Option<Family>,
    /// The lowest major version of the server.
    pub since: u32,
    /// The capabilities of the client; the script is run once with each.
    pub capabilities: Vec<u64>,
    /// Also in the older version, not only without one.
    pub is_versioned: bool,
    /// What is sent.
    pub steps: Vec<Step>,
    /// What of the answers is not the same in two sessions.
    pub ignore: fn(&mut Vec<Packet>),
}

/// One step: what is sent before the next answer is over.
#[derive(Debug, Clone)]
pub enum Step {
    /// Commands, all at once.
    Commands(Vec<Vec<u8>>),
    /// A command that asks for a file, and the file in pieces.
    File(Vec<u8>, Vec<Vec<u8>>),
    /// A connection of its own for the rest.
    Again,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commands(commands) => {
                let mut commands = commands.iter();
                commands.try_for_each(|command| write!(f, "<{}>", shown(&command.escape_ascii().to_string())))
            }
            Self::File(command, _) => write!(f, "<{}> and a file", shown(&command.escape_ascii().to_string())),
            Self::Again => f.write_str("another connection"),
        }
    }
}

/// With and without `CLIENT_DEPRECATE_EOF`.
pub fn both_eofs(flags: u64) -> Vec<u64> {
    vec![flags, flags | Capabilities::DEPRECATE_EOF.0]
}

/// A script for all servers, of a client without capabilities worth naming.
pub fn script(name: &'static str, steps: Vec<Step>) -> Script {
    let capabilities = both_eofs(0);
    Script { name, family: None, since: 0, capabilities, is_versioned: true, steps, ignore: |_| {} }
}

impl Script {
    /// Only on servers of one family.
    pub fn on(self, family: Family) -> Self {
        Self { family: Some(family), ..self }
    }

    /// Only on servers of a major version and later ones.
    pub fn since(self, since: u32) -> Self {
        Self { since, ..self }
    }

    /// With other capabilities.
    pub fn with(self, capabilities: Vec<u64>) -> Self {
        Self { capabilities, ..self }
    }

    /// Not in the older version, which refuses it.
    pub fn physical(self) -> Self {
        Self { is_versioned: false, ..self }
    }

    /// With something that is not compared.
    pub fn ignoring(self, ignore: fn(&mut Vec<Packet>)) -> Self {
        Self { ignore, ..self }
    }

    /// Runs it on all routes and compares.
    pub fn run(&self, shop: &Shop) -> Result<()> {
        for capabilities in &self.capabilities {
            self.run_with(shop, *capabilities).with_context(|| format!("with capabilities {capabilities:#x}"))?;
        }
        Ok(())
    }

    fn run_with(&self, shop: &Shop, capabilities: u64) -> Result<()> {
        let mut direct = self.answers(shop.server_port(), "shoq", capabilities).context("direct")?;
        let physical = self.answers(shop.proxy.port, "shor", capabilities).context("without a version")?;
        self.compare(&direct, &physical).context("without a version")?;
        if self.is_versioned {
            let mut versioned = self.answers(shop.proxy.port, "shop__v1", capabilities).context("in version v1")?;
            meanings(&mut direct);
            meanings(&mut versioned);
            self.compare(&direct, &versioned).context("in version v1")?;
            let tables = |port: u16, database: &str| script("tables", queries(TABLES)).answers(port, database, 0);
            let mut direct = tables(shop.server_port(), "shoq")?;
            let mut versioned = tables(shop.proxy.port, "shop__v1")?;
            meanings(&mut direct);
            meanings(&mut versioned);
            script("tables", queries(TABLES)).compare(&direct, &versioned).context("what it left behind")?;
        }
        Ok(())
    }

    fn compare(&self, direct: &[Answer], through: &[Answer]) -> Result<()> {
        for (index, (direct, through)) in direct.iter().zip(through).enumerate() {
            let is_same = direct.packets == through.packets && direct.is_closed == through.is_closed;
            ensure!(is_same, "step {index}, {}, {}", self.steps[index], difference(direct, through));
        }
        ensure!(direct.len() == through.len());
        Ok(())
    }

    fn answers(&self, port: u16, database: &str, capabilities: u64) -> Result<Vec<Answer>> {
        let mut client = Client::connect(port, database, capabilities, &[])?;
        let mut answers = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let mut answer = match step {
                Step::Commands(commands) => {
                    client.send_all(commands)?;
                    client.rest()
                }
                Step::File(command, pieces) => with_file(&mut client, command, pieces),
                Step::Again => {
                    client = Client::connect(port, database, capabilities, &[])?;
                    Ok(Answer::default())
                }
            }
            .with_context(|| format!("step {index}, {step}"))?;
            for (_, payload) in &mut answer.packets {
                rename(payload);
            }
            (self.ignore)(&mut answer.packets);
            answers.push(answer);
        }
        Ok(answers)
    }
}

fn with_file(client: &mut Client, command: &[u8], pieces: &[Vec<u8>]) -> Result<Answer> {
    client.send(0, command)?;
    let request = client.packet()?;
    if request.1.first() != Some(&0xFB) {
        let mut answer = client.rest()?;
        answer.packets.insert(0, request);
        return Ok(answer);
    }
    let mut seq = request.0;
    for piece in pieces.iter().map(Vec::as_slice).chain([&b""[..]]) {
        seq = seq.wrapping_add(1);
        client.send(seq, piece)?;
    }
    let mut answer = client.rest()?;
    answer.packets.insert(0, request);
    Ok(answer)
}

/// The databases are called alike but for the last letter.
fn rename(payload: &mut [u8]) {
    for at in 0..payload.len().saturating_sub(3).min(LOOK_LEN) {
        if matches!(&payload[at..at + 4], b"shoq" | b"shor") {
            payload[at + 3] = b'p';
        }
    }
}

/// What is the same in a version and on a server that has its schema: not of which database a computed column is, nor
/// its flags, and not whether an index was used.
fn meanings(answers: &mut [Answer]) {
    for (_, payload) in answers.iter_mut().flat_map(|answer| &mut answer.packets) {
        let status = match payload.first() {
            Some(0) if payload.len() >= 7 && OkPacket::decode(payload).is_ok_and(|ok| ok.status.0 < 0x8000) => {
                let mut reader = Reader::new(&payload[1..], "OK");
                _ = reader.lenenc().and_then(|_| reader.lenenc());
                Some(1 + reader.offset())
            }
            Some(0xFE) if payload.len() == 5 => Some(3),
            Some(0xFE) if payload.len() == 7 => Some(3),
            Some(3) => {
                if let Ok(definition) = ColumnDefinition::decode(payload) {
                    let is_extended = definition.rest.first() != Some(&0x0C);
                    *payload = format!(
                        "{:?} extended: {is_extended}",
                        [definition.table, definition.org_table, definition.name]
                    )
                    .into_bytes();
                }
                None
            }
            _ => None,
        };
        if let Some(byte) = status.and_then(|at| payload.get_mut(at)) {
            *byte &= !INDEX_FLAGS;
        }
    }
}

/// `SERVER_QUERY_NO_GOOD_INDEX_USED`, `SERVER_QUERY_NO_INDEX_USED`.
const INDEX_FLAGS: u8 = 0x30;

/// What a script may have changed.
const TABLES: [&str; 3] = [
    "SELECT id, mail, full_name, fax, tier, born, credit, bio, referrer_id FROM users ORDER BY id",
    "SELECT id, user_id, status, total, note FROM orders ORDER BY id",
    "SELECT id, sku, title, price, stock FROM products ORDER BY id",
];

/// What names a database is short.
const LOOK_LEN: usize = 4096;

/// The first packet that differs, and the one before it.
fn difference(direct: &Answer, through: &Answer) -> String {
    let packets = || direct.packets.iter().zip(&through.packets);
    let at = packets().position(|(one, other)| one != other).unwrap_or(direct.packets.len().min(through.packets.len()));
    let show = |who: &str, answer: &Answer| {
        let one = answer.packets.get(at).map_or_else(
            || if answer.is_closed { "closed".to_owned() } else { "no more".to_owned() },
            |(seq, payload)| {
                format!("seq {seq}, {} bytes: {}", payload.len(), shown(&payload.escape_ascii().to_string()))
            },
        );
        format!("\n  {who}: {one}")
    };
    format!("packet {at}:{}{}", show("direct", direct), show("through Bifocal", through))
}

fn shown(text: &str) -> String {
    text.chars().take(300).collect()
}

/// One command.
pub fn one(payload: impl Into<Vec<u8>>) -> Step {
    Step::Commands(vec![payload.into()])
}

/// A `COM_QUERY`, for a client without query attributes.
pub fn query(text: &str) -> Vec<u8> {
    [b"\x03", text.as_bytes()].concat()
}

/// One `COM_QUERY` after the other.
pub fn queries<const N: usize>(texts: [&str; N]) -> Vec<Step> {
    texts.into_iter().map(|text| one(query(text))).collect()
}

/// A `COM_STMT_PREPARE`. Both servers number a connection's statements from 1 on.
pub fn prepare(text: &str) -> Vec<u8> {
    [b"\x16", text.as_bytes()].concat()
}

/// A `COM_STMT_EXECUTE`; `rest` is what follows the iteration count.
pub fn execute(statement: u32, flags: u8, rest: &[u8]) -> Vec<u8> {
    [b"\x17", &statement.to_le_bytes()[..], &[flags], &1_u32.to_le_bytes(), rest].concat()
}

/// A command that is followed by a statement's id.
pub fn of_statement(command: u8, statement: u32, rest: &[u8]) -> Vec<u8> {
    [&[command], &statement.to_le_bytes()[..], rest].concat()
}
