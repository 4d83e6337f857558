//! Column defaults from the text of `SHOW CREATE TABLE`.
//!
//! `information_schema.COLUMNS.COLUMN_DEFAULT` will not do: MySQL gives literals without quotes there, expressions
//! with backslashes before their quotes, and binary defaults cut at the first zero byte.

use crate::sql::{LexMode, Token, TokenKind, lex};

/// For each column with a DEFAULT clause, its name and the clause's expression as the server printed it. Empty
/// where the text is no `CREATE TABLE`. The text must be printed with `sql_mode=''`.
pub fn column_defaults(create: &str, mode: LexMode) -> Vec<(String, String)> {
    let Ok(tokens) = lex(create.as_bytes(), mode) else { return Vec::new() };
    let mut defaults = Vec::new();
    let mut depth = 0;
    let mut definition: Vec<&Token> = Vec::new();
    for token in &tokens {
        let piece = &create[token.span.clone()];
        match (token.kind, piece) {
            (TokenKind::Punct, "(") => depth += 1,
            (TokenKind::Punct, ")") => depth -= 1,
            _ => {}
        }
        let ends = token.kind == TokenKind::Punct && ((depth == 1 && piece == ",") || (depth == 0 && piece == ")"));
        if ends {
            defaults.extend(default_of(create, &definition));
            definition.clear();
        } else if depth > 1 || (depth == 1 && !(definition.is_empty() && piece == "(")) {
            definition.push(token);
        }
    }
    defaults
}

/// `` `name` type … DEFAULT expression … ``
fn default_of(create: &str, definition: &[&Token]) -> Option<(String, String)> {
    let solid: Vec<&&Token> =
        definition.iter().filter(|token| !matches!(token.kind, TokenKind::White | TokenKind::Comment)).collect();
    let text = |token: &Token| &create[token.span.clone()];
    let name = solid.first().filter(|token| token.kind == TokenKind::QuotedName)?;
    let mut depth = 0i32;
    let mut start = None;
    let mut end = 0;
    for token in solid.iter().skip(1) {
        let piece = text(token);
        match start {
            None if depth == 0 && token.kind == TokenKind::Word && piece.eq_ignore_ascii_case("DEFAULT") => {
                start = Some(token.span.end);
            }
            Some(_) if depth == 0 && end > 0 && ends_default(token.kind, piece) => break,
            Some(_) => end = token.span.end,
            None => {}
        }
        depth += i32::from(piece == "(") - i32::from(piece == ")");
    }
    let expression = create.get(start?..end)?.trim();
    let name = text(name);
    let name = name.get(1..name.len() - 1)?.replace("``", "`");
    Some((name, expression.to_owned()))
}

/// What may follow the expression in a column definition.
fn ends_default(kind: TokenKind, piece: &str) -> bool {
    const NEXT: [&str; 12] = [
        "AUTO_INCREMENT",
        "CHECK",
        "COLUMN_FORMAT",
        "COMMENT",
        "CONSTRAINT",
        "GENERATED",
        "INVISIBLE",
        "NOT",
        "ON",
        "REFERENCES",
        "STORAGE",
        "WITHOUT",
    ];
    kind == TokenKind::CommentMark
        || (kind == TokenKind::Word && NEXT.iter().any(|word| word.eq_ignore_ascii_case(piece)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::ServerKind;

    fn defaults(create: &str, server: ServerKind, version: u32) -> Vec<(String, String)> {
        column_defaults(create, LexMode::of_server(server, version))
    }

    fn pair(name: &str, default: &str) -> (String, String) {
        (name.to_owned(), default.to_owned())
    }

    #[test]
    fn reads_mysqls_spelling() {
        let create = "CREATE TABLE `d` (\n  `a` int DEFAULT '5',\n  `b,` varchar(10) DEFAULT 'it''s, \\\\ x',\n  \
            `d` datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,\n  `e` int NOT NULL,\n  \
            `f` varchar(10) DEFAULT (concat(_utf8mb4'a',_utf8mb4'b')) COMMENT 'DEFAULT 7',\n  `k` varbinary(4) DEFAULT 0x00FF,\n  \
            `p` int DEFAULT NULL /*!80023 INVISIBLE */,\n  PRIMARY KEY (`a`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
        let found = defaults(create, ServerKind::MySql, 90_700);
        let expected = [
            pair("a", "'5'"),
            pair("b,", "'it''s, \\\\ x'"),
            pair("d", "CURRENT_TIMESTAMP"),
            pair("f", "(concat(_utf8mb4'a',_utf8mb4'b'))"),
            pair("k", "0x00FF"),
            pair("p", "NULL"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_mariadbs_spelling() {
        let create = "CREATE TABLE `d` (\n  `a` int(11) DEFAULT 5,\n  `f` varchar(10) DEFAULT concat('a','b'),\n  \
            `d` datetime DEFAULT current_timestamp() ON UPDATE current_timestamp(),\n  `j` longtext DEFAULT NULL CHECK (json_valid(`j`)),\n  \
            `p` int(11) INVISIBLE DEFAULT NULL\n)";
        let found = defaults(create, ServerKind::MariaDb, 101_100);
        let expected = [
            pair("a", "5"),
            pair("f", "concat('a','b')"),
            pair("d", "current_timestamp()"),
            pair("j", "NULL"),
            pair("p", "NULL"),
        ];
        assert_eq!(found, expected);
    }
}
