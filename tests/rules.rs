//! Rule files and what becomes of them: `tests/rules/good/*.yaml` compile to the mapping in the `.txt` beside each,
//! `tests/rules/bad/*.yaml` to the mistakes in theirs. `UPDATE=1 cargo test --test rules` rewrites the texts.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use bifocal::rules::{
    ColumnSource, Diagnostic, Group, Mapping, Ruleset, SUPPORTED, SourceFile, TableMapping, Template, UNSUPPORTED,
    compile, raise,
};

#[test]
fn good_rules_compile() {
    for path in yaml_files("tests/rules/good") {
        let outcome = match compile_file(&path) {
            Ok(ruleset) => describe(&ruleset),
            Err(mistakes) => panic!("{} does not compile:\n{}", path.display(), lines(&mistakes)),
        };
        check(&path, &outcome);
    }
}

#[test]
fn bad_rules_are_told_with_their_places() {
    for path in yaml_files("tests/rules/bad") {
        match compile_file(&path) {
            Ok(_) => panic!("{} compiles", path.display()),
            Err(mistakes) => check(&path, &lines(&mistakes)),
        }
    }
}

#[test]
fn one_run_tells_many_mistakes() {
    let mistakes = compile_file(Path::new("tests/rules/bad/many.yaml")).expect_err("it is all wrong");
    assert!(mistakes.len() >= 10, "{}", lines(&mistakes));
    assert!(mistakes.iter().all(|mistake| mistake.line > 1 && mistake.column >= 1 && !mistake.help.is_empty()));
}

#[test]
fn a_mistake_is_shown_in_its_place() {
    let path = Path::new("tests/rules/bad/many.yaml");
    let source = fs::read_to_string(path).expect("the file is there");
    let mistakes = compile_file(path).expect_err("it is all wrong");
    let shown = mistakes[0].render(&source);
    assert!(shown.starts_with(&mistakes[0].to_string()), "{shown}");
    assert!(shown.contains(&format!("--> tests/rules/bad/many.yaml:{}:", mistakes[0].line)), "{shown}");
    assert!(shown.contains("^^"), "{shown}");
}

#[test]
fn any_text_gives_rules_or_mistakes() {
    let whole = fs::read_to_string("tests/rules/good/shop.yaml").expect("the file is there");
    let cuts = (0..whole.len()).filter(|at| whole.is_char_boundary(*at)).step_by(7);
    for cut in cuts {
        let file = SourceFile { path: "tests/rules/good/cut.yaml".to_owned(), text: whole[..cut].to_owned() };
        if let Err(mistakes) = compile(&[file], &read) {
            assert!(!mistakes.is_empty());
        }
    }
}

#[test]
fn raised_codes_are_distinct() {
    let mut codes: Vec<u32> = raise::ALL.iter().map(|(code, _)| *code).collect();
    codes.dedup();
    assert_eq!(codes.len(), raise::ALL.len());
}

#[test]
fn every_kind_is_documented() {
    let readme = fs::read_to_string("rules/README.md").expect("the file is there");
    let (supported, planned) = readme.split_once("## Not supported yet").expect("the last section");
    let sections: Vec<&str> =
        supported.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
    let mut kinds = sections.clone();
    kinds.sort_unstable();
    assert_eq!(kinds, SUPPORTED);
    for kind in UNSUPPORTED {
        assert!(planned.contains(&format!("`{kind}`")), "{kind}");
    }
}

fn compile_file(path: &Path) -> Result<Ruleset, Vec<Diagnostic>> {
    let text = fs::read_to_string(path).expect("the file is there");
    compile(&[SourceFile { path: path.display().to_string(), text }], &read)
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|_| "no such file".to_owned())
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "no file in {folder}");
    files
}

/// Compares with the text beside the file, or writes it.
fn check(path: &Path, outcome: &str) {
    let golden = path.with_extension("txt");
    if env::var_os("UPDATE").is_some() {
        fs::write(&golden, outcome).expect("the text can be written");
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        expected == outcome,
        "{} differs; accept with UPDATE=1 cargo test --test rules\n--- expected\n{expected}--- found\n{outcome}",
        golden.display()
    );
}

fn lines(mistakes: &[Diagnostic]) -> String {
    mistakes.iter().fold(String::new(), |text, mistake| text + &mistake.to_string() + "\n")
}

fn describe(ruleset: &Ruleset) -> String {
    let mut text = String::new();
    for database in &ruleset.databases {
        for version in &database.versions {
            let _ = writeln!(text, "{} {}: {} step(s)", database.name, version.name, version.chain.len());
            if let Some(mapping) = version.chain.first() {
                describe_mapping(&mut text, mapping);
            }
        }
    }
    text
}

fn describe_mapping(text: &mut String, mapping: &Mapping) {
    for table in &mapping.tables {
        let _ = writeln!(text, "  {} -> {}", table.name, table.physical);
        describe_columns(text, table);
        for (index, group) in table.groups.iter().enumerate() {
            describe_group(text, index, group);
        }
        for added in &table.added {
            let value = added.value.as_ref().map_or_else(|| "its default".to_owned(), shown);
            let _ = writeln!(text, "    added {} = {value}", added.column);
        }
        for (older, newer) in &table.keys {
            let _ = writeln!(text, "    key {older} -> {newer}");
        }
    }
}

fn describe_columns(text: &mut String, table: &TableMapping) {
    for column in &table.columns {
        let source = match &column.source {
            ColumnSource::Direct(name) => name.clone(),
            ColumnSource::Computed { read, group } => format!("group {group}: {}", shown(read)),
            ColumnSource::Discarded(value) => format!("discarded: {}", shown(value)),
        };
        let _ = writeln!(text, "    {} <- {source}", column.name);
    }
}

fn describe_group(text: &mut String, index: usize, group: &Group) {
    let _ = writeln!(text, "    group {index} of {}: {:?}", group.columns.join(", "), group.lossiness);
    for write in &group.writes {
        let _ = writeln!(text, "      {} = {}", write.column, shown(&write.forward));
    }
    for (column, backward) in group.columns.iter().zip(&group.backward) {
        let _ = writeln!(text, "      backward {column} = {}", shown(backward));
    }
    for kept in &group.kept {
        let _ = writeln!(text, "      {} kept as {}", kept.column, kept.physical);
    }
}

/// Columns stand in brackets.
fn shown(template: &Template) -> String {
    template.render(|name| format!("[{name}]"))
}
