//! Expressions that take a column's type: what a server does with a value when it is assigned to that column.

use super::{Template, raise};
use crate::schema::Column;

/// The kinds of type that are treated alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// BIT.
    Bit,
    /// BINARY, VARBINARY, the BLOBs.
    Binary,
    /// DATE, DATETIME, TIMESTAMP, TIME.
    Date,
    /// DECIMAL.
    Decimal,
    /// ENUM.
    Enum,
    /// FLOAT and DOUBLE.
    Float,
    /// The integers.
    Integer,
    /// MySQL's JSON.
    Json,
    /// What cannot be cast: geometry and the like.
    Other,
    /// SET.
    Set,
    /// CHAR, VARCHAR, the TEXTs.
    Text,
    /// YEAR.
    Year,
}

/// Which kind of type a column has.
pub fn family(column: &Column) -> Family {
    match column.data_type.as_str() {
        "bit" => Family::Bit,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Family::Binary,
        "date" | "datetime" | "timestamp" | "time" => Family::Date,
        "decimal" => Family::Decimal,
        "enum" => Family::Enum,
        "float" | "double" => Family::Float,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Family::Integer,
        "json" => Family::Json,
        "set" => Family::Set,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Family::Text,
        "year" => Family::Year,
        _ => Family::Other,
    }
}

/// `expr`, which is written once, as a value of the column's type, charset and collation. Like an assignment in
/// a mode that is not strict, it cuts what is too long without an error; see [`checked_cast`].
///
/// `LEFT(CONVERT(…))` and not `CAST(… AS CHAR(n))`, because MySQL raises error 1292 for the latter when it cuts
/// within a strict INSERT or UPDATE, even in a WHERE clause.
pub fn cast(expr: &str, column: &Column) -> String {
    let (before, after) = affixes(column);
    format!("{before}{expr}{after}")
}

/// [`cast`] of a template.
pub fn cast_template(template: Template, column: &Column) -> Template {
    let (before, after) = affixes(column);
    template.wrapped(&before, &after)
}

/// `expr`, which is written several times, as a value of the column's type; a value that a strict server would not
/// take for that column raises one of the errors of [`raise`].
pub fn checked_cast(expr: &str, column: &Column) -> String {
    let mut whens = Vec::new();
    if !column.nullable {
        whens.push((format!("({expr}) IS NULL"), raise::NULL_NOT_ALLOWED));
    }
    whens.extend(limits(expr, column));
    let value = match family(column) {
        Family::Enum => canonical_member(expr, column),
        Family::Set => canonical_set(expr, column),
        _ => cast(expr, column),
    };
    if whens.is_empty() {
        return value;
    }
    let whens: Vec<String> =
        whens.iter().map(|(when, code)| format!("WHEN {when} THEN {}", raise_as(*code, column))).collect();
    format!("(CASE {} ELSE {value} END)", whens.join(" "))
}

/// The expression that raises `code`, in a form that does not change the type of a CASE around it: a bare `EXP(…)`
/// would make a CASE of integers a DOUBLE, and 9007199254740993 would lose its last digit.
pub fn raise_as(code: u32, column: &Column) -> String {
    match family(column) {
        // Beside texts a number becomes text, and brings no collation with it.
        Family::Text | Family::Enum | Family::Set => raise::raise(code),
        _ => cast(&raise::raise(code), column),
    }
}

/// Members of an ENUM or SET, unquoted.
pub fn members(column: &Column) -> Vec<String> {
    let Some(open) = column.column_type.find('(') else { return Vec::new() };
    let list = column.column_type[open + 1..].trim_end_matches(')');
    let mut members = Vec::new();
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\'' {
            continue;
        }
        let mut member = String::new();
        while let Some(c) = chars.next() {
            if c == '\'' {
                if chars.next_if_eq(&'\'').is_none() {
                    break;
                }
                member.push('\'');
            } else {
                member.push(c);
            }
        }
        members.push(member);
    }
    members
}

/// A text literal that means the same in every `sql_mode` and connection charset.
pub fn text_literal(text: &str) -> String {
    if text.bytes().all(|byte| (b' '..0x7F).contains(&byte) && byte != b'\\') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let hex: Vec<String> = text.bytes().map(|byte| format!("{byte:02X}")).collect();
    format!("_utf8mb4 X'{}'", hex.concat())
}

