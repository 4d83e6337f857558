//! A real server that can TLS, with accounts of every plugin that it has, and one Bifocal for each way to reach it.

use std::{
    fmt, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{
    certificates::Certificates,
    peer::{Account, Login, Peer, Route},
    support::{
        client::Client,
        migrated::{DATABASE, Migrated},
        proxy::Proxy,
        server::{Coverage, Family, Kind},
        set::Set,
    },
};

/// One of a connection's two legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// TCP without TLS.
    Plain,
    /// TCP with TLS.
    Tls,
    /// A Unix socket.
    Unix,
}

/// All of them.
pub const LEGS: [Leg; 3] = [Leg::Plain, Leg::Tls, Leg::Unix];

/// A server and what stands before it.
pub struct Stage {
    /// The server's kind.
    pub kind: Kind,
    /// The server, with the migrated shop.
    pub migrated: Migrated,
    /// What both show.
    pub certificates: Certificates,
    /// Whether the servers' own test plugins are at hand, which ask odd questions.
    pub has_test_plugins: bool,
    /// One for each leg to the backend.
    proxies: Vec<(Leg, Front)>,
    /// Where everything is.
    pub folder: TempDir,
}

/// A Bifocal that listens on TCP, with TLS for who wants it, and on a Unix socket.
#[derive(Debug)]
pub struct Front {
    /// The process.
    pub proxy: Proxy,
    socket: PathBuf,
}

/// A plugin of the server's, with an account of it.
#[derive(Debug, Clone)]
pub struct Method {
    /// Its name in the table.
    pub name: &'static str,
    /// How accounts of it are made, with `{password}` for the password.
    pub identified: &'static str,
    /// An account whose password is [`PASSWORD`].
    pub account: Account,
}

/// Twenty bytes, more than ASCII among them.
pub const PASSWORD: &str = "pä55wörd of 20 byte";

