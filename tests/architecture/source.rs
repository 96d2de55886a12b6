//! Reads Rust source: blanks comments and literals, finds test code and paths. No parser, no dependency.

use std::collections::BTreeSet;
use std::path::Path;

/// One file, and what the rules need to know of it.
pub(crate) struct Source {
    /// Path below the repository, with `/`.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) raw: Vec<String>,
    /// With comments and literals blanked.
    pub(crate) code: Vec<String>,
    /// Which lines belong to a `#[cfg(test)]` item, or to a file of one.
    pub(crate) test: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let blanked = blank(text);
        let code: Vec<String> = blanked.split('\n').map(str::to_owned).collect();
        Self {
            path: path.to_owned(),
            raw: text.split('\n').map(str::to_owned).collect(),
            test: test_lines(&blanked, code.len()),
            code,
        }
    }

    /// Lines of code that ship: number (from 1) and text.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.iter().zip(&self.test).enumerate();
        lines
            .filter(|(_, (_, test))| !**test)
            .map(|(at, (line, _))| (at + 1, line.as_str()))
    }

    /// Whether a line (from 1) belongs to tests.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test.get(line - 1).copied().unwrap_or(false)
    }

    /// The name of the module below the crate that the file belongs to: `journal`, `app`, `main`.
    pub(crate) fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let first = below.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first))
    }

    /// How many modules lie between the file's module and the crate, itself included.
    pub(crate) fn depth(&self) -> usize {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let parts = below.split('/').count();
        parts
            - usize::from(matches!(
                Path::new(below).file_name().and_then(|n| n.to_str()),
                Some("mod.rs" | "lib.rs" | "main.rs")
            ))
    }

    /// Every path that begins with `root::`, groups taken apart: line and the segments after it.
    pub(crate) fn paths_from(&self, root: &str) -> Vec<(usize, Vec<String>)> {
        let tokens = tokens(&self.code);
        let mut found = Vec::new();
        for at in 0..tokens.len() {
            let text = |offset: usize| tokens.get(at + offset).map(|t| t.text.as_str());
            let is_head = at == 0 || tokens.get(at - 1).is_none_or(|t| t.text != "::");
            if text(0) == Some(root) && text(1) == Some("::") && is_head {
                let mut cursor = at + 2;
                flatten(&tokens, &mut cursor, &[], &mut found);
            }
        }
        found
    }

    /// Test modules that the file declares and that stand in files of their own, as path prefixes.
    pub(crate) fn test_module_files(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let tests = self.code.iter().zip(&self.test).filter(|(_, test)| **test);
        tests
            .filter_map(|(line, _)| {
                let (_, rest) = line.split_once("mod ")?;
                let name = rest.trim().strip_suffix(';')?;
                Some(format!("{folder}/{name}"))
            })
            .collect()
    }
}

/// Marks the files that `#[cfg(test)] mod name;` declares as test code throughout.
pub(crate) fn mark_test_files(sources: &mut [Source]) {
    let declared: BTreeSet<String> = sources.iter().flat_map(Source::test_module_files).collect();
    for source in sources {
        let stem = source.path.trim_end_matches(".rs").to_owned() + "/";
        if declared
            .iter()
            .any(|d| stem.starts_with(&(d.clone() + "/")))
        {
            source.test.fill(true);
        }
    }
}

/// Whether `word` stands in `line` as an identifier.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.split(|c| !is_word(c)).any(|part| part == word)
}

struct Token {
    line: usize,
    text: String,
}

/// Identifiers, `::` and single marks.
fn tokens(code: &[String]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (at, line) in code.iter().enumerate() {
        let mut in_word = false;
        for c in line.chars() {
            let word = c.is_alphanumeric() || c == '_';
            match tokens.last_mut() {
                Some(last) if word && in_word => last.text.push(c),
                Some(last) if c == ':' && last.text == ":" && !in_word => last.text.push(c),
                _ if c.is_whitespace() => {}
                _ => tokens.push(Token {
                    line: at + 1,
                    text: c.to_string(),
                }),
            }
            in_word = word;
        }
    }
    tokens
}

/// Reads one path, or a group of them, that continues `prefix`.
fn flatten(
    tokens: &[Token],
    cursor: &mut usize,
    prefix: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*cursor) {
        *cursor += 1;
        if token.text == "{" {
            while tokens.get(*cursor).is_some_and(|t| t.text != "}") {
                flatten(tokens, cursor, &path, found);
                while tokens
                    .get(*cursor)
                    .is_some_and(|t| t.text != "," && t.text != "}")
                {
                    *cursor += 1;
                }
                *cursor += usize::from(tokens.get(*cursor).is_some_and(|t| t.text == ","));
            }
            *cursor += 1;
            return;
        }
        path.push(token.text.clone());
        if tokens.get(*cursor).is_some_and(|t| t.text == "::") {
            *cursor += 1;
        } else {
            found.push((token.line, path));
            return;
        }
    }
}

