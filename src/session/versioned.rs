//! The command phase of a connection that has a version: one command at a time, each planned.
//!
//! While an answer is not complete, what the client sent ahead waits in its inbox, so the order of answers is
//! the order of commands. A version that is physical has an empty chain: its commands are followed, not planned,
//! so that a reload can begin to map it between two statements.

mod database;
mod prepared;

use std::sync::Arc;

use super::{
    End, Io, Settings, State, Step,
    answering::{Answering, FactsAnswer, Origin, Planned, Preparing, Progress},
    diagnostics::{Diagnostics, asks_for_rows},
    facts, refusal, relay,
    statements::Statements,
    too_long,
    version::{Chain, VersionName},
};
use crate::{
    rewrite::{Facts, Plan, ResultTable, ServerError},
    rules::Ruleset,
    sql::ServerKind,
    wire::{
        Announced, Answer, Capabilities, Command, ErrPacket, Extent, MAX_PAYLOAD_LEN, Query, StatusFlags, put_payload,
    },
};

/// A connection that has a version, after authentication.
#[derive(Debug)]
pub(super) struct Versioned {
    capabilities: Capabilities,
    name: VersionName,
    /// The rules in force for this session's next statement.
    rules: Arc<Ruleset>,
    /// The steps to the physical version; none: the rules do not know this version any more.
    chain: Option<Chain>,
    status: StatusFlags,
    /// The client may send several statements in one text.
    multi_statements: bool,
    facts: Option<Facts>,
    /// The backend's kind, once it has told the facts.
    server: Option<ServerKind>,
    /// The backend takes no payload that is as long as this.
    payload_limit: usize,
    /// A statement since may have changed the facts.
    is_stale: bool,
    /// The backend refused to tell the facts; the statement that needed them gets this.
    facts_error: Option<Vec<u8>>,
    statements: Statements,
    /// The command whose answer is not complete.
    answering: Option<Answering>,
    /// The last statement that left warnings or errors.
    diagnostics: Diagnostics,
}

/// What is done with a command.
enum Action {
    /// The client gets an error, the backend nothing.
    Error(ServerError),
    /// An error the backend has sent before.
    ErrorPayload(Vec<u8>),
    /// Nothing goes on.
    Drop,
    /// It goes on as it is.
    Forward(Answer, Origin),
    /// The backend is asked first; then the command comes up again.
    Ask,
    /// Other payloads go on in its place; only the last is answered.
    Replace(Vec<Vec<u8>>, Answer, Origin),
    /// Authentication begins again.
    Authenticate(super::Authentication, Vec<u8>),
}

impl Versioned {
    pub fn new(capabilities: Capabilities, name: VersionName, rules: &Arc<Ruleset>, status: StatusFlags) -> Self {
        let chain = name.chain(rules);
        Self {
            capabilities,
            name,
            rules: rules.clone(),
            chain,
            status,
            multi_statements: capabilities.has(Capabilities::MULTI_STATEMENTS),
            facts: None,
            server: None,
            payload_limit: MAX_PAYLOAD_LEN,
            is_stale: false,
            facts_error: None,
            statements: Statements::default(),
            answering: None,
            diagnostics: Diagnostics::default(),
        }
    }

    pub fn takes_client_bytes(&self) -> bool {
        self.answering.as_ref().is_none_or(Answering::is_infile)
    }

    pub fn is_at_rest(&self) -> bool {
        self.answering.is_none() && !self.status.has(StatusFlags::IN_TRANS)
    }

    /// The sequence id of the ERR that a waiting client gets when the backend is gone.
    pub fn seq_of_lost_answer(&self) -> Option<u8> {
        self.answering.as_ref()?.next_seq()
    }

