//! The MySQL protocol: packets, commands and answers, one file per message. It knows nothing of statements,
//! rules or sockets.

mod bulk_execute;
mod capability;
mod change_user;
mod column_definition;
mod command;
mod connection_attributes;
mod eof;
mod err;
mod execute;
mod greeting;
mod handshake_response;
mod lenenc;
mod ok;
mod packet;
mod prepare_ok;
mod query;
mod status;

pub use bulk_execute::{BulkExecute, BulkValue};
pub use capability::Capabilities;
pub use change_user::ChangeUser;
pub use column_definition::ColumnDefinition;
pub use command::{Answer, Command, StatementId};
pub use connection_attributes::ConnectionAttributes;
pub use eof::EofPacket;
pub use err::ErrPacket;
pub use execute::{Argument, Execute, ParamType, ParamValue};
pub use greeting::Greeting;
pub use handshake_response::HandshakeResponse;
pub use lenenc::{Malformed, Reader, put_lenenc, put_lenenc_bytes};
pub use ok::OkPacket;
pub use packet::{Extent, HEADER_LEN, Header, MAX_PACKET_LEN, MAX_PAYLOAD_LEN, packet_count, put_header, put_payload};
pub use prepare_ok::PrepareOk;
pub use query::Query;
pub use status::StatusFlags;
