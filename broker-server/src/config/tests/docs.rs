//! That `docs/configuration.md` says the same.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::Input;
use crate::config::{Config, settings_table};

fn docs() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    fs::read_to_string(path).unwrap().replace("\r\n", "\n")
}

#[test]
fn the_docs_have_the_table() {
    let docs = docs();
    let (_, settings) = docs.split_once("## All settings\n").unwrap();
    let table: String =
        settings.lines().filter(|line| line.starts_with('|')).fold(String::new(), |mut table, line| {
            writeln!(table, "{line}").unwrap();
            table
        });
    let expected = settings_table();
    assert_eq!(table, expected, "docs/configuration.md should hold this table:\n{expected}");
}

#[test]
fn the_examples_of_the_docs_are_accepted() {
    let docs = docs();
    let examples: Vec<&str> =
        docs.split("```toml\n").skip(1).map(|behind| behind.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let (config, _) = Input { file: example, ..Input::default() }.load().unwrap();
        assert_ne!(config, Config::default(), "{example}");
    }
}
