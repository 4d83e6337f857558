//! The database URL of a subcommand: as it is, or in a file, since it may hold a password.

use std::{fs, path::PathBuf};

use anyhow::Context;

/// Either of two options.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseUrl {
    /// The database, e.g. `mysql://user:pass@host:3306/shop`.
    #[arg(long, env = "BIFOCAL_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// A file that holds the URL, such as a mounted secret.
    #[arg(long, env = "BIFOCAL_DATABASE_URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,
}

impl DatabaseUrl {
    /// The URL, if there is one.
    pub fn read(&self) -> anyhow::Result<Option<String>> {
        let Some(file) = &self.database_url_file else { return Ok(self.database_url.clone()) };
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Some(text.trim().to_owned()))
    }
}
