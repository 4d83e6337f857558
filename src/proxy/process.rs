//! The OS user that Bifocal runs as: backends on a Unix socket see it in place of the client's.

use nix::unistd::{Uid, User};

use crate::session::OsUser;

/// Bifocal's own OS user.
#[derive(Debug, Clone)]
pub(super) struct Process {
    uid: u32,
    name: Vec<u8>,
}

impl Process {
    /// The one of this process.
    ///
    /// # Errors
    /// If its name cannot be looked up.
    pub fn own() -> Result<Self, String> {
        let uid = Uid::effective();
        let user = User::from_uid(uid).map_err(|error| format!("the name of the OS user {uid}: {error}"))?;
        // Without a name no account is tied to it.
        let name = user.map(|user| user.name.into_bytes()).unwrap_or_default();
        Ok(Self { uid: uid.as_raw(), name })
    }

    /// Whom a backend on a Unix socket takes a client for.
    pub fn stands_for(&self, client: Option<u32>) -> OsUser {
        if client == Some(self.uid) { OsUser::Known } else { OsUser::Bifocals(self.name.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{OsUser, Process};

    #[test]
    fn only_the_same_user_is_known() {
        let process = Process { uid: 7, name: b"bifocal".to_vec() };
        assert_eq!(process.stands_for(Some(7)), OsUser::Known);
        assert_eq!(process.stands_for(Some(0)), OsUser::Bifocals(b"bifocal".to_vec()));
        assert_eq!(process.stands_for(None), OsUser::Bifocals(b"bifocal".to_vec()));
        assert!(Process::own().is_ok());
    }
}
