//! Compression as configured, on both legs.

use std::str::FromStr;

/// Which compressed protocols clients are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCompression {
    /// None.
    Off,
    /// The one that both servers have.
    Zlib,
    /// MySQL's.
    Zstd,
    /// Both, whatever the backend has.
    #[default]
    Both,
}

/// Which compressed protocol the backend is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendCompression {
    /// None.
    #[default]
    Off,
    /// The one that both servers have; none where it is off.
    Zlib,
    /// MySQL's; zlib where the backend does not have it.
    Zstd,
}

impl FromStr for ClientCompression {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        match written {
            "off" => Ok(Self::Off),
            "zlib" => Ok(Self::Zlib),
            "zstd" => Ok(Self::Zstd),
            "both" => Ok(Self::Both),
            _ => Err(format!("'{written}' is none of off, zlib, zstd, both")),
        }
    }
}

impl FromStr for BackendCompression {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        match written {
            "off" => Ok(Self::Off),
            "zlib" => Ok(Self::Zlib),
            "zstd" => Ok(Self::Zstd),
            _ => Err(format!("'{written}' is none of off, zlib, zstd")),
        }
    }
}