fn affixes(column: &Column) -> (String, String) {
    let digits = column.datetime_precision.filter(|digits| *digits > 0).map_or(String::new(), |n| format!("({n})"));
    let pair = |before: &str, after: &str| (before.to_owned(), after.to_owned());
    match family(column) {
        Family::Text | Family::Enum | Family::Set => text_affixes(column),
        Family::Binary if column.data_type == "binary" => {
            pair("CAST(", &format!(" AS BINARY({}))", column.char_len.unwrap_or(1)))
        }
        Family::Binary => pair("CAST(", " AS BINARY)"),
        Family::Bit => pair("CAST(", " AS UNSIGNED)"),
        Family::Date => match column.data_type.as_str() {
            "date" => pair("CAST(", " AS DATE)"),
            "time" => pair("CAST(", &format!(" AS TIME{digits})")),
            _ => pair("CAST(", &format!(" AS DATETIME{digits})")),
        },
        Family::Decimal => {
            let (precision, scale) = (column.precision.unwrap_or(10), column.scale.unwrap_or(0));
            pair("CAST(", &format!(" AS DECIMAL({precision},{scale}))"))
        }
        Family::Float if column.data_type == "float" => pair("CAST(", " AS FLOAT)"),
        Family::Float => pair("CAST(", " AS DOUBLE)"),
        // Straight to SIGNED, text would be cut at its first character that is no digit: '12.7' became 12, '1e3' 1.
        Family::Integer if column.is_unsigned() => pair("CAST(CAST(", " AS DECIMAL(65,0)) AS UNSIGNED)"),
        Family::Integer => pair("CAST(CAST(", " AS DECIMAL(65,0)) AS SIGNED)"),
        // MariaDB has no CAST AS YEAR.
        Family::Year => pair("CAST(CAST(", " AS DECIMAL(65,0)) AS UNSIGNED)"),
        Family::Json | Family::Other => pair("(", ")"),
    }
}

/// How many characters a text column holds, where the server counts characters.
pub fn text_width(column: &Column) -> Option<u64> {
    match column.data_type.as_str() {
        "char" | "varchar" => column.char_len,
        "enum" => members(column).iter().map(|member| member.chars().count() as u64).max(),
        "set" => Some(members(column).iter().map(|member| member.chars().count() as u64 + 1).sum()),
        _ => None,
    }
}

fn text_affixes(column: &Column) -> (String, String) {
    let charset = column.charset.as_deref().unwrap_or("utf8mb4");
    let mut before = String::from("CONVERT(");
    let mut after = format!(" USING {charset})");
    if let Some(width) = text_width(column) {
        before.insert_str(0, "LEFT(");
        after = format!("{after}, {width})");
    }
    // A CHAR column is read without its trailing blanks.
    if column.data_type == "char" {
        before.insert_str(0, "RTRIM(");
        after.push(')');
    }
    if let Some(collation) = column.collation.as_deref().filter(|_| !column.collation_is_default) {
        before.insert(0, '(');
        after = format!("{after} COLLATE {collation})");
    }
    (before, after)
}

/// What a strict server would not take, as conditions with their codes.
fn limits(expr: &str, column: &Column) -> Vec<(String, u32)> {
    match family(column) {
        Family::Text => text_limits(expr, column),
        Family::Binary => {
            let limit = column.char_len.filter(|limit| *limit < u64::from(u32::MAX));
            limit.map(|limit| (format!("LENGTH({expr}) > {limit}"), raise::TOO_LONG)).into_iter().collect()
        }
        Family::Bit => {
            let bits = u32::try_from(column.precision.unwrap_or(1)).unwrap_or(64);
            let max = 1u128.checked_shl(bits).unwrap_or(1 << 64) - 1;
            vec![(format!("CAST({expr} AS UNSIGNED) > {max}"), raise::OUT_OF_RANGE)]
        }
        Family::Date => vec![(format!("({expr}) IS NOT NULL AND {} IS NULL", cast(expr, column)), raise::UNFIT)],
        Family::Decimal => vec![decimal_limit(expr, column)],
        Family::Enum => {
            let charset = column.charset.as_deref().unwrap_or("utf8mb4");
            vec![(format!("CONVERT({expr} USING {charset}) NOT IN ({})", member_list(column)), raise::UNFIT)]
        }
        Family::Float if column.is_unsigned() => vec![(format!("({expr}) < 0"), raise::OUT_OF_RANGE)],
        Family::Integer => {
            let (low, high) = integer_range(column);
            vec![(format!("CAST({expr} AS DECIMAL(65,0)) NOT BETWEEN {low} AND {high}"), raise::OUT_OF_RANGE)]
        }
        Family::Json => vec![(format!("NOT JSON_VALID({expr})"), raise::UNFIT)],
        Family::Year => {
            let number = format!("CAST({expr} AS DECIMAL(65,0))");
            vec![(format!("{number} <> 0 AND {number} NOT BETWEEN 1901 AND 2155"), raise::OUT_OF_RANGE)]
        }
        Family::Set => vec![(unknown_elements(expr, column), raise::UNFIT)],
        Family::Float | Family::Other => Vec::new(),
    }
}