/// Replaces comments and the inside of literals by spaces; lines stay where they are.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let before = if i == 0 { '\0' } else { at(i - 1) };
        let joined = before.is_alphanumeric() || before == '_';
        let length = match at(i) {
            '/' if at(i + 1) == '/' => line_comment(&chars, i),
            '/' if at(i + 1) == '*' => block_comment(&chars, i),
            'r' if !joined || before == 'b' || before == 'c' => raw_string(&chars, i),
            '"' => quoted(&chars, i, '"'),
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => quoted(&chars, i, '\''),
            _ => 0,
        };
        if length == 0 {
            out.push(at(i));
            i += 1;
        } else {
            let end = (i + length).min(chars.len());
            out.extend((i..end).map(|j| if at(j) == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

fn line_comment(chars: &[char], from: usize) -> usize {
    chars.iter().skip(from).take_while(|c| **c != '\n').count()
}

fn block_comment(chars: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = from;
    while let Some(pair) = chars.get(i..i + 2) {
        match pair {
            ['/', '*'] => depth += 1,
            ['*', '/'] => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            return i - from;
        }
    }
    chars.len() - from
}

fn raw_string(chars: &[char], from: usize) -> usize {
    let hashes = chars
        .iter()
        .skip(from + 1)
        .take_while(|c| **c == '#')
        .count();
    let body = from + 1 + hashes;
    if chars.get(body) != Some(&'"') {
        return 0;
    }
    let mut end = vec!['"'];
    end.resize(1 + hashes, '#');
    let rest = chars.get(body + 1..).unwrap_or_default();
    match rest.windows(end.len()).position(|window| window == end) {
        Some(inside) => 1 + hashes + 1 + inside + end.len(),
        None => chars.len() - from,
    }
}

fn quoted(chars: &[char], from: usize, mark: char) -> usize {
    let mut escaped = false;
    for (length, c) in chars.iter().skip(from + 1).enumerate() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if *c == mark => return length + 2,
            _ => {}
        }
    }
    chars.len() - from
}

/// Lines from each `#[cfg(… test …)]` to the end of the item it stands on.
fn test_lines(code: &str, lines: usize) -> Vec<bool> {
    let mut test = vec![code.contains("#![cfg(test)]"); lines];
    for (start, _) in code.match_indices("#[cfg(") {
        let rest = code.get(start..).unwrap_or_default();
        let attribute = rest.split(']').next().unwrap_or_default();
        if !has_word(attribute, "test") || has_word(attribute, "not") {
            continue;
        }
        let end = start + attribute.len() + item_length(rest.get(attribute.len()..).unwrap_or(""));
        let line_of = |at: usize| code.bytes().take(at).filter(|b| *b == b'\n').count();
        let (first, last) = (line_of(start), line_of(end));
        for marked in test.iter_mut().take(last + 1).skip(first) {
            *marked = true;
        }
    }
    test
}

/// Bytes up to the end of the item: its block or its semicolon; of a field, the end of its struct.
fn item_length(rest: &str) -> usize {
    let mut depth = 0_i32;
    let mut in_block = false;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => {
                in_block |= depth == 0;
                depth += 1;
            }
            '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if depth < 0 && c != ']' || depth == 0 && c == '}' && in_block {
                    return at;
                }
                depth = depth.max(0);
            }
            ';' if depth == 0 => return at,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let text = "a /* x\n /* y */ z */ b \"c\\\" d\" 'e' '\\'' r#\"f \" g\"# &'h i // j\nk";
        let blanked = blank(text);
        assert_eq!(
            blanked.split_whitespace().collect::<Vec<_>>(),
            ["a", "b", "&'h", "i", "k"]
        );
        assert_eq!(blanked.matches('\n').count(), 2);
        assert_eq!(blank("for b in bar\"x\""), "for b in bar   ");
    }

    #[test]
    fn an_item_of_tests_ends_where_it_ends() {
        let text = "fn a() {}\n#[cfg(test)]\n#[path = \"x\"]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n\
                    #[cfg(any(test, feature = \"testing\"))]\npub mod d;\n#[cfg(not(test))]\nfn e() {}";
        let source = Source::new("src/x/mod.rs", text);
        let shipped: Vec<usize> = source.shipped().map(|(line, _)| line).collect();
        assert_eq!(shipped, [1, 7, 10, 11]);
        assert_eq!(source.test_module_files(), ["src/x/d"]);
    }

    #[test]
    fn groups_are_taken_apart() {
        let text = "use crate::{net::{Frame, self as n}, domain::Sequence};\nlet x = crate::a::b::C::new();";
        let paths: Vec<_> = Source::new("src/x.rs", text)
            .paths_from("crate")
            .into_iter()
            .map(|(line, path)| format!("{line} {}", path.join("::")))
            .collect();
        assert_eq!(
            paths,
            [
                "1 net::Frame",
                "1 net::self",
                "1 domain::Sequence",
                "2 a::b::C::new"
            ]
        );
    }

    #[test]
    fn files_of_test_modules_are_test_code() {
        let mut sources = [
            Source::new("src/a/mod.rs", "#[cfg(test)]\nmod model;\nmod modelled;"),
            Source::new("src/a/model.rs", "x"),
            Source::new("src/a/model/deep.rs", "x"),
            Source::new("src/a/modelled.rs", "x"),
        ];
        mark_test_files(&mut sources);
        let marked: Vec<bool> = sources.iter().map(|s| s.is_test(1)).collect();
        assert_eq!(marked, [true, true, true, false]);
    }
}
