//! Who may import whom: one table, compared with what `cargo metadata` says of every crate.

use std::path::Path;

use cargo_metadata::{DependencyKind, Package};

use super::Problem;

/// Which crates of others a crate may import.
enum Others {
    /// These alone.
    Only(&'static [&'static str]),
    /// All but these.
    Not(&'static [&'static str]),
}

/// What one crate may import.
struct Rule {
    name: &'static str,
    /// Crates of this workspace.
    ours: &'static [&'static str],
    /// More of them, for its tests.
    ours_in_tests: &'static [&'static str],
    others: Others,
    reason: &'static str,
}

/// Arrows go downwards only.
const RULES: [Rule; 7] = [
    Rule {
        name: "glob-tree",
        ours: &[],
        ours_in_tests: &[],
        others: Others::Only(&["hashbrown", "foldhash", "serde", "smallvec"]),
        reason: "it is a crate of its own, with at most a hasher or a small vector, and serde behind a feature",
    },
    Rule {
        name: "broker-core",
        ours: &["glob-tree"],
        ours_in_tests: &[],
        others: Others::Only(&[
            "bytes",
            "foldhash",
            "hashbrown",
            "memchr",
            "rmp",
            "rmp-serde",
            "serde",
            "serde_json",
            // In the build of `cargo xtask model-check` alone.
            "shuttle",
            "smallvec",
            "thiserror",
        ]),
        reason: "it decides, and leaves sockets, files, threads, clocks and chance to broker-server",
    },
    Rule {
        name: "broker-server",
        ours: &["broker-core"],
        ours_in_tests: &["broker-client"],
        others: Others::Not(&["crossterm", "ratatui"]),
        reason: "the server knows no client but in its tests",
    },
    Rule {
        name: "broker-client",
        ours: &["broker-core"],
        ours_in_tests: &[],
        others: Others::Not(&["anyhow", "axum", "clap", "crossterm", "ratatui"]),
        reason: "a library has errors of its own and no command line, and knows no server",
    },
    Rule {
        name: "broker-tui",
        ours: &["broker-client"],
        ours_in_tests: &["broker-server"],
        others: Others::Not(&["mio", "socket2"]),
        reason: "the dashboard is a client like any other",
    },
    Rule {
        name: "broker-cli",
        ours: &["broker-client"],
        ours_in_tests: &["broker-server"],
        others: Others::Not(&["mio", "ratatui", "socket2"]),
        reason: "the command line is a client like any other",
    },
    Rule {
        name: "xtask",
        // The load generator writes and reads raw frames: a client library between would be what is measured. Its progress
        // and its numbers look like the dashboard's: it draws with the dashboard's library.
        ours: &["broker-client", "broker-core", "broker-server", "broker-tui"],
        ours_in_tests: &[],
        others: Others::Not(&[]),
        reason: "it drives the others",
    },
];

/// One crate that another one imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// The importing crate.
    of: String,
    name: String,
    /// In the same workspace.
    ours: bool,
    /// For tests, examples and benchmarks alone.
    test: bool,
}

/// What a package imports, and under its own name even if it imports nothing.
pub(super) fn imports(package: &Package) -> (String, Vec<Import>) {
    let imports = package.dependencies.iter().map(|dependency| Import {
        of: package.name.to_string(),
        name: dependency.name.clone(),
        ours: dependency.path.is_some(),
        test: dependency.kind == DependencyKind::Development,
    });
    (package.name.to_string(), imports.collect())
}

/// Compares a crate's imports with the table. `manifest` and its `text` are for the line.
pub(super) fn check(
    manifest: &Path,
    text: &str,
    (name, imports): &(String, Vec<Import>),
    problems: &mut Vec<Problem>,
) {
    let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
        let todo = "add what it may import to the table in xtask/src/tidy/edges.rs";
        problems.push(Problem::new(manifest, 1, format!("no rule for the crate {name}; {todo}")));
        return;
    };
    for import in imports {
        let allowed = match (import.ours, &rule.others) {
            (true, _) => {
                rule.ours.contains(&import.name.as_str())
                    || (import.test && rule.ours_in_tests.contains(&import.name.as_str()))
            }
            // What the tests of a crate use of others is not part of it.
            (false, _) if import.test => true,
            (false, Others::Only(names)) => names.contains(&import.name.as_str()),
            (false, Others::Not(names)) => !names.contains(&import.name.as_str()),
        };
        if !allowed {
            let place = if import.test { " in its tests" } else { "" };
            let text_ = format!("{name} may not import {}{place}: {}; remove it", import.name, rule.reason);
            problems.push(Problem::new(manifest, line_of(text, &import.name), text_));
        }
    }
}

/// The line of a manifest that names a dependency.
fn line_of(text: &str, dependency: &str) -> usize {
    let names_it = |line: &str| {
        let line = line.trim_start().trim_start_matches('"');
        line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=', '"']))
    };
    text.lines().position(names_it).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_rows(name: &str, rows: &[(&str, bool, bool)], want: &[&str]) {
        let imports = rows
            .iter()
            .map(|&(import, ours, test)| Import { of: name.into(), name: import.into(), ours, test })
            .collect();
        let mut problems = Vec::new();
        check(Path::new("Cargo.toml"), "", &(name.to_owned(), imports), &mut problems);
        let got: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
        assert_eq!(got.len(), want.len(), "{got:?}");
        for (got, want) in got.iter().zip(want) {
            assert!(got.contains(want), "{got}");
        }
    }

    #[test]
    fn wrong_edges_are_found() {
        check_rows("broker-core", &[("glob-tree", true, false), ("bytes", false, false)], &[]);
        check_rows("broker-core", &[("tokio", false, false)], &["may not import tokio"]);
        check_rows("broker-core", &[("proptest", false, true)], &[]);
        check_rows(
            "broker-core",
            &[("broker-server", true, true)],
            &["may not import broker-server in its tests"],
        );
        check_rows("glob-tree", &[("broker-core", true, false)], &["may not import broker-core"]);
        check_rows("broker-client", &[("clap", false, false)], &["may not import clap"]);
        check_rows("broker-client", &[("broker-server", true, false)], &["may not import broker-server"]);
        check_rows("broker-server", &[("broker-client", true, true)], &[]);
        check_rows("broker-server", &[("broker-client", true, false)], &["may not import broker-client:"]);
        check_rows("broker-tui", &[("broker-server", true, true), ("broker-client", true, false)], &[]);
        check_rows("broker-cli", &[("broker-server", true, false)], &["may not import broker-server"]);
        check_rows("broker-cli", &[("xtask", true, true)], &["may not import xtask"]);
        check_rows("broker-new", &[], &["no rule for the crate broker-new"]);
    }

    #[test]
    fn the_line_is_that_of_the_dependency() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nrmp-serde.workspace = true\nrmp = \"1\"\n";
        assert_eq!(line_of(manifest, "rmp"), 5);
        assert_eq!(line_of(manifest, "rmp-serde"), 4);
        assert_eq!(line_of(manifest, "tokio"), 1);
    }
}