fn text_limits(expr: &str, column: &Column) -> Vec<(String, u32)> {
    let charset = column.charset.as_deref().unwrap_or("utf8mb4");
    let mut limits = Vec::new();
    if charset != "utf8mb4" {
        // MySQL puts a question mark where the charset has no such character; an assignment would be an error.
        let there = format!("CAST(CONVERT({expr} USING utf8mb4) AS BINARY)");
        let back = format!("CAST(CONVERT(CONVERT({expr} USING {charset}) USING utf8mb4) AS BINARY)");
        limits.push((format!("NOT ({there} <=> {back})"), raise::UNFIT));
    }
    match (column.data_type.as_str(), column.char_len) {
        // Blanks past the end are cut without an error, in every mode.
        ("char" | "varchar", Some(limit)) => {
            limits.push((format!("CHAR_LENGTH(RTRIM({expr})) > {limit}"), raise::TOO_LONG));
        }
        ("longtext", _) | (_, None) => {}
        (_, Some(limit)) => {
            limits.push((format!("LENGTH(CONVERT({expr} USING {charset})) > {limit}"), raise::TOO_LONG));
        }
    }
    limits
}

fn decimal_limit(expr: &str, column: &Column) -> (String, u32) {
    let scale = usize::try_from(column.scale.unwrap_or(0)).unwrap_or(0);
    let precision = usize::try_from(column.precision.unwrap_or(10)).unwrap_or(10);
    let whole = "9".repeat(precision.saturating_sub(scale));
    let whole = if whole.is_empty() { "0".to_owned() } else { whole };
    let max = if scale > 0 { format!("{whole}.{}", "9".repeat(scale)) } else { whole };
    let low = if column.is_unsigned() { "0".to_owned() } else { format!("-{max}") };
    (format!("CAST({expr} AS DECIMAL(65,{scale})) NOT BETWEEN {low} AND {max}"), raise::OUT_OF_RANGE)
}

fn integer_range(column: &Column) -> (i128, i128) {
    let bits = match column.data_type.as_str() {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        _ => 64,
    };
    if column.is_unsigned() { (0, (1 << bits) - 1) } else { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) }
}

/// ENUM stores the member as declared, whatever the case it is written in.
fn canonical_member(expr: &str, column: &Column) -> String {
    let charset = column.charset.as_deref().unwrap_or("utf8mb4");
    let list = member_list(column);
    cast(&format!("ELT(FIELD(CONVERT({expr} USING {charset}), {list}), {list})"), column)
}

/// SET stores its elements in declared order, each once, as declared.
fn canonical_set(expr: &str, column: &Column) -> String {
    let bits: Vec<String> = found_elements(expr, column)
        .iter()
        .enumerate()
        .map(|(place, found)| format!("{found} * {}", 1u128 << place.min(63)))
        .collect();
    cast(&format!("MAKE_SET({}, {})", bits.join(" + "), member_list(column)), column)
}

/// Whether there is an element that is no member: there are more elements than members found.
fn unknown_elements(expr: &str, column: &Column) -> String {
    let found = found_elements(expr, column).join(" + ");
    let commas = format!("CHAR_LENGTH({expr}) - CHAR_LENGTH(REPLACE({expr}, ',', ''))");
    format!("CHAR_LENGTH({expr}) > 0 AND {found} < 1 + {commas}")
}