    pub fn client(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        loop {
            if let Some(answering) = &mut self.answering {
                answering.client(io);
                return Step::Wait;
            }
            let announced = Announced::of(io.client.rest());
            if announced.payload_len > settings.max_packet_len.min(self.payload_limit.saturating_sub(1)) {
                // As the backend does: it says why, and closes the connection.
                io.begin_answer();
                io.put_error(announced.last_seq.wrapping_add(1), &too_long());
                return Step::Become(State::Ended(End::TooLong));
            }
            let Some(extent) = Extent::find(io.client.rest()) else { return Step::Wait };
            self.adopt(settings);
            let mut joined = Vec::new();
            let payload = extent.payload(io.client.rest(), &mut joined);
            let command = payload.first().and_then(|byte| Command::from_byte(*byte));
            if command == Some(Command::Quit) {
                io.relay_client(extent.wire_len);
                return Step::Become(State::Ended(End::Quit));
            }
            let action = self.decide(command, payload, settings);
            if let Some(step) = self.act(action, extent, io) {
                return step;
            }
        }
    }

    pub fn backend(&mut self, io: &mut Io<'_>, settings: &Settings) -> Step {
        let Some(answering) = &mut self.answering else {
            // Nothing was asked: the backend says why it ends the connection.
            let Some(extent) = Extent::find(io.backend.rest()) else {
                let is_short = Announced::of(io.backend.rest()).payload_len <= MAX_LAST_WORDS_LEN;
                return if is_short { Step::Wait } else { Step::Become(State::Ended(End::BackendBroke)) };
            };
            io.relay_last_words(extent.wire_len);
            return Step::Again;
        };
        let was_infile = answering.is_infile();
        match answering.backend(io, &settings.planner) {
            // The client may have sent its file ahead of the request for it.
            Progress::Wait if answering.is_infile() && !was_infile => Step::Again,
            Progress::Wait => Step::Wait,
            Progress::Ended(end) => Step::Become(State::Ended(end)),
            Progress::Complete => {
                if let Some(answering) = self.answering.take() {
                    self.complete(answering);
                }
                Step::Again
            }
        }
    }

    fn complete(&mut self, answering: Answering) {
        let status = answering.response.status();
        self.status = status.unwrap_or(self.status);
        // MariaDB clears its list only for statements with tables, MySQL for every one.
        let is_mariadb = self.server == Some(ServerKind::MariaDb);
        match answering.origin {
            Origin::Facts(FactsAnswer { facts: Some(facts), payload_limit, .. }) => {
                self.server = Some(facts.lex.server);
                self.payload_limit = payload_limit;
                self.facts = Some(Facts { multi_statements: self.multi_statements, ..facts });
                self.is_stale = false;
            }
            Origin::Facts(FactsAnswer { error, .. }) => self.facts_error = Some(error.unwrap_or_default()),
            Origin::Prepare(Preparing { statement, id, raised, .. }) => {
                if !is_mariadb || id.is_none() {
                    let (chain, text) = (statement.chain.clone(), statement.text.clone());
                    self.diagnostics = Diagnostics { chain, text, error: raised };
                }
                match id {
                    Some(id) => self.statements.insert(id, statement),
                    None => self.statements.forget_last(),
                }
            }
            Origin::Planned(Planned { chain, .. }) if chain.is_empty() && is_mariadb && status.is_some() => {}
            Origin::Planned(Planned { chain, text, raised, .. }) => {
                self.diagnostics = Diagnostics { chain, text, error: raised };
            }
            Origin::Plain | Origin::Warnings(_) => {}
        }
    }

    /// Takes over newer rules, between statements outside a transaction.
    fn adopt(&mut self, settings: &Settings) {
        if !Arc::ptr_eq(&self.rules, &settings.rules) && !self.status.has(StatusFlags::IN_TRANS) {
            self.rules = settings.rules.clone();
            self.chain = self.name.chain(&self.rules);
            // A physical version's statements were not looked at.
            self.is_stale = true;
        }
    }

