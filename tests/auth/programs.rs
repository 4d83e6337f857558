//! The servers' command line clients, with the modes of TLS that they have when nobody says anything.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{
    certificates::own_address,
    peer::Route,
    stage::{Front, Leg, PASSWORD, Stage},
    support::server::{Coverage, Family, Kind},
};

/// What one of them says to a query: its first line of output, or its error.
fn says(program: &Kind, front: &Front, leg: Leg, user: &str, options: &[&str]) -> Result<Result<String, String>> {
    match front.route(leg) {
        Route::Tcp(port) => says_at(program, &["-h127.0.0.1", &format!("-P{port}")], user, options),
        Route::Unix(path) => says_at(program, &[&format!("--socket={}", path.display())], user, options),
    }
}

fn says_at(program: &Kind, at: &[&str], user: &str, options: &[&str]) -> Result<Result<String, String>> {
    // A password from the environment would make it look at certificates less closely.
    let mut command = Command::new(program.home().join("client"));
    command.args(options).args(at).arg(format!("-p{PASSWORD}")).args([
        &format!("-u{user}"),
        "-N",
        "-e",
        SQL,
        "shop__v1",
    ]);
    let output = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

const SQL: &str = "SELECT mail FROM users WHERE id = 1";
const MAIL: &str = "ann@example.com";

/// Which of them come in with what they do by themselves.
pub fn come_in_as_they_are(stage: &Stage) -> Result<()> {
    let programs = Coverage::find(&[])?.covered;
    for program in &programs {
        for method in stage.methods() {
            let is_own = program.family == stage.kind.family && program.major >= stage.kind.major;
            if !(is_own || method.name == "native" && program.family == Family::MariaDb) || method.name == "dialog3" {
                continue;
            }
            if method.name.starts_with("dialog") || method.name == "clear" {
                // They ask at a terminal, or want to be told that it is safe.
                continue;
            }
            for backend in [Leg::Plain, Leg::Tls, Leg::Unix] {
                let ca = format!("--ssl-ca={}", stage.certificates.certificate("ca"));
                for client in [Leg::Tls, Leg::Unix] {
                    stage.root()?.run("FLUSH PRIVILEGES")?;
                    let said = says(program, stage.to(backend)?, client, method.name, &[&ca])?;
                    let what = || format!("{} as {}, {client} {backend}", program.name, method.name);
                    let mail = said.map_err(anyhow::Error::msg).with_context(what)?;
                    ensure!(mail == MAIL, "{}: {mail}", what());
                }
            }
        }
    }
    Ok(())
}

/// A client of MariaDB 11.4 or later holds the certificate against what the server says at the end of authentication:
/// a certificate of Bifocal's own that nobody has signed is refused, a trusted one is not looked at further.
pub fn l07_a_certificate_nobody_trusts_is_refused(stage: &Stage) -> Result<()> {
    let Some(program) = Coverage::find(&["mariadb-11.8".to_owned()])?.covered.into_iter().next() else {
        println!("NOT covered: the client of mariadb-11.8");
        return Ok(());
    };
    let user = stage.methods()[0].account.user.clone();
    if stage.kind.family == Family::MySql {
        return Ok(());
    }
    // On loopback it looks less closely.
    let Some(own) = own_address().map(|address| format!("-h{address}")) else {
        println!("NOT covered: a certificate nobody trusts; this machine has no address but loopback");
        return Ok(());
    };
    let (certificate, key) = (stage.certificates.certificate("self-signed"), stage.certificates.key("self-signed"));
    for backend in [Leg::Plain, Leg::Tls, Leg::Unix] {
        let options = ["--tls-certificate", &certificate, "--tls-key", &key];
        let to_backend = if backend == Leg::Tls { "require" } else { "off" };
        let options = [&options, ["--backend-tls", to_backend].as_slice()].concat();
        let front = stage.front_with(&format!("self-signed-{backend}"), &stage.backend(backend), &options)?;
        let port = format!("-P{}", front.proxy.port);
        match says_at(&program, &[&own, &port], &user, &[])? {
            Err(told) if told.contains("2026") || told.to_lowercase().contains("self-signed") => {}
            other => bail!("self-signed, {backend}: {other:?}"),
        }
        let pinned = says_at(&program, &[&own, &port], &user, &["--disable-ssl-verify-server-cert"])?;
        ensure!(pinned.as_deref() == Ok(MAIL), "told not to look, {backend}: {pinned:?}");
        let ca = format!("--ssl-ca={certificate}");
        let trusted = says_at(&program, &[&own, &port], &user, &[&ca])?;
        ensure!(trusted.as_deref() == Ok(MAIL), "trusted, {backend}: {trusted:?}");
    }
    Ok(())
}
