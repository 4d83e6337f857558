//! Statement text as byte spans: lexing, parsing, scopes, edits.

mod lex;

pub use lex::{Charset, LexError, LexMode, ServerKind, Token, TokenKind, lex};
