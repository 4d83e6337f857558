//! Where Bifocal answers itself, and where two connections are needed: scripts cannot tell these.

use anyhow::{Context, Result, bail, ensure};
use bifocal::wire::{Capabilities, ErrPacket};

use super::{
    Shop,
    client::{Client, Packet},
    script::{execute, of_statement, prepare, query},
    support::server::Family,
};

/// A test of its own.
pub struct Own {
    /// The line that it proves, and what it proves.
    pub name: &'static str,
    /// Which servers it is for; none: all.
    pub family: Option<Family>,
    /// The test.
    pub run: fn(&Shop) -> Result<()>,
}

/// All of them.
pub const ALL: [Own; 6] = [
    Own { name: "l14_a_replicas_commands_are_refused_in_a_version", family: None, run: replication },
    Own { name: "l18_a_rewrite_outgrows_max_allowed_packet", family: None, run: outgrown },
    Own { name: "l20_a_default_in_a_rewritten_bulk_is_refused", family: Some(Family::MariaDb), run: bulk_default },
    Own { name: "l15_progress_reports_reach_a_version", family: Some(Family::MariaDb), run: progress },
    Own { name: "l26_a_statement_is_killed_by_another_connection", family: None, run: kill_query },
    Own { name: "l26_a_connection_is_killed_by_another", family: None, run: kill_connection },
];

fn v1(shop: &Shop, capabilities: u64) -> Result<Client> {
    Client::connect(shop.proxy.port, "shop__v1", capabilities, &[])
}

/// The packets that answer a command.
fn answer(client: &mut Client, command: &[u8]) -> Result<Vec<Packet>> {
    client.send(0, command)?;
    Ok(client.rest()?.packets)
}

fn error_of(packets: &[Packet]) -> Result<(u8, u16, String)> {
    let [(seq, payload)] = packets else { bail!("not one packet: {packets:?}") };
    ensure!(payload.first() == Some(&ErrPacket::HEADER), "not an error: {payload:?}");
    let err = ErrPacket::decode(payload).map_err(|_| anyhow::anyhow!("malformed error"))?;
    Ok((*seq, err.number, String::from_utf8_lossy(err.message).into_owned()))
}

fn replication(shop: &Shop) -> Result<()> {
    let mut client = v1(shop, 0)?;
    let dump: &[u8] = b"\x12\x04\0\0\0\0\0\x01\0\0\0";
    for command in [dump, b"\x13", b"\x15", b"\x1e", b"\x20", b"\x21"] {
        let (seq, number, message) = error_of(&answer(&mut client, command)?)?;
        ensure!((seq, number) == (1, 1235) && message.starts_with("Bifocal R903"), "{command:?}: {message}");
    }
    ensure!(answer(&mut client, b"\x0e")?.len() == 1, "the connection goes on");
    Ok(())
}

/// The client's text is one that the server takes, and the rewritten one is not. The server would close the connection
/// over it; so it is not sent, and the transaction stays as it was.
fn outgrown(shop: &Shop) -> Result<()> {
    let mut root = Client::connect(shop.server_port(), "shop", 0, &[])?;
    answer(&mut root, &query("SET GLOBAL max_allowed_packet = 1048576"))?;
    let checked = outgrown_with_limit(shop, 1_048_576);
    answer(&mut root, &query("SET GLOBAL max_allowed_packet = 67108864"))?;
    checked
}

fn outgrown_with_limit(shop: &Shop, limit: usize) -> Result<()> {
    let mut direct = Client::connect(shop.server_port(), "shoq", 0, &[])?;
    let mut client = v1(shop, 0)?;
    let padded = |command: u8, len: usize| {
        let mut text = b"?SELECT mail, full_name FROM users WHERE id = 1 /*".to_vec();
        text[0] = command;
        text.resize(len - 2, b'x');
        [&text[..], b"*/"].concat()
    };
    answer(&mut client, &query("BEGIN"))?;
    answer(&mut client, &query("UPDATE users SET bio = 'kept' WHERE id = 1"))?;
    for command in [0x03, 0x16] {
        let longest = padded(command, limit - 1);
        ensure!(answer(&mut direct, &longest)?.len() > 3, "the server takes it");
        let (seq, number, message) = error_of(&answer(&mut client, &longest)?)?;
        ensure!((seq, number) == (1, 1153), "{message}");
        ensure!(message == "Got a packet bigger than 'max_allowed_packet' bytes", "{message}");
        let shorter = answer(&mut client, &padded(command, limit - 4096))?;
        ensure!(shorter.len() > 3, "a shorter one goes through: {shorter:?}");
    }
    let bio = answer(&mut client, &query("SELECT bio FROM users WHERE id = 1"))?;
    ensure!(bio.iter().any(|(_, payload)| payload == b"\x04kept"), "the transaction goes on: {bio:?}");
    answer(&mut client, &query("ROLLBACK"))?;
    // The client's own text is too long: the server says so, and closes.
    let mut client = v1(shop, 0)?;
    answer(&mut client, &query("SELECT 1"))?;
    // It may be closed before all of it is sent.
    let _ = client.send(0, &padded(0x03, limit + 8192));
    ensure!(client.rest()?.is_closed, "the connection goes on");
    Ok(())
}

