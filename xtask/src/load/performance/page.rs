//! docs/performance.md from the words of the template and from what is kept of the pieces.
//!
//! A place of the template `{{name}}` is a piece, or `{{machine}}`. Invariant: each piece has exactly one place.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::piece::Piece;
use super::store::{Kept, Store};
use crate::load::report::Table;
use crate::rebuild;

/// The words of the page.
const TEMPLATE: &str = include_str!("../performance.md.in");

/// Writes the page, and says where it is.
pub(super) fn write(store: &Store) -> Result<PathBuf> {
    let path = path();
    std::fs::write(&path, page(store)?).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn path() -> PathBuf {
    rebuild::workspace_root().join("docs").join("performance.md")
}

/// The page.
fn page(store: &Store) -> Result<String> {
    let mut machines: Vec<String> = Vec::new();
    let mut places = Vec::new();
    for piece in Piece::MEASURED {
        let kept = store.kept(piece)?;
        if let Some(kept) = kept.as_ref().filter(|kept| !machines.contains(&kept.machine)) {
            machines.push(kept.machine.clone());
        }
        places.push((piece.name(), section(piece, kept.as_ref())));
    }
    if machines.is_empty() {
        machines.push("No machine yet: nothing has been measured.".to_owned());
    }
    places.push(("machine", machines.join("\n\n")));
    fill(TEMPLATE, &places)
}

/// What the page shows of a piece: how and of which commit it is, and its tables.
fn section(piece: Piece, kept: Option<&Kept>) -> String {
    let command = format!("`cargo xtask loadtest --report {}`", piece.name());
    let Some(kept) = kept else { return format!("Not measured yet: {command} does it.\n") };
    let tables: Vec<String> = kept.tables.iter().map(Table::markdown).collect();
    format!("Commit {}; {}; {command}.\n\n{}", kept.commit, kept.how, tables.join("\n"))
}

/// `template` with each `{{name}}` replaced by what belongs there.
fn fill(template: &str, places: &[(&str, String)]) -> Result<String> {
    let mut out = String::with_capacity(template.len() * 2);
    let mut used = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("the template has a {{ without its }}")?;
        let place = places.iter().find(|(known, _)| *known == name);
        let (name, text) = place.with_context(|| format!("nothing is known for {{{{{name}}}}}"))?;
        used.push(*name);
        out.push_str(before);
        out.push_str(text);
        rest = after;
    }
    out.push_str(rest);
    for (name, _) in places {
        let count = used.iter().filter(|used| *used == name).count();
        ensure!(count == 1, "the template has {count} places for {{{{{name}}}}}");
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_figures_says_how_to_get_them() {
        let directory = tempfile::tempdir().unwrap();
        let page = page(&Store::at(directory.path().to_owned())).unwrap();
        for piece in Piece::MEASURED {
            let command = format!("`cargo xtask loadtest --report {}` does it", piece.name());
            assert_eq!(page.matches(&command).count(), 1, "{command}");
        }
        assert!(!page.contains("{{"), "{page}");
    }

    #[test]
    fn the_page_is_what_was_measured_and_nothing_else() {
        let store = Store::of_the_project();
        let measured = Piece::MEASURED.iter().any(|&piece| store.kept(piece).unwrap().is_some());
        let stands = std::fs::read_to_string(path()).unwrap();
        assert!(
            !measured || stands == page(&store).unwrap(),
            "docs/performance.md is not what its template and docs/performance say: \
             `cargo xtask loadtest --report page` writes it"
        );
    }

    #[test]
    fn a_piece_without_a_place_and_a_place_without_a_piece_are_mistakes() {
        let piece = |name| [(name, "x".to_owned())];
        assert_eq!(fill("a {{b}} c", &piece("b")).unwrap(), "a x c");
        assert!(fill("a {{b}} c", &[]).unwrap_err().to_string().contains("{{b}}"));
        assert!(fill("a", &piece("b")).unwrap_err().to_string().contains("0 places"));
        assert!(fill("a {{b}} {{b}}", &piece("b")).unwrap_err().to_string().contains("2 places"));
        assert!(fill("a {{b", &piece("b")).is_err());
    }
}