    fn decide(&mut self, command: Option<Command>, payload: &[u8], settings: &Settings) -> Action {
        let Some(command) = command else { return Action::Forward(Answer::Single, Origin::Plain) };
        let decided = match command {
            Command::Query => self.query(payload, settings),
            Command::StmtPrepare => self.prepare(payload, settings),
            Command::StmtExecute => self.execute(payload),
            Command::StmtBulkExecute => self.bulk_execute(payload),
            Command::StmtSendLongData if payload.len() < LONG_DATA_HEADER_LEN => Ok(self.cut_short(command)),
            Command::StmtSendLongData => Ok(self.send_long_data(payload)),
            Command::StmtClose if payload.len() < STATEMENT_HEADER_LEN => Ok(self.cut_short(command)),
            Command::StmtClose | Command::StmtReset => Ok(self.close_or_reset(command, payload)),
            Command::InitDb => self.init_db(payload),
            Command::FieldList => self.field_list(payload),
            Command::ChangeUser => relay::change_user(payload, self.capabilities, settings)
                .map(|(authentication, payload)| Action::Authenticate(authentication, payload)),
            Command::BinlogDump
            | Command::BinlogDumpGtid
            | Command::Clone
            | Command::RegisterReplica
            | Command::SubscribeGroupReplication
            | Command::TableDump => Err(refusal::replication().error()),
            Command::SetOption => {
                // Whether it turns them on or off: after it, a text is taken for several statements.
                self.multi_statements = true;
                self.facts = self.facts.take().map(|facts| Facts { multi_statements: true, ..facts });
                Ok(forward(command))
            }
            Command::ResetConnection => {
                self.statements.clear();
                self.facts = None;
                self.payload_limit = MAX_PAYLOAD_LEN;
                self.diagnostics = Diagnostics::default();
                Ok(forward(command))
            }
            _ => Ok(forward(command)),
        };
        decided.unwrap_or_else(Action::Error)
    }

    /// Does what was decided; a step if the client's next command must wait.
    fn act(&mut self, action: Action, extent: Extent, io: &mut Io<'_>) -> Option<Step> {
        let (first_seq, last_seq) = (extent.first_seq, extent.last_seq);
        let (capabilities, is_counted) = (self.capabilities, io.is_backend_compressed());
        let answering = |answer, origin, backend_seq| {
            Answering::new(answer, origin, capabilities, last_seq, backend_seq).counted(is_counted)
        };
        if matches!(action, Action::Ask) {
            put_payload(&mut io.out.to_backend, 0, &Query::plain(facts::QUESTION, capabilities).encode());
            let origin = Origin::Facts(FactsAnswer::default());
            self.answering = Some(answering(Answer::TextResult, origin, last_seq));
            return Some(Step::Wait);
        }
        io.begin_answer();
        if let Action::Forward(answer, origin) = action {
            io.relay_client(extent.wire_len);
            self.answering = (answer != Answer::None).then(|| answering(answer, origin, last_seq));
            return None;
        }
        io.client.skip(extent.wire_len, &mut io.out.to_backend);
        match action {
            Action::Error(error) => {
                io.put_error(last_seq.wrapping_add(1), &error);
                self.diagnostics.error = Some(error);
            }
            Action::ErrorPayload(payload) => {
                self.diagnostics = Diagnostics::default();
                put_payload(&mut io.out.to_client, last_seq.wrapping_add(1), &payload);
            }
            Action::Replace(payloads, answer, origin) => {
                let mut seq = last_seq;
                for payload in payloads {
                    seq = put_payload(&mut io.out.to_backend, first_seq, &payload);
                }
                self.answering = (answer != Answer::None).then(|| answering(answer, origin, seq));
            }
            Action::Authenticate(authentication, payload) => {
                let backend_seq = put_payload(&mut io.out.to_backend, first_seq, &payload);
                return Some(Step::Authenticate(authentication.after(last_seq, backend_seq)));
            }
            Action::Ask | Action::Drop | Action::Forward(..) => {}
        }
        None
    }

