//! Nobody comes in whom the server would not let in, and no password is written down.

use std::{
    os::unix::fs::MetadataExt,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    peer::{Account, Login, number},
    stage::{Leg, PASSWORD, Stage},
    support::server::Family,
};

/// Over a Unix socket the server sees Bifocal's OS user: nobody comes in by that, who is not that user.
pub fn bifocals_os_user_is_nobodys(stage: &Stage) -> Result<()> {
    let own = own_user()?;
    let mut root = stage.root()?;
    let (socket, also) = match stage.kind.family {
        Family::MariaDb => {
            ("VIA unix_socket", Some(format!("VIA unix_socket AS '{own}' OR mysql_native_password USING 'invalid'")))
        }
        Family::MySql => ("WITH auth_socket", None),
    };
    let tied = match stage.kind.family {
        Family::MariaDb => format!("VIA unix_socket AS '{own}'"),
        Family::MySql => format!("WITH auth_socket AS '{own}'"),
    };
    Stage::create(&mut root, "tied", &tied)?;
    Stage::create(&mut root, "nobody", socket)?;
    if let Some(also) = also {
        Stage::create(&mut root, "either", &also)?;
    }
    let plugin = stage.default_plugin();
    for user in ["tied", "either", own.as_str(), &format!("'{own}'")] {
        for password in ["", "guess"] {
            let account = Account::new(user, password, plugin);
            for client in [Leg::Plain, Leg::Tls] {
                for database in ["shop", "shop__v1"] {
                    if user == "either" && stage.kind.family == Family::MySql {
                        continue;
                    }
                    let outcome = stage.login(client, Some(Leg::Unix), &account, database)?.connect();
                    is_denied(outcome.map(|_| ())).with_context(|| format!("{user} over {client}"))?;
                    let known = &stage.methods()[0].account;
                    let mut peer = stage.login(client, Some(Leg::Unix), known, database)?.connect()?;
                    is_denied(peer.change_user(&account, database)).with_context(|| format!("{user}, changing"))?;
                }
            }
        }
    }
    // Who is the same OS user comes in here as he does there.
    let tied = Account::new("tied", "", plugin);
    let [there, here] = [None, Some(Leg::Unix)]
        .map(|backend| stage.login(Leg::Unix, backend, &tied, "shop").and_then(|login| login.connect()).is_ok());
    ensure!(there == here && there == ties_others(stage), "tied: {there} there, {here} here");
    let nobody = Account::new("nobody", "", plugin);
    ensure!(stage.login(Leg::Unix, Some(Leg::Unix), &nobody, "shop")?.connect().is_err());
    ensure!(stage.login(Leg::Plain, Some(Leg::Plain), &tied, "shop")?.connect().is_err());
    second_factor(stage, &own)
}

fn is_denied(outcome: Result<()>) -> Result<()> {
    match outcome {
        Ok(()) => bail!("let in"),
        // MariaDB has another number for who gave no password.
        Err(error) if [1045, 1698].contains(&number(&error)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// MySQL can look at the OS user as a second factor, and asks nothing for that.
fn second_factor(stage: &Stage, own: &str) -> Result<()> {
    if stage.kind.family != Family::MySql {
        return Ok(());
    }
    let identified = format!("WITH caching_sha2_password BY '{PASSWORD}' AND IDENTIFIED WITH auth_socket");
    Stage::create(&mut stage.root()?, own, &identified)?;
    let mut account = Account::new(own, PASSWORD, "caching_sha2_password");
    account.passwords.push(Vec::new());
    for client in [Leg::Plain, Leg::Tls] {
        let outcome = stage.login(client, Some(Leg::Unix), &account, "shop")?.connect();
        ensure!(outcome.is_err_and(|error| number(&error) == 1045), "{client}");
    }
    Ok(())
}

/// Whether an account can be tied to an OS user of another name.
fn ties_others(stage: &Stage) -> bool {
    stage.kind.family == Family::MySql || stage.kind.major >= 11
}

/// Another OS user's client on Bifocal's Unix socket is not Bifocal's OS user; where this one may become another.
pub fn other_os_users_are_strangers(stage: &Stage) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if own_user()? != "root" {
        println!("NOT covered: another OS user's client, which only root can start");
        return Ok(());
    }
    let front = stage.to(Leg::Unix)?;
    let super::peer::Route::Unix(path) = front.route(Leg::Unix) else { bail!("no socket") };
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777))?;
    std::fs::set_permissions(stage.folder.path(), std::fs::Permissions::from_mode(0o755))?;
    let client = std::fs::canonicalize(stage.kind.home().join("client"))?;
    // Root has no password here, and still nobody else comes in as root.
    let user = if ties_others(stage) { "-utied" } else { "-uroot" };
    let say = |uid: &str, socket: &std::path::Path| -> Result<std::process::Output> {
        Ok(Command::new("setpriv")
            .args(["--reuid", uid, "--clear-groups"])
            .arg(&client)
            .args([user, "-e", "SELECT 1", &format!("--socket={}", socket.display())])
            .arg(format!("--ssl-ca={}", stage.certificates.certificate("ca")))
            .stdin(Stdio::null())
            .output()?)
    };
    let same = say("0", &path)?;
    ensure!(same.status.success(), "the same OS user: {}", String::from_utf8_lossy(&same.stderr));
    let other = say("65534", &path)?;
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    ensure!(!other.status.success() && told.contains("1045"), "another OS user: {told}");
    Ok(())
}

/// The most detailed log holds no password.
pub fn passwords_are_not_logged(stage: &Stage) -> Result<()> {
    let mut options = stage.front_options(Leg::Tls);
    options.extend(["--trust-loopback".to_owned()]);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let front = stage.front_logging("traced", &stage.backend(Leg::Tls), &options)?;
    for method in stage.methods() {
        for client in [Leg::Plain, Leg::Tls, Leg::Unix] {
            stage.root()?.run("FLUSH PRIVILEGES")?;
            let login = Login {
                route: front.route(client),
                ..stage.login(client, Some(Leg::Tls), &method.account, "shop__v1")?
            };
            login.connect()?.change_user(&method.account, "shop__v1")?;
        }
    }
    let said = front.proxy.said()?;
    ensure!(said.contains("TRACE") || said.contains("DEBUG"), "nothing is traced");
    ensure!(!said.contains(PASSWORD), "a password is in the log");
    ensure!(!said.contains(&format!("{:?}", PASSWORD.as_bytes())[1..20]), "a password is in the log, as numbers");
    Ok(())
}

fn own_user() -> Result<String> {
    let uid = std::fs::metadata("/proc/self")?.uid().to_string();
    let output = Command::new("id").args(["-un", &uid]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
