//! TLS on either leg, as each option says: who is let in, who is not, and what they are told.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    peer::{Account, Login, Peer, number},
    stage::{Front, Leg, Stage},
    support::server::Family,
};

/// What takes longer has not happened.
const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// The backend's certificate is held against the authority and the name.
pub fn the_backend_is_verified(stage: &Stage) -> Result<()> {
    let (ca, wrong_ca) = (stage.certificates.certificate("ca"), stage.certificates.certificate("wrong-ca"));
    let port = stage.migrated.server.port;
    let by_address = format!("mysql://127.0.0.1:{port}");
    let by_name = format!("mysql://localhost:{port}");
    let socket = stage.backend(Leg::Unix);
    let cases: [(&str, &str, &[&str], bool); 8] = [
        ("right", &by_address, &["--backend-ca", &ca], true),
        ("right-name", &by_name, &["--backend-ca", &ca], true),
        ("named", &by_address, &["--backend-ca", &ca, "--backend-tls-name", "localhost"], true),
        ("socket", &socket, &["--backend-ca", &ca], true),
        ("other-name", &by_address, &["--backend-ca", &ca, "--backend-tls-name", "db.example.com"], false),
        ("wrong-ca", &by_address, &["--backend-ca", &wrong_ca], false),
        ("unverified", &by_address, &["--backend-tls", "require"], true),
        ("preferred", &by_address, &["--backend-tls", "prefer"], true),
    ];
    for (name, backend, options, is_in) in cases {
        let front = stage.front_with(name, backend, options)?;
        let outcome = through(stage, &front, Leg::Plain).connect();
        match outcome {
            Ok(mut peer) if is_in => ensure!(has_tls(&mut peer)?, "{name}: without TLS"),
            Err(error) if !is_in && number(&error) == 1429 => {
                ensure!(error.to_string().contains("certificate"), "{name}: {error:#}");
            }
            other => bail!("{name}: {other:?}"),
        }
    }
    Ok(())
}

/// Whether the server says that this connection has TLS.
fn has_tls(peer: &mut Peer) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher' AND \
               VARIABLE_VALUE <> ''";
    match peer.one(sql) {
        Ok(count) => Ok(count == "1"),
        // MySQL has it elsewhere.
        Err(_) => Ok(!peer.pair("SHOW SESSION STATUS LIKE 'Ssl_cipher'")?.1.is_empty()),
    }
}

/// Clients without TLS are told so; those with it speak either version.
pub fn clients_have_tls_if_required(stage: &Stage) -> Result<()> {
    let front = stage.front("required", Leg::Plain, &["--tls", "require"])?;
    let Err(error) = through(stage, &front, Leg::Plain).connect() else { bail!("let in without TLS") };
    ensure!(number(&error) == 3159, "{error:#}");
    through(stage, &front, Leg::Unix).connect().context("a Unix socket needs none")?;
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let mut login = through(stage, &front, Leg::Tls);
        login.tls = Some(stage.certificates.speaking("ca", None, versions)?);
        ensure!(login.connect()?.one("SELECT 1")? == "1");
    }
    let front = stage.front_with("off", &stage.backend(Leg::Plain), &["--backend-tls", "off"])?;
    let mut login = through(stage, &front, Leg::Tls);
    login.tls = Some(stage.certificates.trusting("ca", None)?);
    let Err(error) = login.connect() else { bail!("TLS out of nothing") };
    ensure!(error.to_string() == "TLS is not offered", "{error:#}");
    Ok(())
}

/// Who must show a certificate and has none, or another authority's, is not let in.
pub fn clients_show_certificates(stage: &Stage) -> Result<()> {
    let ca = stage.certificates.certificate("ca");
    let front = stage.front("mutual", Leg::Plain, &["--tls-client-ca", &ca])?;
    for (shown, is_in) in [(None, false), (Some("wrong-client"), false), (Some("client"), true)] {
        for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
            let mut login = through(stage, &front, Leg::Tls);
            login.tls = Some(stage.certificates.speaking("ca", shown, versions)?);
            ensure!(login.connect().is_ok() == is_in, "{shown:?}");
        }
    }
    ensure!(through(stage, &front, Leg::Plain).connect().is_err_and(|error| number(&error) == 3159));
    Ok(())
}

/// Bifocal shows the backend a certificate, where an account asks for one.
pub fn the_backend_sees_a_certificate(stage: &Stage) -> Result<()> {
    let plugin = stage.methods()[0].identified.replace("{password}", "x");
    let mut root = stage.root()?;
    root.run(&format!("CREATE USER certified@'%' IDENTIFIED {plugin} REQUIRE X509"))?;
    root.run("GRANT ALL ON shop.* TO certified@'%'")?;
    let account = Account::new("certified", "x", stage.methods()[0].account.plugin);
    let ca = stage.certificates.certificate("ca");
    let (certificate, key) = (stage.certificates.certificate("client"), stage.certificates.key("client"));
    let shown = ["--backend-ca", ca.as_str(), "--backend-certificate", &certificate, "--backend-key", &key];
    for (name, options, is_in) in [("shown", &shown[..], true), ("hidden", &shown[..2], false)] {
        let front = stage.front_with(name, &stage.backend(Leg::Tls), options)?;
        let outcome = Login { account: account.clone(), ..through(stage, &front, Leg::Plain) }.connect();
        ensure!(outcome.is_ok() == is_in, "{name}: {outcome:?}");
        ensure!(is_in || outcome.is_err_and(|error| number(&error) == 1045), "{name}");
    }
    Ok(())
}

