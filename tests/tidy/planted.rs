//! A violation of every rule, planted in memory: each must be found, and nothing else.

use super::{
    CORE, Source, inspect,
    refusals::{REFUSAL_DOCS, REFUSALS},
};

/// Checks that a file with this text, beside others that are tidy, gives one finding, on this line, with these words.
fn check(path: &str, text: &str, line: usize, words: &str) {
    check_all(&[(path, text)], &[(path, line, words)]);
}

fn check_all(files: &[(&str, &str)], expected: &[(&str, usize, &str)]) {
    let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    let findings = inspect(&sources);
    let fits = findings.len() == expected.len()
        && findings.iter().zip(expected).all(|(finding, (path, line, words))| {
            finding.path == *path && finding.line == *line && finding.message.contains(words)
        });
    assert!(fits, "expected {expected:#?}\nfound {findings:#?}");
}

#[test]
fn planted_headers_and_lengths_are_found() {
    check("src/sql/a.rs", "fn a() {}\n", 1, "header");
    check("src/sql/a.rs", &format!("//! A.\n{}", "\n".repeat(600)), 601, "601 lines");
    check_all(&[("src/sql/a.rs", &format!("//! A.\n{}", "\n".repeat(599)))], &[]);
    let long =
        |lines: usize| format!("//! A.\n\nfn a<const N: usize>(b: [u8; N]) {{\n{}}}\n", "    b();\n".repeat(lines));
    check("src/sql/a.rs", &long(69), 3, "fn a has 71 lines");
    check("tests/a.rs", &format!("//! A.\nmod b {{\n{}}}\n", &long(69)[8..]), 3, "fn a has 71 lines");
    check_all(&[("src/sql/a.rs", &long(68))], &[]);
}

#[test]
fn planted_words_are_found() {
    check("tests/a.rs", "//! A.\n\n#[ignore = \"slow\"]\nfn a() {}\n", 3, "#[ignore");
    check("src/cli/a.rs", "//! A.\nfn a() { unsafe { b() } }\n", 2, "unsafe");
    check("src/cli/a.rs", "//! A.\nmacro_rules! a { () => {} }\n", 2, "macro_rules!");
    check("src/cli/a.rs", "//! A.\nstruct QueryHandler;\n", 2, "QueryHandler");
    check("src/lib.rs", "//! A.\nmod util;\n", 2, "util");
    check_all(&[("src/cli/a.rs", "//! A.\n// unsafe\nfn a() -> &'static str { r#\"unsafe \" \"# }\n")], &[]);
}

#[test]
fn planted_imports_are_found() {
    check("src/sql/a.rs", "//! A.\nuse crate::schema::Table;\n", 2, "`sql` imports `schema`; it may import nothing");
    check("src/rules/a.rs", "//! A.\nfn a() -> crate::wire::Packet { b }\n", 2, "it may import schema, sql");
    check(
        "src/rewrite/a.rs",
        "//! A.\nuse crate::{\n    rules::Mapping,\n    session::{Step, Version},\n};\n",
        4,
        "`session`",
    );
    check("src/wire/a/b.rs", "//! A.\nuse super::super::super::sql::Token;\n", 2, "`wire` imports `sql`");
    check("src/admin/a.rs", "//! A.\nuse crate::wire::ok::Ok;\n", 2, "reaches into `wire`");
    check("src/other/a.rs", "//! A.\n", 1, "not in the table");
    let root = |declared: &str| format!("//! A.\n{declared} mod fixtures;\n");
    let fixtures = ("src/session/fixtures.rs", "//! B.\nuse crate::schema::Schema;\n");
    for only in ["#[cfg(test)]\npub(crate)", "#[cfg(any(test, fuzzing))]\npub(crate)"] {
        check_all(&[("src/session/mod.rs", &root(only)), fixtures], &[]);
    }
    check_all(&[("src/session/mod.rs", &root("pub(crate)")), fixtures], &[(fixtures.0, 2, "`schema`")]);
    let good = "//! A.\nuse crate::{schema::Table, sql::{lex::{Token}, Name}};\nuse std::{fmt, io};\nuse super::b;\n";
    check_all(&[("src/rules/a.rs", good), ("src/admin/b.rs", "//! B.\nuse crate::wire::Packet;\n")], &[]);
}

