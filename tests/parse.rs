//! Every statement of the corpus is understood: parsed, with every identifier where it stands.

use bifocal::sql::{LexMode, ServerKind, Text, parse, scope::collect};

#[test]
fn the_corpus_is_understood() {
    let corpus = include_str!("corpus/understood.sql");
    let mut failures = Vec::new();
    for statement in corpus.lines().filter(|line| !line.is_empty()) {
        let text = Text::new(statement.as_bytes(), LexMode::of_server(ServerKind::MySql, 90_700)).unwrap();
        match parse(&text) {
            Err(error) => failures.push(format!("{statement}\n    {error}")),
            Ok(parsed) => {
                let blocks = collect(&parsed.statement);
                let found = (0..text.len())
                    .filter(|&index| text.is_any_word(index, &["users", "`users`"]))
                    .all(|index| blocks.identifiers.contains(&text.span(index).start));
                if !found {
                    failures.push(format!("{statement}\n    users is not an identifier of the AST"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} not understood:\n{}", failures.len(), failures.join("\n"));
}
