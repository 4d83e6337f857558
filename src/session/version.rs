//! Which version a connection speaks: by the name of its database, a connection attribute, or its listener.

use std::sync::Arc;

use crate::{
    rewrite::ServerError,
    rules::{Mapping, Ruleset, VersionedDatabase},
};

/// The connection attribute that names a version.
pub(super) const ATTRIBUTE: &[u8] = b"bifocal_version";

/// Stands between a database and a version in the database name of a DSN.
const SEPARATOR: &str = "__";

/// The steps from a version to the physical one, oldest first; none if the version is physical.
pub(super) type Chain = Arc<[Arc<Mapping>]>;

/// A version of a logical database, e.g. `shop@v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionName {
    /// The database.
    pub database: String,
    /// The version.
    pub version: String,
}

impl std::fmt::Display for VersionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.database, self.version)
    }
}

impl VersionName {
    /// The steps to the physical version; none if the rules do not know the version.
    pub(super) fn chain(&self, rules: &Ruleset) -> Option<Chain> {
        let database = database(rules, &self.database)?;
        let version = database.versions.iter().find(|version| version.name == self.version)?;
        Some(version.chain.as_slice().into())
    }

    /// What a client is told whose version the rules do not know.
    pub(super) fn unknown(&self, rules: &Ruleset) -> ServerError {
        let known = match database(rules, &self.database) {
            Some(database) => versions(database),
            None => format!("no rules for database '{}'", self.database),
        };
        unknown_database(format!("Unknown version '{}' of '{}' (Bifocal has {known})", self.version, self.database))
    }
}

/// Whether the rules know the version.
pub fn is_known(rules: &Ruleset, name: &VersionName) -> bool {
    name.chain(rules).is_some()
}

/// What names the version of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wishes<'a> {
    /// The database as the client calls it.
    pub database: Option<&'a [u8]>,
    /// The attribute's value.
    pub attribute: Option<&'a [u8]>,
    /// The listener's version.
    pub listener: Option<&'a VersionName>,
}

/// What a connection gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    /// Its version; none: it is relayed as it is.
    pub version: Option<VersionName>,
    /// The database's name on the server, if the client called it otherwise.
    pub database: Option<String>,
}

/// Decides on the version of a connection, first match.
pub(super) fn decide(rules: &Ruleset, wishes: Wishes<'_>) -> Result<Decision, ServerError> {
    let named = wishes.database.and_then(|name| split(rules, name));
    let physical = named.as_ref().map(|name| name.database.clone());
    let version = if named.is_some() {
        named
    } else if let Some(attribute) = wishes.attribute {
        Some(by_attribute(rules, &String::from_utf8_lossy(attribute), wishes)?)
    } else {
        wishes.listener.cloned()
    };
    match version {
        Some(name) if name.chain(rules).is_none() => Err(name.unknown(rules)),
        version => Ok(Decision { version, database: physical }),
    }
}

/// Takes `shop__v1` apart, where the rules know the database `shop` and no database of the whole name.
pub(super) fn split(rules: &Ruleset, name: &[u8]) -> Option<VersionName> {
    let name = std::str::from_utf8(name).ok()?;
    if rules.databases.is_empty() || database(rules, name).is_some() {
        return None;
    }
    name.match_indices(SEPARATOR)
        .map(|(at, _)| (&name[..at], &name[at + SEPARATOR.len()..]))
        .find(|(before, version)| !version.is_empty() && database(rules, before).is_some())
        .map(|(before, version)| VersionName { database: before.to_owned(), version: version.to_owned() })
}

fn by_attribute(rules: &Ruleset, value: &str, wishes: Wishes<'_>) -> Result<VersionName, ServerError> {
    let database = match (wishes.database, wishes.listener, rules.databases.as_slice()) {
        (Some(name), ..) => String::from_utf8_lossy(name).into_owned(),
        (None, Some(listener), _) => listener.database.clone(),
        (None, None, [only]) => only.name.clone(),
        _ => {
            let message = format!("Connection attribute bifocal_version '{value}' needs a database to be chosen");
            return Err(unknown_database(message));
        }
    };
    Ok(VersionName { database, version: value.to_owned() })
}

fn database<'a>(rules: &'a Ruleset, name: &str) -> Option<&'a VersionedDatabase> {
    rules.databases.iter().find(|database| database.name == name)
}

fn versions(database: &VersionedDatabase) -> String {
    let names: Vec<&str> = database.versions.iter().map(|version| version.name.as_str()).collect();
    names.join(", ")
}

fn unknown_database(message: String) -> ServerError {
    ServerError { number: 1049, sqlstate: *b"42000", message }
}

#[cfg(test)]
mod tests {
    use super::{Decision, VersionName, Wishes, decide, split};
    use crate::session::fixtures::ruleset;

    fn name(version: &str) -> VersionName {
        VersionName { database: "shop".to_owned(), version: version.to_owned() }
    }

    #[test]
    fn the_first_match_wins() {
        let rules = ruleset();
        let listener = name("v2");
        let all = Wishes { database: Some(b"shop__v1"), attribute: Some(b"v2"), listener: Some(&listener) };
        let decided = decide(&rules, all);
        assert_eq!(decided, Ok(Decision { version: Some(name("v1")), database: Some("shop".to_owned()) }));
        let decided = decide(&rules, Wishes { database: Some(b"shop"), attribute: Some(b"v1"), ..all });
        assert_eq!(decided, Ok(Decision { version: Some(name("v1")), database: None }));
        let decided = decide(&rules, Wishes { database: None, attribute: None, ..all });
        assert_eq!(decided, Ok(Decision { version: Some(name("v2")), database: None }));
        let decided = decide(&rules, Wishes { database: Some(b"other__v1"), ..Wishes::default() });
        assert_eq!(decided, Ok(Decision { version: None, database: None }));
    }

    #[test]
    fn an_unknown_version_is_told_with_those_that_exist() {
        let rules = ruleset();
        let error = decide(&rules, Wishes { database: Some(b"shop__v9"), ..Wishes::default() }).expect_err("unknown");
        assert_eq!(error.number, 1049);
        assert_eq!(error.message, "Unknown version 'v9' of 'shop' (Bifocal has v1, v2)");
        let wishes = Wishes { database: Some(b"other"), attribute: Some(b"v1"), ..Wishes::default() };
        assert!(decide(&rules, wishes).is_err());
    }

    #[test]
    fn only_a_database_of_the_rules_is_taken_apart() {
        let rules = ruleset();
        assert_eq!(split(&rules, b"shop"), None);
        assert_eq!(split(&rules, b"shop__"), None);
        assert_eq!(split(&rules, b"a__b"), None);
        assert_eq!(split(&rules, b"shop__v1"), Some(name("v1")));
        assert_eq!(split(&rules, b"shop__a__b"), Some(name("a__b")));
    }
}
