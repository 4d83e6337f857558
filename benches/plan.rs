//! How long it takes to lex a statement, to see that it concerns no changed table, and to plan one that does.
//!
//! `make bench`; the rules are those of `tests/rules/good/shop.yaml`, v2 one step and v1 two steps from the physical version.

use std::{hint::black_box, path::Path};

use bifocal::{
    rewrite::{Facts, plan},
    sql::{LexMode, ServerKind, lex},
};
use criterion::{Criterion, criterion_group, criterion_main};

/// About 200 bytes, as the budgets say.
const STATEMENTS: [(&str, &str); 4] = [
    (
        "forward",
        "SELECT p.id, p.title, p.price, p.stock FROM products p LEFT JOIN shelves s ON s.product_id = p.id WHERE p.stock > 0 \
         AND s.room IN ('A', 'B', 'C') AND p.title LIKE 'ab%' ORDER BY p.price DESC, p.id LIMIT 20",
    ),
    (
        "select",
        "SELECT u.id, u.mail, u.full_name, o.id, o.status FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.mail = \
         'ann@example.com' AND o.status IN ('new', 'paid') ORDER BY u.id, o.id DESC LIMIT 20",
    ),
    (
        "insert",
        "INSERT INTO users (mail, full_name) VALUES ('ann@example.com', 'Ann Lee'), ('bob@example.com', 'Bob Ray')",
    ),
    ("update", "UPDATE users SET full_name = ?, mail = ? WHERE id = ? AND mail <> 'nobody@example.com'"),
];

fn plans(criterion: &mut Criterion) {
    let ruleset = match bifocal::cli::rules::load(Path::new("tests/rules/good")) {
        Ok(ruleset) => ruleset,
        Err(error) => panic!("{}", error.render()),
    };
    let shop = ruleset.databases.iter().find(|database| database.name == "shop").expect("the rules of the shop");
    let facts = Facts {
        database: Some("shop".to_owned()),
        lex: LexMode::of_server(ServerKind::MariaDb, 101_118),
        strict: true,
        introduce: false,
        odd_mode: None,
        multi_statements: true,
    };
    for (name, sql) in STATEMENTS {
        criterion.bench_function(&format!("lex/{name}"), |bencher| {
            bencher.iter(|| lex(black_box(sql.as_bytes()), facts.lex));
        });
        for version in shop.versions.iter().filter(|version| !version.chain.is_empty()) {
            criterion.bench_function(&format!("plan/{}/{name}", version.name), |bencher| {
                bencher.iter(|| plan(black_box(sql.as_bytes()), &version.chain, &facts));
            });
        }
    }
}

criterion_group!(benches, plans);
criterion_main!(benches);
