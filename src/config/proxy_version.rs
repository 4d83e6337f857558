//! The versions of the PROXY protocol.

use std::str::FromStr;

/// How the backend is told of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl FromStr for ProxyVersion {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        match written {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err(format!("'{written}' is none of v1, v2")),
        }
    }
}
