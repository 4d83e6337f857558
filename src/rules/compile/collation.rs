//! Text that takes a column's collation just as the column would: implicitly.
//!
//! `x COLLATE c` is explicit, and explicit beats everything: `name = BINARY 'Ann'` would silently ignore case, and
//! `name = 'Ann' COLLATE utf8mb4_bin` would be an error. `CONVERT(x USING cs)` has the character set's default
//! collation, on MariaDB 11 weaker than a column's. But the collation of
//! `CASE WHEN FALSE THEN column ELSE x END` is the column's, as long as `x` brings none of its own.

use crate::{
    rules::{
        Template, TemplatePart,
        cast::{Family, cast_template, family, text_width},
    },
    schema::Column,
    sql::{LexMode, ServerKind, Token, TokenKind, lex},
};

/// `value` as a value of `older`'s type. `newer` are the columns of the newer table, those first that the value is
/// about: one with `older`'s collation lends it, where that is exact.
pub fn typed(value: Template, older: &Column, newer: &[&Column]) -> Template {
    let is_text = matches!(family(older), Family::Text | Family::Enum | Family::Set);
    // MariaDB's RPAD shortens a literal that reaches it in place, for every row and every other use of the merged
    // expression (seen on 11.8.6); CONCAT hands on a copy.
    let has_literal = value.parts.iter().any(|part| matches!(part, TemplatePart::Text(text) if text.contains('\'')));
    let value = if is_text && has_literal { value.wrapped("CONCAT('', ", ")") } else { value };
    if !is_text || !is_neutral(&value, older, newer) {
        return cast_template(value, older);
    }
    let Some(anchor) = anchor(older, newer) else { return cast_template(value, older) };
    let text = Template::text("(CASE WHEN FALSE THEN ")
        .then(Template::column(&anchor.name))
        .then(Template::text(" ELSE "))
        .then(value)
        .then(Template::text(" END)"));
    let text = match text_width(older) {
        Some(width) => text.wrapped("LEFT(", &format!(", {width})")),
        None => text,
    };
    if older.data_type == "char" { text.wrapped("RTRIM(", ")") } else { text }
}

/// The column that lends its collation; a TEXT column only where it is worth it, because the servers sort and group
/// what may be one in other ways.
fn anchor<'c>(older: &Column, newer: &[&'c Column]) -> Option<&'c Column> {
    let is_long = |column: &Column| column.data_type.ends_with("text");
    let mut alike = newer.iter().copied().filter(|column| is_alike(column, older));
    let short = alike.clone().find(|column| !is_long(column));
    let long = alike.find(|_| is_long(older) || !older.collation_is_default);
    short.or(long)
}

fn is_alike(column: &Column, older: &Column) -> bool {
    older.collation.is_some() && column.charset == older.charset && column.collation == older.collation
}

/// Whether a value has no collation of its own but that of `older`: its columns have that or none, and it calls
/// only functions that take the collation of their arguments.
fn is_neutral(value: &Template, older: &Column, newer: &[&Column]) -> bool {
    let fits = |name: &str| {
        let column = newer.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        column.is_some_and(|column| match family(column) {
            Family::Text | Family::Enum | Family::Set => is_alike(column, older),
            Family::Integer | Family::Decimal | Family::Float | Family::Date | Family::Year => true,
            Family::Binary | Family::Bit | Family::Json | Family::Other => false,
        })
    };
    if !value.columns().all(fits) {
        return false;
    }
    let text = value.render(|_| "`c`".to_owned());
    let Ok(tokens) = lex(text.as_bytes(), LexMode::of_server(ServerKind::MySql, 0)) else { return false };
    let solid: Vec<&Token> = tokens.iter().filter(|token| token.kind != TokenKind::White).collect();
    solid.iter().enumerate().all(|(index, token)| {
        let piece = text[token.span.clone()].to_ascii_uppercase();
        let called = solid.get(index + 1).is_some_and(|next| &text[next.span.clone()] == "(");
        match token.kind {
            TokenKind::Word => WORDS.contains(&piece.as_str()) || (called && FUNCTIONS.contains(&piece.as_str())),
            // Hexadecimal literals are binary.
            TokenKind::Number => {
                piece.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !piece.starts_with("0X")
            }
            TokenKind::String | TokenKind::QuotedName => true,
            TokenKind::Punct => !piece.starts_with("->"),
            _ => false,
        }
    })
}

