//! The traps of the connection phase, by number: each function holds one of them.

use anyhow::{Context, Result, bail, ensure};

use super::{
    peer::{Account, Greeted, Login, Peer, Route, SSL, head, number},
    stage::{LEGS, Leg, PASSWORD, Stage},
    support::server::Family,
    tap::Tap,
};

/// The server speaks first: its greeting comes through, and so does an error in its place, which has no SQLSTATE.
pub fn l01_the_server_speaks_first(stage: &Stage) -> Result<()> {
    let direct = Route::Tcp(stage.migrated.server.port);
    // Who goes leaves room for another, some time later: nobody goes.
    let (mut held, mut greeted) = (Vec::new(), Vec::new());
    for leg in LEGS {
        let through = stage.to(leg)?.route(Leg::Plain).greeted()?;
        let own = direct.greeted()?;
        ensure!(through.version == own.version && through.plugin == own.plugin, "another greeting");
        ensure!(through.capabilities & !own.capabilities & !SSL == 0, "more is offered than the server can");
        let mut peer = stage.login(Leg::Plain, Some(leg), &stage.methods()[0].account, "shop")?.connect()?;
        ensure!(peer.one("SELECT CONNECTION_ID()")? == peer.id.to_string(), "another connection's id");
        held.push(peer);
        greeted.extend([through, own]);
    }
    let mut root = stage.root()?;
    root.run("SET GLOBAL max_connections = 10")?;
    let account = &stage.methods()[0].account;
    let refused = loop {
        match stage.login(Leg::Plain, None, account, "shop")?.connect() {
            Ok(peer) => held.push(peer),
            Err(error) => break error,
        }
        ensure!(held.len() < 50, "the server lets everybody in");
    };
    // MariaDB says it with or without its SQLSTATE.
    let words = |error: &anyhow::Error| error.to_string().replace("#08004", "");
    ensure!(words(&refused) == "ERROR 1040: Too many connections", "{refused}");
    for leg in LEGS {
        for client in LEGS {
            let Err(error) = stage.login(client, Some(leg), account, "shop")?.connect() else { bail!("let in") };
            ensure!(words(&error) == words(&refused), "{client} {leg}: {error:#}");
        }
    }
    root.run("SET GLOBAL max_connections = 500")
}

/// MariaDB shows itself by a capability that is not set; its own clients are let in as such.
pub fn l02_mariadb_shows_itself(stage: &Stage) -> Result<()> {
    let direct = Route::Tcp(stage.migrated.server.port).greeted()?;
    let is_mariadb = stage.kind.family == Family::MariaDb;
    ensure!((direct.capabilities & 1 == 0) == is_mariadb, "the server has another look");
    for leg in LEGS {
        let through = stage.to(leg)?.route(Leg::Plain).greeted()?;
        ensure!(through.capabilities & 1 == direct.capabilities & 1, "the bit is lost");
        ensure!(through.extended & !direct.extended == 0, "more is offered than the server can");
        let mut login = stage.login(Leg::Tls, Some(leg), &stage.methods()[0].account, "shop")?;
        login.is_mariadb = is_mariadb;
        ensure!(login.connect()?.one("SELECT 1")? == "1");
    }
    Ok(())
}

/// What came before TLS counts for nothing, from the client as from the backend.
pub fn l03_nothing_is_slipped_in_before_tls(stage: &Stage) -> Result<()> {
    let tls = stage.certificates.trusting("ca", None)?;
    let account = &stage.methods()[0].account;
    // A client's handshake response, sent right after its wish for TLS by somebody in between.
    let mut greeted = stage.to(Leg::Plain)?.route(Leg::Tls).greeted()?;
    let request = head(Greeted::flags(SSL), 0);
    let response = [head(Greeted::flags(0), 0).as_slice(), b"root\0\0\0mysql_native_password\0"].concat();
    let packet = |seq: u8, payload: &[u8]| {
        let [a, b, c, ..] = payload.len().to_le_bytes();
        [&[a, b, c, seq], payload].concat()
    };
    greeted.send(&[packet(1, &request), packet(2, &response)].concat())?;
    ensure!(greeted.upgraded(&tls).is_err(), "the handshake goes on after what was slipped in");
    // A server's OK, sent right after Bifocal's wish for TLS.
    let ok = packet(2, b"\0\0\0\x02\0\0\0");
    let tap = Tap::slipping(stage.migrated.server.port, Some(ok))?;
    let options = ["--backend-tls", "require"];
    let front = stage.front_with("slipped", &format!("mysql://127.0.0.1:{}", tap.port), &options)?;
    let login = |database: &str| Login { route: front.route(Leg::Plain), ..login(account, database) };
    let Err(error) = login("shop").connect() else { bail!("the OK was taken for the server's") };
    ensure!(number(&error) == 1429, "{error:#}");
    Ok(())
}