/// For each member, an expression that is 1 if it is among the elements, and 0 if not.
fn found_elements(expr: &str, column: &Column) -> Vec<String> {
    let charset = column.charset.as_deref().unwrap_or("utf8mb4");
    let found =
        |member: &String| format!("(FIND_IN_SET({}, CONVERT({expr} USING {charset})) > 0)", text_literal(member));
    members(column).iter().map(found).collect()
}

fn member_list(column: &Column) -> String {
    members(column).iter().map(|member| text_literal(member)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(data_type: &str, column_type: &str) -> Column {
        Column {
            name: "c".to_owned(),
            data_type: data_type.to_owned(),
            column_type: column_type.to_owned(),
            nullable: true,
            default: None,
            extra: String::new(),
            charset: None,
            collation: None,
            collation_is_default: false,
            char_len: None,
            precision: None,
            scale: None,
            datetime_precision: None,
            generated: None,
        }
    }

    fn text(data_type: &str, column_type: &str, charset: &str, collation: Option<&str>) -> Column {
        Column {
            charset: Some(charset.to_owned()),
            collation: Some(collation.unwrap_or("its_default").to_owned()),
            collation_is_default: collation.is_none(),
            char_len: Some(5),
            ..column(data_type, column_type)
        }
    }

    #[test]
    fn casts_to_each_family() {
        let varchar = text("varchar", "varchar(5)", "utf8mb4", None);
        assert_eq!(cast("x", &varchar), "LEFT(CONVERT(x USING utf8mb4), 5)");
        let binary_text = text("char", "char(5)", "latin1", Some("latin1_bin"));
        assert_eq!(cast("x", &binary_text), "(RTRIM(LEFT(CONVERT(x USING latin1), 5)) COLLATE latin1_bin)");
        assert_eq!(cast("x", &column("int", "int(11)")), "CAST(CAST(x AS DECIMAL(65,0)) AS SIGNED)");
        assert_eq!(cast("x", &column("bigint", "bigint unsigned")), "CAST(CAST(x AS DECIMAL(65,0)) AS UNSIGNED)");
        assert_eq!(cast("x", &column("varbinary", "varbinary(9)")), "CAST(x AS BINARY)");
        let precise = Column { datetime_precision: Some(3), ..column("timestamp", "timestamp(3)") };
        assert_eq!(cast("x", &precise), "CAST(x AS DATETIME(3))");
    }

    #[test]
    fn checks_limits_before_it_cuts() {
        let varchar = text("varchar", "varchar(5)", "utf8mb4", None);
        let expected = "(CASE WHEN CHAR_LENGTH(RTRIM(x)) > 5 THEN EXP(70003) \
            ELSE LEFT(CONVERT(x USING utf8mb4), 5) END)";
        assert_eq!(checked_cast("x", &varchar), expected);
        let tiny = Column { nullable: false, ..column("tinyint", "tinyint unsigned") };
        let checked = checked_cast("x", &tiny);
        assert!(checked.contains("(x) IS NULL THEN CAST(CAST(EXP(70005) AS DECIMAL(65,0)) AS UNSIGNED)"), "{checked}");
        assert!(checked.contains("NOT BETWEEN 0 AND 255 THEN"), "{checked}");
    }

    #[test]
    fn knows_the_range_of_a_decimal() {
        let price = Column { precision: Some(6), scale: Some(2), ..column("decimal", "decimal(6,2)") };
        assert_eq!(decimal_limit("x", &price).0, "CAST(x AS DECIMAL(65,2)) NOT BETWEEN -9999.99 AND 9999.99");
        let share = Column { precision: Some(2), scale: Some(2), ..column("decimal", "decimal(2,2) unsigned") };
        assert_eq!(decimal_limit("x", &share).0, "CAST(x AS DECIMAL(65,2)) NOT BETWEEN 0 AND 0.99");
    }

    #[test]
    fn reads_members() {
        assert_eq!(members(&column("enum", "enum('a','it''s','x,y')")), ["a", "it's", "x,y"]);
    }

    #[test]
    fn writes_texts_that_no_mode_reads_differently() {
        assert_eq!(text_literal("it's"), "'it''s'");
        assert_eq!(text_literal("\\é"), "_utf8mb4 X'5CC3A9'");
    }
}