/// A plugin's name in the table, how its accounts are made, and the client's plugin.
type Known = (&'static str, &'static str, &'static str);

const MARIADB: [Known; 2] = [
    ("native", "VIA mysql_native_password USING PASSWORD('{password}')", "mysql_native_password"),
    ("ed25519", "VIA ed25519 USING PASSWORD('{password}')", "client_ed25519"),
];

const MARIADB_11: [Known; 1] = [("parsec", "VIA parsec USING PASSWORD('{password}')", "parsec")];

const MARIADB_ODD: [Known; 3] = [
    ("dialog2", "VIA two_questions USING '{password}'", "dialog"),
    ("dialog3", "VIA three_attempts USING '{password}'", "dialog"),
    ("clear", "VIA cleartext_plugin_server USING '{password}'", "mysql_clear_password"),
];

const MYSQL: [Known; 2] = [
    ("caching_sha2", "WITH caching_sha2_password BY '{password}'", "caching_sha2_password"),
    ("sha256", "WITH sha256_password BY '{password}'", "sha256_password"),
];

const MYSQL_ODD: [Known; 3] = [
    ("dialog2", "WITH two_questions AS '{password}'", "dialog"),
    ("dialog3", "WITH three_attempts AS '{password}'", "dialog"),
    ("clear", "WITH cleartext_plugin_server AS '{password}'", "mysql_clear_password"),
];

impl Stage {
    /// Starts everything; none where the server cannot be had.
    pub async fn open(name: &str) -> Result<Option<Self>> {
        let coverage = Coverage::find(&[name.to_owned()])?;
        let Some(kind) = coverage.covered.into_iter().next() else {
            println!("NOT covered: {name}");
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("bifocal-auth-").tempdir()?;
        let certificates = Certificates::make(&folder.path().join("certificates"))?;
        let set = Set::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/shop"))?;
        let mut options = vec![
            format!("--ssl-ca={}", certificates.certificate("ca")),
            format!("--ssl-cert={}", certificates.certificate("server")),
            format!("--ssl-key={}", certificates.key("server")),
        ];
        let plugins = folder.path().join("plugins");
        let has_test_plugins = link_plugins(&kind, &plugins)?;
        options.push(format!("--plugin-dir={}", plugins.display()));
        if kind.family == Family::MariaDb {
            options.push("--plugin-maturity=unknown".to_owned());
        }
        let migrated = Migrated::make_with(&kind, &set, folder.path(), &options).await?;
        let mut stage = Self { kind, migrated, certificates, has_test_plugins, proxies: Vec::new(), folder };
        stage.install().await?;
        for leg in LEGS {
            let front = stage.front(&format!("to-{leg}"), leg, &[])?;
            stage.proxies.push((leg, front));
        }
        Ok(Some(stage))
    }

    /// A Bifocal whose backend is reached over `leg`; later options win.
    pub fn front(&self, name: &str, leg: Leg, options: &[&str]) -> Result<Front> {
        let own = self.front_options(leg);
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        self.front_with(name, &self.backend(leg), &[own.as_slice(), options].concat())
    }

    /// TLS for clients, and the leg to the backend.
    pub fn front_options(&self, leg: Leg) -> Vec<String> {
        let (certificate, key) = (self.certificates.certificate("server"), self.certificates.key("server"));
        let mut options = vec!["--tls-certificate".to_owned(), certificate, "--tls-key".to_owned(), key];
        match leg {
            Leg::Plain => options.extend(["--backend-tls", "off"].map(str::to_owned)),
            Leg::Tls => options.extend(["--backend-ca".to_owned(), self.certificates.certificate("ca")]),
            Leg::Unix => {}
        }
        options
    }

    /// A Bifocal with options of its own.
    pub fn front_with(&self, name: &str, backend: &str, options: &[&str]) -> Result<Front> {
        self.front_at(name, backend, options, "info")
    }

    /// The same that logs all it can.
    pub fn front_logging(&self, name: &str, backend: &str, options: &[&str]) -> Result<Front> {
        self.front_at(name, backend, options, "trace")
    }

    fn front_at(&self, name: &str, backend: &str, options: &[&str], level: &str) -> Result<Front> {
        let socket = self.folder.path().join(format!("{name}.sock"));
        let listen = format!("unix:{}", socket.display());
        let listening = ["--listen", "0.0.0.0:0", "--listen", &listen];
        let log = self.folder.path().join(format!("{name}.log"));
        let options = [&listening, options].concat();
        let proxy = Proxy::logging(level, backend, &self.migrated.rules, &options, &log)?;
        Ok(Front { proxy, socket })
    }

    /// The server's URL.
    pub fn backend(&self, leg: Leg) -> String {
        match leg {
            Leg::Plain | Leg::Tls => format!("mysql://127.0.0.1:{}", self.migrated.server.port),
            Leg::Unix => format!("unix:{}", self.migrated.server.socket.display()),
        }
    }

    /// Who connects over `client`, through Bifocal and then over `backend`, or straight to the server.
    pub fn login(&self, client: Leg, backend: Option<Leg>, account: &Account, database: &str) -> Result<Login> {
        let route = match (backend, client) {
            (None, Leg::Unix) => Route::Unix(self.migrated.server.socket.clone()),
            (None, _) => Route::Tcp(self.migrated.server.port),
            (Some(leg), _) => self.to(leg)?.route(client),
        };
        let tls = if client == Leg::Tls { Some(self.certificates.trusting("ca", None)?) } else { None };
        Ok(Login { route, tls, account: account.clone(), database: database.to_owned(), is_mariadb: false })
    }

    /// The Bifocal that reaches the server over `leg`.
    pub fn to(&self, leg: Leg) -> Result<&Front> {
        let front = self.proxies.iter().find(|(to, _)| *to == leg).context("no such leg")?;
        Ok(&front.1)
    }

    /// Root, without Bifocal.
    pub fn root(&self) -> Result<Peer> {
        let account = Account::new("root", "", self.default_plugin());
        self.login(Leg::Plain, None, &account, DATABASE)?.connect()
    }

    /// The plugin that the server's clients begin with unless they are told otherwise.
    pub fn default_plugin(&self) -> &'static str {
        match self.kind.family {
            Family::MariaDb => "mysql_native_password",
            Family::MySql => "caching_sha2_password",
        }
    }

    /// The plugins that the server has.
    pub fn methods(&self) -> Vec<Method> {
        let mut known: Vec<Known> = Vec::new();
        match self.kind.family {
            Family::MariaDb => {
                known.extend(MARIADB);
                if self.kind.major >= 11 {
                    known.extend(MARIADB_11);
                }
                if self.has_test_plugins {
                    known.extend(MARIADB_ODD);
                }
            }
            Family::MySql => {
                known.extend(MYSQL);
                if self.has_test_plugins {
                    known.extend(MYSQL_ODD);
                }
            }
        }
        let method = |(name, identified, plugin)| {
            let mut account = Account::new(name, PASSWORD, plugin);
            match name {
                "dialog2" => account.answers = vec![PASSWORD.into(), b"yes, of course".to_vec()],
                "dialog3" => account.answers = vec![b"first".to_vec(), b"second".to_vec(), PASSWORD.into()],
                _ => {}
            }
            Method { name, identified, account }
        };
        known.into_iter().map(method).collect()
    }

    /// What this server lacks, and why.
    pub fn lacks(&self) -> Vec<(&'static str, &'static str)> {
        let mut lacks = Vec::new();
        match self.kind.family {
            Family::MariaDb => {
                lacks.push(("caching_sha2", "MariaDB has it from 12.1 on"));
                lacks.push(("sha256", "MariaDB has no such server plugin"));
                lacks.push(("pam", "needs a service file of the system's PAM; its dialog is dialog2's and dialog3's"));
                if self.kind.major < 11 {
                    lacks.push(("parsec", "MariaDB has it from 11.6 on"));
                }
            }
            Family::MySql => {
                lacks.push(("native", "MySQL 9 has the client's half alone"));
                lacks.push(("ed25519, parsec", "MariaDB's own"));
            }
        }
        if !self.has_test_plugins {
            lacks.push(("dialog2, dialog3, clear", "get them with scripts/servers.sh NAME-plugins"));
        }
        lacks
    }

    /// Makes an account.
    pub fn create(root: &mut Peer, user: &str, identified: &str) -> Result<()> {
        root.run(&format!("CREATE USER '{user}'@'%' IDENTIFIED {identified}")).with_context(|| user.to_owned())?;
        root.run(&format!("GRANT ALL ON {DATABASE}.* TO '{user}'@'%'"))
    }

    async fn install(&self) -> Result<()> {
        let mut root = Client::connect(&self.migrated.server.root(None)).await?;
        let (own, odd): (&[&str], &[&str]) = match self.kind.family {
            Family::MariaDb if self.kind.major >= 11 => (&["auth_ed25519", "auth_parsec"], &["dialog_examples"]),
            Family::MariaDb => (&["auth_ed25519"], &["dialog_examples"]),
            Family::MySql => (&[], &[]),
        };
        let odd = if self.has_test_plugins { odd } else { &[] };
        for library in own.iter().chain(odd) {
            root.run(&format!("INSTALL SONAME '{library}'")).await?;
        }
        let mut single: Vec<(&str, &str)> = Vec::new();
        if self.has_test_plugins {
            single.push(("cleartext_plugin_server", "auth_test_plugin.so"));
        }
        if self.kind.family == Family::MySql {
            single.push(("auth_socket", "auth_socket.so"));
            if self.has_test_plugins {
                single.extend([("two_questions", "auth.so"), ("three_attempts", "auth.so")]);
            }
        }
        for (plugin, library) in single {
            root.run(&format!("INSTALL PLUGIN {plugin} SONAME '{library}'")).await?;
        }
        let mut root = self.root()?;
        for method in self.methods() {
            Self::create(&mut root, method.name, &method.identified.replace("{password}", PASSWORD))?;
        }
        Ok(())
    }
}

impl Front {
    /// How a client reaches it.
    pub fn route(&self, leg: Leg) -> Route {
        match leg {
            Leg::Plain | Leg::Tls => Route::Tcp(self.proxy.port),
            Leg::Unix => Route::Unix(self.socket.clone()),
        }
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Leg::Plain => "plain",
            Leg::Tls => "TLS",
            Leg::Unix => "unix",
        })
    }
}

/// The server's plugins and, where they are, those of its own tests, in one folder; whether they are.
fn link_plugins(kind: &Kind, folder: &Path) -> Result<bool> {
    fs::create_dir_all(folder)?;
    let own = kind.home().join("root/usr/lib/mysql/plugin");
    let name = format!("{}-plugins", kind.name);
    let tests = kind.home().with_file_name(&name);
    if kind.family == Family::MariaDb && !tests.join("ready").exists() {
        // MySQL's are large: they are got by hand.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/servers.sh");
        let status = Command::new(script).arg(&name).status()?;
        if !status.success() {
            eprintln!("scripts/servers.sh {name}: {status}");
        }
    }
    let has_tests = tests.join("ready").exists();
    if !has_tests {
        println!("NOT covered: {name}; scripts/servers.sh {name} gets them");
    }
    for from in if has_tests { vec![own, tests] } else { vec![own] } {
        for file in fs::read_dir(&from)? {
            let file = file?;
            let to = folder.join(file.file_name());
            if !to.exists() {
                symlink(fs::canonicalize(file.path())?, to)?;
            }
        }
    }
    Ok(has_tests)
}
