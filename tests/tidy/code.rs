//! Rust text, read just well enough for the rules: comments and literals blanked out, words, and paths.

/// Where a name stands in code, not as a part of a longer one.
pub fn words(code: &str, name: &str) -> Vec<usize> {
    let bounded = |at: usize| {
        let (before, after) = (code[..at].chars().next_back(), code[at + name.len()..].chars().next());
        let longer_before = before.is_some_and(is_word) && name.starts_with(is_word);
        let longer_after = after.is_some_and(is_word) && name.ends_with(is_word);
        !longer_before && !longer_after
    };
    code.match_indices(name).map(|(at, _)| at).filter(|at| bounded(*at)).collect()
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks out comments and literals, byte for byte.
pub fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let skipped = if is_word(before) { plain_literal(rest) } else { literal(rest) };
        let (piece, next) = rest.split_at(if skipped == 0 { c.len_utf8() } else { skipped });
        if skipped == 0 {
            code.push(c);
            before = c;
        } else {
            code.extend(piece.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            before = ' ';
        }
        rest = next;
    }
    code
}

/// The length of the comment or literal at the beginning, or 0.
fn literal(text: &str) -> usize {
    let raw = text.trim_start_matches(['b', 'r', 'c']);
    let prefix = text.len() - raw.len();
    let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
    if (1..=2).contains(&prefix) && text[..prefix].ends_with('r') && raw[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let body = &raw[hashes + 1..];
        return prefix + hashes + 1 + body.find(&end).map_or(body.len(), |at| at + end.len());
    }
    plain_literal(text)
}

/// The same, without raw strings.
fn plain_literal(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    match text.as_bytes() {
        [b'"', ..] => quoted(text, b'"'),
        [b'\'', b'\\', ..] => quoted(text, b'\''),
        // Two quotes around one character; a lifetime has no second one.
        [b'\'', ..] => text[1..].chars().next().map_or(0, |c| {
            let end = 1 + c.len_utf8();
            if text[end..].starts_with('\'') { end + 1 } else { 0 }
        }),
        _ => 0,
    }
}

/// The length of a literal that ends at `quote`.
fn quoted(text: &str, quote: u8) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == quote {
            return at + 1;
        }
    }
    text.len()
}

/// The length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The paths of a file, those in `use` trees written out: where each stands, and e.g. `crate::sql::lex`.
pub fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut offset = 0;
    while offset < code.len() {
        let rest = &code[offset..];
        let path = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(byte)).count();
        if path == 0 {
            offset += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let (text, next) = (&rest[..path], rest[path..].bytes().next());
        if let (Some(prefix), Some(b'{')) = (text.strip_suffix("::"), next) {
            tree(code, offset + path + 1, prefix, &mut found);
        }
        found.push((offset, text.trim_matches(':').to_owned()));
        offset += path;
    }
    found
}

/// The paths of a `use` tree's group, which begins at `at`, under `prefix`.
fn tree(code: &str, at: usize, prefix: &str, found: &mut Vec<(usize, String)>) {
    let mut depth = 0_usize;
    let mut begin = at;
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'{' => depth += 1,
            b',' | b'}' if depth == 0 => {
                let item = code[begin..offset].trim_start();
                let start = offset - item.len();
                let name = item.split(['{', ' ']).next().unwrap_or_default().trim_end_matches("::");
                let path = format!("{prefix}::{name}");
                if let Some(open) = item.find('{') {
                    tree(code, start + open + 1, &path, found);
                }
                found.push((start, path));
                begin = offset + 1;
                if byte == b'}' {
                    return;
                }
            }
            b'}' => depth -= 1,
            _ => {}
        }
    }
}