    fn query(&mut self, payload: &[u8], settings: &Settings) -> Result<Action, ServerError> {
        let query = Query::decode(payload, self.capabilities).map_err(|_| malformed())?;
        let text = query.text;
        if let Some(action) = self.use_database(query)? {
            return Ok(action);
        }
        let chain = self.chain()?;
        if chain.is_empty() {
            self.facts = None;
            return Ok(forward(Command::Query));
        }
        if let Some(question) = self.diagnostics.question(text) {
            let payload = Query { text: question.as_bytes(), ..query }.encode();
            return Ok(Action::Replace(vec![payload], Answer::TextResult, Origin::Plain));
        }
        if asks_for_rows(text) {
            return Ok(Action::Forward(Answer::TextResult, Origin::Warnings(self.diagnostics.clone())));
        }
        let facts = match self.facts_for(Command::Query, text) {
            Ok(facts) => facts,
            Err(action) => return Ok(*action),
        };
        let plan = (settings.planner.plan)(text, &chain, facts);
        self.is_stale |= (settings.planner.changes_facts)(text);
        let planned = |tables: Vec<ResultTable>| {
            Origin::Planned(Planned { chain, text: text.into(), tables: tables.into(), raised: None })
        };
        Ok(match plan {
            Plan::Forward => Action::Forward(Answer::TextResult, planned(Vec::new())),
            Plan::Rewrite(rewrite) => {
                let payload = self.bounded(Query { text: &rewrite.text, ..query }.encode())?;
                Action::Replace(vec![payload], Answer::TextResult, planned(rewrite.tables))
            }
            Plan::Answer(error) => Action::Error(error),
            Plan::Refuse(refusal) => Action::Error(refusal.error()),
        })
    }

    fn field_list(&self, payload: &[u8]) -> Result<Action, ServerError> {
        let table = payload[1..].split(|byte| *byte == 0).next().unwrap_or_default();
        let table = String::from_utf8_lossy(table);
        let is_changed = self.chain()?.iter().any(|mapping| mapping.table(&table).is_some() || mapping.hides(&table));
        if is_changed { Err(refusal::field_list(&table).error()) } else { Ok(forward(Command::FieldList)) }
    }

    fn chain(&self) -> Result<Chain, ServerError> {
        self.chain.clone().ok_or_else(|| self.name.unknown(&self.rules))
    }

    /// What is known of the backend, for planning `text`; else what must be done first.
    fn facts_for(&mut self, command: Command, text: &[u8]) -> Result<&Facts, Box<Action>> {
        if let Some(payload) = self.facts_error.take() {
            let action = match ErrPacket::decode(&payload) {
                Err(_) => Action::Error(no_facts()),
                // Before an expired password is changed, the backend takes nothing but that.
                Ok(err) if MUST_CHANGE_PASSWORD.contains(&err.number) => forward(command),
                Ok(_) => Action::ErrorPayload(payload),
            };
            return Err(Box::new(action));
        }
        let is_usable = !self.is_stale || facts::reads_diagnostics(text);
        match &self.facts {
            Some(facts) if is_usable => Ok(facts),
            _ => Err(Box::new(Action::Ask)),
        }
    }

    /// A statement's command without all that it must have: MariaDB says nothing to it, and MySQL an error.
    fn cut_short(&mut self, command: Command) -> Action {
        match self.facts_for(command, b"") {
            Ok(facts) if facts.lex.server == ServerKind::MySql => Action::Forward(Answer::Single, Origin::Plain),
            Ok(_) => forward(command),
            Err(action) => *action,
        }
    }

    /// A payload that Bifocal has made, if the backend takes it. It would close the connection over a longer one, so
    /// that is kept from it: the client's own may have been shorter.
    fn bounded(&self, payload: Vec<u8>) -> Result<Vec<u8>, ServerError> {
        if payload.len() < self.payload_limit { Ok(payload) } else { Err(too_long()) }
    }
}

fn forward(command: Command) -> Action {
    Action::Forward(command.answer(), Origin::Plain)
}

fn prefixed(command: Command, text: &[u8]) -> Vec<u8> {
    [&[command as u8], text].concat()
}

fn malformed() -> ServerError {
    ServerError { number: 1835, sqlstate: *b"HY000", message: "Malformed communication packet.".to_owned() }
}

fn no_facts() -> ServerError {
    let message = "Bifocal could not read the session's settings from the backend".to_owned();
    ServerError { number: 1105, sqlstate: *b"HY000", message }
}

/// `ER_MUST_CHANGE_PASSWORD`, `ER_MUST_CHANGE_PASSWORD_LOGIN`.
const MUST_CHANGE_PASSWORD: [u16; 2] = [1820, 1862];

/// Why a backend ends a connection is one ERR.
const MAX_LAST_WORDS_LEN: usize = 64 * 1024;

/// The command's byte and the statement's id.
const STATEMENT_HEADER_LEN: usize = 5;

/// The same, and the parameter's index.
const LONG_DATA_HEADER_LEN: usize = 7;
