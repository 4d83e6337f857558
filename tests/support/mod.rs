//! What the integration tests share: real servers, the real `bifocal` process, clients, case files.

pub mod case;
pub mod client;
pub mod migrated;
pub mod proxy;
pub mod server;
pub mod set;
pub mod watched;