/// New certificates come into force with SIGHUP, for new connections; broken files change nothing.
pub fn certificates_are_read_again(stage: &Stage) -> Result<()> {
    let folder = stage.folder.path().join("renewed");
    fs::create_dir_all(&folder)?;
    let files = [folder.join("certificate.pem"), folder.join("key.pem")];
    let put = |name: &str| -> Result<()> {
        fs::copy(stage.certificates.certificate(name), &files[0])?;
        fs::copy(stage.certificates.key(name), &files[1])?;
        Ok(())
    };
    put("server")?;
    let paths = files.each_ref().map(|path| path.display().to_string());
    let options = ["--backend-tls", "off", "--tls-certificate", &paths[0], "--tls-key", &paths[1]];
    let front = stage.front_with("renewing", &stage.backend(Leg::Plain), &options)?;
    let trusting = |ca: &str| -> Result<Login> {
        let tls = Some(stage.certificates.trusting(ca, None)?);
        Ok(Login { tls, ..through(stage, &front, Leg::Tls) })
    };
    let mut old = trusting("ca")?.connect()?;
    put("wrong-server")?;
    front.proxy.signal("HUP")?;
    told(&front, "certificates and keys are read again")?;
    ensure!(trusting("ca")?.connect().is_err(), "the old certificate is still shown");
    trusting("wrong-ca")?.connect().context("the new certificate")?;
    ensure!(old.one("SELECT 1")? == "1", "the old connection lives on");
    for broken in ["nonsense", ""] {
        fs::write(&files[0], broken)?;
        let before = front.proxy.said()?.matches("the old certificates and keys stay in force").count();
        front.proxy.signal("HUP")?;
        until(|| Ok(front.proxy.said()?.matches("the old certificates and keys stay in force").count() > before))?;
        trusting("wrong-ca")?.connect().context("after a broken file")?;
    }
    // A certificate and a key that do not belong together.
    fs::copy(stage.certificates.certificate("server"), &files[0])?;
    let before = front.proxy.said()?.matches("stay in force").count();
    front.proxy.signal("HUP")?;
    until(|| Ok(front.proxy.said()?.matches("the old certificates and keys stay in force").count() > before))?;
    trusting("wrong-ca")?.connect().context("after a stranger's key")?;
    ensure!(old.one("SELECT 1")? == "1");
    Ok(())
}

/// A backend that has no TLS, or a certificate of another name or of yesterday.
pub async fn other_backends(stage: &Stage) -> Result<()> {
    let ca = stage.certificates.certificate("ca");
    for (certificate, is_valid) in [("expired", false), ("other-name", false), ("", false)] {
        let options = if certificate.is_empty() {
            let off = if stage.kind.family == Family::MySql { "--tls-version=" } else { "--skip-ssl" };
            vec![off.to_owned()]
        } else {
            vec![
                format!("--ssl-cert={}", stage.certificates.certificate(certificate)),
                format!("--ssl-key={}", stage.certificates.key(certificate)),
            ]
        };
        let folder = stage.folder.path().join(format!("backend-{certificate}"));
        let server = super::support::server::Server::start_with(&stage.kind, &folder, &options).await?;
        let url = format!("mysql://127.0.0.1:{}", server.port);
        let root = |front: &Front| Login {
            account: Account::new("root", "", stage.default_plugin()),
            database: "mysql".to_owned(),
            ..through(stage, front, Leg::Plain)
        };
        let verified = stage.front_with(&format!("{certificate}-verified"), &url, &["--backend-ca", &ca])?;
        ensure!(root(&verified).connect().is_ok() == is_valid, "'{certificate}' is verified");
        let Err(error) = root(&verified).connect() else { bail!("'{certificate}'") };
        ensure!(number(&error) == 1429, "'{certificate}': {error:#}");
        let required = stage.front_with(&format!("{certificate}-required"), &url, &["--backend-tls", "require"])?;
        ensure!(root(&required).connect().is_err() == certificate.is_empty(), "'{certificate}' is required");
        let preferred = stage.front_with(&format!("{certificate}-preferred"), &url, &[])?;
        ensure!(has_tls(&mut root(&preferred).connect()?)? != certificate.is_empty(), "'{certificate}' is preferred");
    }
    Ok(())
}

fn through(stage: &Stage, front: &Front, client: Leg) -> Login {
    let tls = if client == Leg::Tls { stage.certificates.trusting("ca", None).ok() } else { None };
    let account = stage.methods()[0].account.clone();
    Login { route: front.route(client), tls, account, database: "shop".to_owned(), is_mariadb: false }
}

fn told(front: &Front, words: &str) -> Result<()> {
    until(|| Ok(front.proxy.said()?.contains(words))).context(words.to_owned())
}

fn until(holds: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while !holds()? {
        ensure!(Instant::now() < deadline, "not within {DEADLINE:?}");
        std::thread::sleep(POLL);
    }
    Ok(())
}