/// Keywords that change no collation.
const WORDS: [&str; 27] = [
    "AND", "BETWEEN", "BOTH", "CASE", "DIV", "ELSE", "END", "FALSE", "FOR", "FROM", "IN", "IS", "LEADING", "LIKE",
    "MOD", "NOT", "NULL", "OR", "REGEXP", "RLIKE", "THEN", "TRAILING", "TRUE", "UNKNOWN", "WHEN", "XOR", "ESCAPE",
];

/// Functions of text that give the collation of their arguments, and functions that give numbers.
const FUNCTIONS: [&str; 48] = [
    "ABS",
    "CEIL",
    "CEILING",
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "COALESCE",
    "CONCAT",
    "CONCAT_WS",
    "DAY",
    "ELT",
    "EXP",
    "FIELD",
    "FIND_IN_SET",
    "FLOOR",
    "GREATEST",
    "IF",
    "IFNULL",
    "INSERT",
    "INSTR",
    "ISNULL",
    "LCASE",
    "LEAST",
    "LEFT",
    "LENGTH",
    "LOCATE",
    "LOWER",
    "LPAD",
    "LTRIM",
    "MAKE_SET",
    "MID",
    "MONTH",
    "NULLIF",
    "POSITION",
    "REPEAT",
    "REPLACE",
    "REVERSE",
    "RIGHT",
    "ROUND",
    "RPAD",
    "RTRIM",
    "SIGN",
    "SUBSTR",
    "SUBSTRING",
    "SUBSTRING_INDEX",
    "TRIM",
    "UCASE",
    "UPPER",
    "YEAR",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, data_type: &str, collation: Option<&str>) -> Column {
        Column {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            column_type: data_type.to_owned(),
            nullable: true,
            default: None,
            extra: String::new(),
            charset: collation.map(|_| "utf8mb4".to_owned()),
            collation: collation.map(str::to_owned),
            collation_is_default: false,
            char_len: Some(9),
            precision: None,
            scale: None,
            datetime_precision: None,
            generated: None,
        }
    }

    fn shown(value: Template) -> String {
        let older = column("old", "varchar", Some("utf8mb4_unicode_ci"));
        let first = column("first", "varchar", Some("utf8mb4_unicode_ci"));
        let code = column("code", "varchar", Some("utf8mb4_bin"));
        let number = column("number", "int", None);
        typed(value, &older, &[&number, &code, &first]).render(|name| format!("[{name}]"))
    }

    #[test]
    fn borrows_a_columns_collation() {
        let value = Template::text("CONCAT(").then(Template::column("number")).then(Template::text(", 'x')"));
        assert_eq!(shown(value), "LEFT((CASE WHEN FALSE THEN [first] ELSE CONCAT('', CONCAT([number], 'x')) END), 9)");
    }

    #[test]
    fn converts_what_has_a_collation_of_its_own() {
        for value in [
            Template::column("code"),
            Template::text("CONVERT('a' USING latin1)"),
            Template::text("HEX(1)"),
            Template::text("X'41'"),
            Template::text("'a' COLLATE utf8mb4_bin"),
        ] {
            let text = value.render(|name| format!("[{name}]"));
            let text = if text.contains('\'') { format!("CONCAT('', {text})") } else { text };
            assert_eq!(shown(value), format!("(LEFT(CONVERT({text} USING utf8mb4), 9) COLLATE utf8mb4_unicode_ci)"));
        }
    }
}
