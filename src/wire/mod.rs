//! The MySQL protocol: packets, commands and answers, one file per message. It knows nothing of statements,
//! rules or sockets.

mod auth_more_data;
mod auth_switch;
mod bulk_execute;
mod capability;
mod change_user;
mod column_definition;
mod command;
mod compressed_leg;
mod compression;
mod connection_attributes;
mod eof;
mod err;
mod execute;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod greeting;
mod handshake_response;
mod lenenc;
mod ok;
mod packet;
mod packet_walk;
mod prepare_ok;
mod query;
mod status;

pub use auth_more_data::{
    AUTH_MORE_DATA, FAST_AUTHENTICATION_SUCCESS, PERFORM_FULL_AUTHENTICATION, REQUEST_PUBLIC_KEY,
    REQUEST_PUBLIC_KEY_SHA256,
};
pub use auth_switch::AuthSwitch;
pub use bulk_execute::{BulkExecute, BulkValue};
pub use capability::Capabilities;
pub use change_user::ChangeUser;
pub use column_definition::ColumnDefinition;
pub use command::{Answer, Command, StatementId};
pub use compressed_leg::{BackendLeg, ClientLeg};
pub use compression::{BadFrame, Compression, ZstdLevel, decompress_anything};
pub use connection_attributes::ConnectionAttributes;
pub use eof::EofPacket;
pub use err::ErrPacket;
pub use execute::{Argument, Execute, ParamType, ParamValue};
#[cfg(any(test, fuzzing))]
pub use fuzz::{fuzz_compression, fuzz_packets};
pub use greeting::Greeting;
pub use handshake_response::{Changed, HandshakeResponse};
pub use lenenc::{Malformed, Reader, put_lenenc, put_lenenc_bytes};
pub use ok::OkPacket;
pub use packet::{
    Announced, Extent, HEADER_LEN, Header, MAX_PACKET_LEN, MAX_PAYLOAD_LEN, packet_count, put_header, put_payload,
};
pub use prepare_ok::PrepareOk;
pub use query::Query;
pub use status::StatusFlags;