/// A dialog that does not end is ended: by time and by bytes, also when the user changes.
pub fn l04_dialogs_end(stage: &Stage) -> Result<()> {
    let front = stage.front("hasty", Leg::Plain, &["--handshake-timeout", "0.5"])?;
    let account = &stage.methods()[0].account;
    let login = Login { route: front.route(Leg::Plain), ..login(account, "shop") };
    // It is asked another plugin's question, and does not answer.
    let mut peer = front.route(Leg::Plain).greeted()?.plain();
    peer.respond(&login, "mysql_old_guess", b"")?;
    ensure!(peer.read()?.first() == Some(&0xfe), "no question");
    let error = peer.read().expect_err("the time is over");
    ensure!(number(&error) == 1159, "{error:#}");
    for database in ["shop", "shop__v1"] {
        let mut peer = Login { database: database.to_owned(), ..login.clone() }.connect()?;
        peer.begin_change(account, "mysql_old_guess", b"")?;
        ensure!(peer.read()?.first() == Some(&0xfe), "no question");
        let error = peer.read().expect_err("the time is over");
        ensure!(number(&error) == 1159, "{error:#}");
    }
    // It answers with more than anybody has to say.
    for is_change in [false, true] {
        let mut peer = stage.to(Leg::Plain)?.route(Leg::Plain).greeted()?.plain();
        let login = stage.login(Leg::Plain, Some(Leg::Plain), account, "shop")?;
        if is_change {
            peer.log_in(&login)?;
            peer.begin_change(account, "mysql_old_guess", b"")?;
        } else {
            peer.respond(&login, "mysql_old_guess", b"")?;
        }
        ensure!(peer.read()?.first() == Some(&0xfe), "no question");
        let sent = peer.write(&vec![7; 2 << 20]);
        ensure!(sent.is_err() || peer.read().is_err(), "two megabytes are an answer");
    }
    // Nor is a change of user itself longer than that.
    let mut peer = login.connect()?;
    let sent = peer.begin_change(account, "mysql_old_guess", &vec![b'x'; 4 << 20]);
    ensure!(sent.is_err() || peer.read().is_err(), "four megabytes are a command");
    factors(stage)
}

/// MySQL's second factor, which asks for a plugin of its own.
fn factors(stage: &Stage) -> Result<()> {
    if stage.kind.family != Family::MySql || !stage.has_test_plugins {
        return Ok(());
    }
    let mut root = stage.root()?;
    Stage::create(
        &mut root,
        "factors",
        &format!("WITH caching_sha2_password BY '{PASSWORD}' AND IDENTIFIED WITH cleartext_plugin_server AS 'second'"),
    )?;
    let mut account = Account::new("factors", PASSWORD, "caching_sha2_password");
    account.passwords.push(b"second".to_vec());
    for client in LEGS {
        for backend in [None, Some(Leg::Plain), Some(Leg::Tls), Some(Leg::Unix)] {
            let what = || format!("two factors, {client} {backend:?}");
            root.run("FLUSH PRIVILEGES")?;
            let outcome = stage.login(client, backend, &account, "shop")?.connect();
            if client == Leg::Plain && backend.is_some() || backend == Some(Leg::Plain) {
                ensure!(outcome.is_err_and(|error| number(&error) == 1251), "{}", what());
                continue;
            }
            let mut peer = outcome.with_context(what)?;
            ensure!(peer.one("SELECT 1")? == "1" && peer.plugins.iter().any(|name| name == "mysql_clear_password"));
        }
    }
    Ok(())
}

/// Passwords of every length and alphabet over every pair of legs, with the cache cold.
pub fn l05_passwords_suit_each_leg(stage: &Stage) -> Result<()> {
    let mut root = stage.root()?;
    let most = "m".repeat(213);
    let longest = "L".repeat(if stage.kind.family == Family::MySql { 254 } else { 300 });
    let passwords = ["", "x", "twenty bytes long !!", &most, &longest, "пароль с ключом 鍵"];
    for method in stage.methods().into_iter().filter(|method| !method.name.starts_with("dialog")) {
        if method.name == "clear" {
            continue;
        }
        for (index, password) in passwords.into_iter().enumerate() {
            if password.is_empty() && method.name == "ed25519" {
                // MariaDB itself lets nobody in by that.
                continue;
            }
            let user = format!("{}_{index}", method.name);
            Stage::create(&mut root, &user, &method.identified.replace("{password}", password))?;
            let account = Account { user, ..method.account.with_password(password) };
            for client in LEGS {
                for backend in [None, Some(Leg::Plain), Some(Leg::Tls), Some(Leg::Unix)] {
                    root.run("FLUSH PRIVILEGES")?;
                    let what = || format!("{} of {} bytes, {client} {backend:?}", method.name, password.len());
                    let outcome = stage.login(client, backend, &account, "shop").and_then(|login| login.connect());
                    // RSA encrypts no more than this: then neither the client nor Bifocal can.
                    let is_too_long = password.len() > most.len() && needs_key(method.name, client, backend);
                    ensure!(outcome.is_err() == is_too_long, "{}: {outcome:?}", what());
                    if let Ok(mut peer) = outcome {
                        ensure!(peer.one("SELECT CURRENT_USER()")?.starts_with(&account.user), "{}", what());
                    }
                }
            }
        }
    }
    Ok(())
}