fn bulk_default(shop: &Shop) -> Result<()> {
    let mut client = v1(shop, Capabilities::STMT_BULK_OPERATIONS.0)?;
    answer(&mut client, &prepare("INSERT INTO users (mail, full_name) VALUES (?, ?)"))?;
    for indicator in [2, 3] {
        let rows = [&b"\x80\0\xfd\0\xfd\0\0\x06a@bulk\0\x03A B\0\x06b@bulk"[..], &[indicator]].concat();
        let (_, number, message) = error_of(&answer(&mut client, &of_statement(0xFA, 1, &rows))?)?;
        ensure!(number == 1235 && message.starts_with("Bifocal R904"), "{message}");
    }
    let left = answer(&mut client, &query("SELECT mail FROM users WHERE mail LIKE '%@bulk'"))?;
    ensure!(left.len() == 4, "something was executed: {left:?}");
    Ok(())
}

/// A version's own changed tables cannot be altered; but a long statement on them reports its progress.
fn progress(shop: &Shop) -> Result<()> {
    let mut direct = Client::connect(shop.server_port(), "shop", 0, &[])?;
    let table =
        "CREATE TABLE big (a INT, b VARCHAR(100)) AS SELECT seq AS a, REPEAT('x', 100) AS b FROM seq_1_to_300000";
    answer(&mut direct, &query("DROP TABLE IF EXISTS big"))?;
    answer(&mut direct, &query(table))?;
    let mut client = v1(shop, Capabilities::PROGRESS.0)?;
    answer(&mut client, &query("SET progress_report_time = 1"))?;
    let packets = answer(&mut client, &query("ALTER TABLE big ADD KEY (b), ALGORITHM=COPY"))?;
    answer(&mut direct, &query("DROP TABLE big"))?;
    let (last, reports) = packets.split_last().context("no answer")?;
    ensure!(reports.iter().all(|(_, payload)| payload.starts_with(b"\xff\xff\xff")), "{packets:?}");
    // The proxy follows the answer to its end only if it takes no report for one.
    ensure!(last.1.first() == Some(&0), "{packets:?}");
    Ok(())
}

/// What a client gets that sleeps in `database` while `kill` comes.
fn killed(shop: &Shop, port: u16, database: &str, kill: &str) -> Result<(Vec<Packet>, bool)> {
    let mut root = Client::connect(shop.server_port(), "shop", 0, &[])?;
    let mut client = Client::connect(port, database, 0, &[])?;
    client.send(0, &query("SELECT SLEEP(20), mail FROM users WHERE id = 1"))?;
    let sleeps =
        format!("SELECT 'yes' FROM information_schema.processlist WHERE id = {} AND state = 'User sleep'", client.id);
    while !answer(&mut root, &query(&sleeps))?.iter().any(|(_, payload)| payload == b"\x03yes") {}
    answer(&mut root, &query(&format!("{kill} {}", client.id)))?;
    let rest = client.rest()?;
    Ok((rest.packets, rest.is_closed))
}

fn kill_query(shop: &Shop) -> Result<()> {
    same_for_all(shop, "KILL QUERY")
}

fn kill_connection(shop: &Shop) -> Result<()> {
    let mut client = v1(shop, 0)?;
    answer(&mut client, &prepare("SELECT mail FROM users WHERE id = ?"))?;
    ensure!(answer(&mut client, &execute(1, 0, b"\0\x01\x03\0\x01\0\0\0"))?.len() == 5);
    same_for_all(shop, "KILL")
}

fn same_for_all(shop: &Shop, kill: &str) -> Result<()> {
    let direct = killed(shop, shop.server_port(), "shoq", kill)?;
    for database in ["shor", "shop__v1"] {
        let (mut packets, is_closed) = killed(shop, shop.proxy.port, database, kill)?;
        // The backend may close the connection before it says a word: then Bifocal has to.
        if direct.0.is_empty() && packets.len() == 1 && is_closed {
            let (_, number, message) = error_of(&packets)?;
            ensure!([1158, 1927].contains(&number), "{message}");
            packets.clear();
        }
        let shape = |packets: &[Packet]| {
            packets.iter().map(|(seq, it)| (*seq, it.first().copied(), it.len())).collect::<Vec<_>>()
        };
        ensure!(
            shape(&direct.0) == shape(&packets) && direct.1 == is_closed,
            "{kill} in {database}: {direct:?} directly, {packets:?} through Bifocal, closed: {is_closed}"
        );
    }
    Ok(())
}