#[test]
fn planted_side_effects_are_found() {
    let plants = [
        "use std::{collections::BTreeMap, fs};",
        "use std::net::TcpStream;",
        "fn a() { std::env::var(\"B\"); }",
        "use std::time::{Duration, Instant};",
        "fn a() -> std::time::SystemTime { b }",
        "use tokio::sync::mpsc;",
        "fn a() { tracing::info!(\"b\"); }",
        "fn a() { log::info!(\"b\"); }",
        "static mut A: u8 = 0;",
        "static A: LazyLock<u8> = b();",
        "fn a() { println!(); }",
    ];
    for module in CORE {
        for plant in plants {
            check(&format!("src/{module}/a.rs"), &format!("//! A.\n{plant}\n"), 2, "is core");
        }
    }
    let good = "//! Not tokio::net.\nuse std::time::Duration;\nfn a(log: u8) { log.b(\"std::fs\"); }\n";
    check_all(&[("src/sql/a.rs", good), ("src/proxy/a.rs", "//! A.\nuse tokio::net::TcpStream;\n")], &[]);
}

#[test]
fn planted_refusals_are_found() {
    let list = |second: &str| {
        format!(
            "//! A.\nconst A: Code = Code {{ code: \"R101\", title: \"a `b` c\" }};\n\
             const B: Code =\n    Code {{ code: \"{second}\", title: \"d\" }};\n"
        )
    };
    let docs = (REFUSAL_DOCS, "| code |\n| R101 | A b `c`, or so | e |\n| R102 | D | f |\n");
    let case = ("tests/cases/a/b.case", "refuse R101: SELECT 1;\nrefuse R102: SELECT 2;\n");
    check_all(&[(REFUSALS, &list("R102")), docs, case], &[]);
    check_all(&[(REFUSALS, &list("R102")), docs], &[]);
    let twice = [(docs.0, 3, "nothing is refused"), (REFUSALS, 4, "next free"), (case.0, 2, "no code R102")];
    check_all(&[(REFUSALS, &list("R101")), docs, case], &twice);
    check_all(
        &[(REFUSALS, &list("R102")), (docs.0, "| R101 | a b c | e |\n"), case],
        &[(REFUSALS, 4, "lacks the row")],
    );
    let stale = "| R101 | a c | e |\n| R102 | d |  |\n";
    check_all(
        &[(REFUSALS, &list("R102")), (docs.0, stale), case],
        &[(docs.0, 1, "does not begin with"), (docs.0, 2, "instead")],
    );
    check_all(&[(REFUSALS, &list("R102")), docs, (case.0, "refuse R102: x;\n")], &[(REFUSALS, 2, "no case")]);
    let other = ("src/session/a.rs", "//! A.\nconst A: Refusal = Refusal { code: \"R901\", reason: B };\n");
    check_all(&[(REFUSALS, &list("R102")), docs, case, other], &[(other.0, 2, "lacks the row")]);
    check_all(&[(REFUSALS, &list("R102"))], &[(REFUSALS, 1, "there is no docs/refusals.md")]);
}

#[test]
fn planted_traps_without_a_test_are_found() {
    let row = |names: &str| format!("| 1 | a trap | {names} |\n");
    let list = |last: &str| {
        format!("| line | the trap | held by |\n|---|---|---|\n{}{}", row("`l01_a`").repeat(26), row(last))
    };
    let test = ("tests/a.rs", "//! A.\nfn l01_a() {}\n");
    check_all(&[test, ("docs/wire.md", &list("`l01_a`, `tests/a.rs`"))], &[]);
    check_all(&[test, ("docs/wire.md", &list("`l01_b`"))], &[("docs/wire.md", 29, "no test `l01_b`")]);
    check_all(&[test, ("docs/wire.md", &list("nothing"))], &[("docs/wire.md", 29, "no test holds this")]);
    check_all(
        &[test, ("docs/wire.md", "| line | the trap | held by |\n|---|---|---|\n")],
        &[("docs/wire.md", 1, "the list has 0 lines")],
    );
}
