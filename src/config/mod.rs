//! Configuration in two stages: as written (flags, environment, a YAML file), then resolved, where every mistake
//! is reported at once and no value needs another check.

mod backend;
mod compression;
mod listen;
mod proxy_version;
mod serve;
mod tls;

pub use backend::BackendAddress;
pub use compression::{BackendCompression, ClientCompression};
pub use listen::{Listen, ListenAddress};
pub use proxy_version::ProxyVersion;
pub use serve::{Config, Mistakes, Written};
pub use tls::{BackendLeg, BackendTls, ClientLeg, ClientTls, Identity};
