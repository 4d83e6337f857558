//! Statement text as byte spans: lexing, parsing, scopes, edits.

mod charset;
mod edit;
mod lex;
mod parse;
pub mod scope;
mod text;

pub use charset::Charset;
pub use edit::{Edited, Edits, Piece, Unwritable, Writing};
pub use lex::{LexError, LexMode, ServerKind, Token, TokenKind, lex};
pub use parse::{Lock, ParseError, Parsed, SELECT_MODIFIERS, index_hint, parse};
pub use text::Text;