fn needs_key(method: &str, client: Leg, backend: Option<Leg>) -> bool {
    let backend = backend.unwrap_or(client);
    match method {
        "caching_sha2" => client == Leg::Plain || backend == Leg::Plain,
        "sha256" => client != Leg::Tls || backend != Leg::Tls,
        _ => false,
    }
}

/// Passwords as they are go over legs that are protected, or that the operator trusts; and over no other.
pub fn l06_clear_passwords_stay_where_it_is_safe(stage: &Stage) -> Result<()> {
    let methods = stage.methods();
    let tap = Tap::on(stage.migrated.server.port)?;
    let url = format!("mysql://127.0.0.1:{}", tap.port);
    let (certificate, key) = (stage.certificates.certificate("server"), stage.certificates.key("server"));
    let options = ["--backend-tls", "off", "--tls-certificate", &certificate, "--tls-key", &key];
    let tapped = stage.front_with("tapped", &url, &options)?;
    for method in &methods {
        for client in [Leg::Tls, Leg::Unix] {
            for plugin in [method.account.plugin, stage.default_plugin(), "mysql_clear_password", "sha256_password"] {
                if plugin == "dialog" {
                    continue;
                }
                stage.root()?.run("FLUSH PRIVILEGES")?;
                let account = Account { plugin, ..method.account.clone() };
                let login = stage.login(client, Some(Leg::Plain), &account, "shop")?;
                // Let in or not: it is not said aloud.
                let outcome = Login { route: tapped.route(client), ..login }.connect();
                ensure!(outcome.is_ok() || outcome.is_err_and(|error| [1045, 1251].contains(&number(&error))));
            }
        }
    }
    ensure!(tap.has_heard(b"caching_sha2_password") || tap.has_heard(b"mysql_native_password"), "the tap is deaf");
    ensure!(!tap.has_heard(PASSWORD.as_bytes()), "a password in the clear");
    let Some(clear) = methods.iter().find(|method| method.name == "clear") else { return Ok(()) };
    let trusting = stage.front("trusting", Leg::Plain, &["--trust-loopback"])?;
    for client in LEGS {
        let login = stage.login(client, Some(Leg::Plain), &clear.account, "shop")?;
        Login { route: trusting.route(client), ..login }.connect().with_context(|| format!("trusted, {client}"))?;
    }
    Ok(())
}

/// A change of user and a reset begin a session anew; the first also has another user and database.
pub fn l08_a_change_of_user_begins_anew(stage: &Stage) -> Result<()> {
    let methods = stage.methods();
    let (first, second) = (&methods[0].account, &methods[1].account);
    for client in LEGS {
        for backend in [None, Some(Leg::Plain), Some(Leg::Tls), Some(Leg::Unix)] {
            for database in if backend.is_some() { ["shop", "shop__v1"] } else { ["shop", "shop"] } {
                let what = || format!("{client} {backend:?} {database}");
                let mut peer = stage.login(client, backend, first, database)?.connect()?;
                let fresh = state(&mut peer)?;
                stain(&mut peer)?;
                peer.reset().with_context(what)?;
                ensure!(state(&mut peer)? == fresh, "{}: the reset leaves something", what());
                stain(&mut peer)?;
                peer.change_user(second, database).with_context(what)?;
                let user = format!("{}@", second.user);
                ensure!(state(&mut peer)?.1.starts_with(&user), "{}: another user", what());
                ensure!(state(&mut peer)?.0 == fresh.0, "{}: the change leaves something", what());
                let error = peer.one("EXECUTE stained").expect_err("a statement is left");
                ensure!(number(&error) == 1243, "{error:#}");
            }
        }
    }
    Ok(())
}

fn state(peer: &mut Peer) -> Result<(String, String)> {
    let what = "CONCAT_WS(' ', COALESCE(@stain, 'none'), @@sql_mode, @@character_set_client, DATABASE())";
    Ok((peer.one(&format!("SELECT {what}"))?, peer.one("SELECT CURRENT_USER()")?))
}

fn stain(peer: &mut Peer) -> Result<()> {
    for sql in ["SET @stain = 1", "SET sql_mode = 'ANSI_QUOTES'", "SET NAMES latin1", "PREPARE stained FROM 'SELECT 1'"]
    {
        peer.run(sql)?;
    }
    Ok(())
}

fn login(account: &Account, database: &str) -> Login {
    Login {
        route: Route::Tcp(0),
        tls: None,
        account: account.clone(),
        database: database.to_owned(),
        is_mariadb: false,
    }
}
