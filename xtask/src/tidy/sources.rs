//! Rules about source files, line by line. rustfmt has seen the files before: an item ends at a line with its own indentation.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Problem;

/// Crates that leave the system to others, and what they may not name outside their tests.
const PURE: [&str; 2] = ["glob-tree", "broker-core"];
const SYSTEM: [&str; 7] =
    ["std::net", "std::fs", "std::thread", "std::process", "std::env", "Instant::now", "SystemTime::now"];
/// The crate whose locks and atomics another library can take the place of, where they come from, and what is not to be taken from elsewhere.
const CHECKED: (&str, &str) = ("broker-core", "broker-core/src/sync.rs");
const LOCKS: [&str; 5] = ["Mutex", "RwLock", "Condvar", "Barrier", "atomic"];
/// Crates that reach a broker through the client library alone.
const CLIENTS: [&str; 2] = ["broker-tui", "broker-cli"];
const SOCKETS: [&str; 4] = ["TcpStream", "TcpListener", "UdpSocket", "tokio::net"];
/// The comment that allows a sleep in a test, and gives the reason.
const SLEEP_ALLOWED: &str = "// tidy: sleep: ";

/// Checks all Rust files of a crate; returns how many.
pub(super) fn check_crate(
    root: &Path,
    directory: &Path,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Result<usize> {
    let mut files = Vec::new();
    find_files(directory, &mut files)?;
    for path in &files {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        check_file(path.strip_prefix(root).unwrap_or(path), name, &text, problems);
    }
    Ok(files.len())
}

/// Refuses a manifest that does not take the workspace's lints.
pub(super) fn check_lints(manifest: &Path, text: &str, problems: &mut Vec<Problem>) {
    let takes_them = text.parse::<toml::Table>().is_ok_and(|table| {
        let lints = table.get("lints").and_then(|lints| lints.get("workspace"));
        lints.and_then(toml::Value::as_bool) == Some(true)
    });
    if !takes_them {
        let text = "the crate does not take the workspace's lints; add `[lints]` with `workspace = true`";
        problems.push(Problem::new(manifest, 1, text));
    }
}

fn find_files(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", directory.display()))?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "target" && name != "artifacts" && name != "corpus" {
                find_files(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn check_file(path: &Path, name: &str, text: &str, problems: &mut Vec<Problem>) {
    let first = text.lines().position(|line| !line.trim().is_empty());
    let head = first.and_then(|index| text.lines().nth(index)).unwrap_or_default();
    if !head.starts_with("//!") || head.trim_start_matches(['/', '!', ' ']).is_empty() {
        let todo = "open it with a `//!` line: what it owns, what it does not, its invariants";
        problems.push(Problem::new(
            path,
            first.map_or(1, |index| index + 1),
            format!("the file has no head; {todo}"),
        ));
    }
    let all_test = is_test_file(path);
    // Examples and benchmarks are programs of their own: they may look at the clock.
    let in_crate = path.components().any(|part| part.as_os_str() == "src");
    let mut test_until: Option<String> = None;
    let mut attribute = false;
    let mut allowed = false;
    for (index, line) in text.lines().enumerate() {
        let code = code_of(line);
        let trimmed = code.trim();
        if attribute && !trimmed.starts_with("#[") && !trimmed.is_empty() {
            // The item behind `#[cfg(test)]`: as long as its braces are open, all of it is test code.
            let indentation: String = code.chars().take_while(|c| *c == ' ').collect();
            test_until = trimmed.ends_with('{').then(|| indentation + "}");
            attribute = false;
        }
        attribute |= test_until.is_none() && trimmed.starts_with("#[cfg(") && names_test(trimmed);
        let in_test = all_test || test_until.is_some();
        allowed |= line.split_once(SLEEP_ALLOWED).is_some_and(|(_, reason)| !reason.trim().is_empty());
        if in_test {
            if !allowed && sleeps(&code) {
                let todo =
                    "wait for the condition with `eventually(deadline, check)`, or give the reason above it";
                problems.push(Problem::new(
                    path,
                    index + 1,
                    format!("a bare sleep in a test; {todo}: `{SLEEP_ALLOWED}…`"),
                ));
            }
        } else if in_crate {
            check_purity(path, index + 1, name, &code, problems);
        }
        // The reason stands on the line itself or right above it.
        allowed &= trimmed.is_empty();
        if test_until.as_ref().is_some_and(|end| code.trim_end() == end) {
            test_until = None;
        }
    }
}

fn check_purity(path: &Path, line: usize, name: &str, code: &str, problems: &mut Vec<Problem>) {
    let rules: [(&[&str], &[&str], &str); 2] = [
        (&PURE, &SYSTEM, "take it as an argument: broker-server touches the system"),
        (&CLIENTS, &SOCKETS, "go through broker-client"),
    ];
    for (crates, words, todo) in rules {
        if crates.contains(&name)
            && let Some(word) = words.iter().find(|word| code.contains(*word))
        {
            problems.push(Problem::new(path, line, format!("{name} may not use {word}; {todo}")));
        }
    }
    let (crate_name, source) = CHECKED;
    if name == crate_name
        && path != Path::new(source)
        && code.contains("std::sync")
        && let Some(word) = LOCKS.iter().find(|word| code.contains(*word))
    {
        let todo = "take it from crate::sync: `cargo xtask model-check` puts another library's in its place";
        problems.push(Problem::new(
            path,
            line,
            format!("{name} may not use the {word} of std::sync; {todo}"),
        ));
    }
}

/// Whether all of a file is test code: integration tests, and modules called `tests`.
fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
        || path.parent().is_some_and(|parent| parent.components().any(|part| part.as_os_str() == "tests"))
}

/// Whether a `#[cfg(…)]` asks for the test build.
fn names_test(attribute: &str) -> bool {
    !attribute.contains("not(test")
        && attribute.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
}

/// Whether a line calls a function named `sleep` or `sleep_until`.
fn sleeps(code: &str) -> bool {
    ["sleep(", "sleep_until("].iter().any(|call| {
        code.match_indices(call).any(|(at, _)| {
            let before = code.get(..at).unwrap_or_default();
            let is_own_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
            !is_own_name && !before.trim_end().ends_with("fn")
        })
    })
}

/// A line without its comment and without what stands in quotation marks.
fn code_of(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => {
                chars.next();
            }
            // `'"'` is a character, not the start of a string.
            '"' if code.ends_with('\'') && chars.peek() == Some(&'\'') => {}
            '"' => quoted = !quoted,
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            _ if quoted => {}
            c => code.push(c),
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Problems of one file as `line: first words`.
    #[track_caller]
    fn check(path: &str, name: &str, lines: &[&str], want: &[(usize, &str)]) {
        let mut problems = Vec::new();
        check_file(Path::new(path), name, &lines.join("\n"), &mut problems);
        let got: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.text.as_str())).collect();
        assert_eq!(got.len(), want.len(), "{got:?}");
        for ((line, text), (want_line, want_text)) in got.iter().zip(want) {
            assert!(line == want_line && text.contains(want_text), "{got:?}");
        }
    }

    #[test]
    fn a_file_has_a_head() {
        check("a/src/lib.rs", "xtask", &["//! Owns a.", "fn a() {}"], &[]);
        check("a/src/lib.rs", "xtask", &["", "fn a() {}"], &[(2, "no head")]);
        check("a/src/lib.rs", "xtask", &["//!", "fn a() {}"], &[(1, "no head")]);
        check("a/src/lib.rs", "xtask", &["// a comment"], &[(1, "no head")]);
        check("a/src/lib.rs", "xtask", &[], &[(1, "no head")]);
    }

    #[test]
    fn a_test_does_not_sleep() {
        let bare = ["//! Head.", "    std::thread::sleep(TICK);"];
        check("a/tests/a.rs", "xtask", &bare, &[(2, "bare sleep")]);
        check("a/src/a/tests.rs", "xtask", &bare, &[(2, "bare sleep")]);
        check("a/src/a.rs", "xtask", &bare, &[]);
        check(
            "a/tests/a.rs",
            "xtask",
            &["//! Head.", "tokio::time::sleep(TICK).await;"],
            &[(2, "bare sleep")],
        );
        check("a/tests/a.rs", "xtask", &["//! Head.", "let _ = sleep_until(later);"], &[(2, "bare sleep")]);
        check(
            "a/tests/a.rs",
            "xtask",
            &["//! Head.", "fn sleep(x: u8) {}", "a.sleep(1); oversleep(2);"],
            &[],
        );
        check("a/tests/a.rs", "xtask", &["//! Head.", "// sleep(1)", "let a = \"sleep(1)\";"], &[]);
    }

    #[test]
    fn a_reason_allows_a_sleep_and_only_the_next_one() {
        let lines = [
            "//! Head.",
            "// tidy: sleep: the helper itself",
            "sleep(T);",
            "sleep(T); // tidy: sleep: why",
            "sleep(T);",
        ];
        check("a/tests/a.rs", "xtask", &lines, &[(5, "bare sleep")]);
        check("a/tests/a.rs", "xtask", &["//! Head.", "// tidy: sleep: ", "sleep(T);"], &[(3, "bare sleep")]);
    }

    #[test]
    fn test_modules_are_known_by_their_attribute() {
        let lines = [
            "//! Head.",
            "fn a() { sleep(T) }",
            "#[cfg(all(test, unix))]",
            "#[allow(x)]",
            "mod tests {",
            "    fn b() {",
            "        sleep(T);",
            "    }",
            "}",
            "fn c() { sleep(T) }",
            "#[cfg(test)]",
            "mod more;",
            "fn d() { sleep(T) }",
            "#[cfg(not(test))]",
            "fn e() {",
            "    sleep(T)",
            "}",
        ];
        check("a/src/a.rs", "xtask", &lines, &[(7, "bare sleep")]);
    }

    #[test]
    fn pure_crates_stay_pure() {
        let lines = [
            "//! No std::net here.",
            "use std::net::TcpStream;",
            "#[cfg(test)]",
            "mod tests {",
            "    use std::fs;",
            "}",
        ];
        check("broker-core/src/a.rs", "broker-core", &lines, &[(2, "may not use std::net")]);
        check("broker-tui/src/a.rs", "broker-tui", &lines, &[(2, "may not use TcpStream")]);
        check("broker-server/src/a.rs", "broker-server", &lines, &[]);
        check("broker-core/examples/a.rs", "broker-core", &lines, &[]);
    }

    #[test]
    fn locks_come_from_one_place() {
        let lines = [
            "//! Head.",
            "use std::sync::{Arc, Mutex};",
            "use std::sync::{Arc, OnceLock};",
            "use crate::sync::Mutex;",
        ];
        check("broker-core/src/a.rs", "broker-core", &lines, &[(2, "may not use the Mutex of std::sync")]);
        let counter = ["//! Head.", "let counter = std::sync::atomic::AtomicU64::new(0);"];
        check("broker-core/src/a.rs", "broker-core", &counter, &[(2, "may not use the atomic of std::sync")]);
        check("broker-core/src/sync.rs", "broker-core", &lines, &[]);
        check("broker-core/tests/a.rs", "broker-core", &lines, &[]);
        check("broker-server/src/a.rs", "broker-server", &lines, &[]);
    }

    #[test]
    fn lints_are_the_workspaces() {
        for (manifest, good) in [
            ("[lints]\nworkspace = true\n", true),
            ("lints.workspace = true\n", true),
            ("[lints]\nworkspace = false\n", false),
            ("[package]\nname = \"lints.workspace = true\"\n", false),
            ("not toml", false),
        ] {
            let mut problems = Vec::new();
            check_lints(Path::new("Cargo.toml"), manifest, &mut problems);
            assert_eq!(problems.is_empty(), good, "{manifest}");
        }
    }

    #[test]
    fn files_are_found_in_all_rooms_but_target() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["src/lib.rs", "src/a/b.rs", "tests/c.rs", "target/debug/d.rs", "src/e.txt"] {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "fn a() {}").unwrap();
        }
        let mut problems = Vec::new();
        let count = check_crate(directory.path(), directory.path(), "xtask", &mut problems).unwrap();
        assert_eq!((count, problems.len()), (3, 3));
    }
}
