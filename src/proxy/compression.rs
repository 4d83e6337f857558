//! Compression as configured, in the protocol's words; and what is logged where the backend has less.

use crate::{
    config::{BackendCompression, ClientCompression, Config},
    session::Leg,
    wire::Capabilities,
};

use super::Shared;

/// What clients are offered.
pub(super) fn offered(config: &Config) -> Capabilities {
    match config.compression {
        ClientCompression::Off => Capabilities::default(),
        ClientCompression::Zlib => Capabilities::COMPRESS,
        ClientCompression::Zstd => Capabilities::ZSTD,
        ClientCompression::Both => Capabilities::COMPRESS.with(Capabilities::ZSTD),
    }
}

/// What the backend is asked for.
pub(super) fn asked(config: &Config) -> Capabilities {
    match config.backend_compression {
        BackendCompression::Off => Capabilities::default(),
        BackendCompression::Zlib => Capabilities::COMPRESS,
        BackendCompression::Zstd => Capabilities::COMPRESS.with(Capabilities::ZSTD),
    }
}

/// Tells once that a backend's leg has less than it should.
pub(super) fn note(leg: Leg, shared: &Shared) {
    let (wanted, has) = match (shared.config.backend_compression, leg.compression) {
        (BackendCompression::Zstd, has) if !has.has(Capabilities::ZSTD) => ("zstd", has),
        (BackendCompression::Zlib, has) if !has.has(Capabilities::COMPRESS) => ("zlib", has),
        _ => return,
    };
    let instead = if has.has(Capabilities::COMPRESS) { "zlib" } else { "no compression" };
    shared.compression_noted.call_once(|| tracing::warn!(wanted, instead, "the backend does not offer it"));
}
