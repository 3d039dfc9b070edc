//! A table, written as text, as Markdown or as HTML.
//!
//! Cells are finished text. The first column is what a row is about and stands to the left, the others are figures and stand to the right.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::html;

/// Between two columns of a text table.
const GAP: &str = "  ";

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// Above it; may be empty.
    pub(crate) title: String,
    /// One for each column.
    pub(crate) head: Vec<String>,
    /// As wide as the head; what is missing is empty.
    pub(crate) rows: Vec<Vec<String>>,
    /// Below it, each a paragraph.
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new(title: &str, head: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            head: head.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|cell| cell.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }

    /// As text: columns that line up, two spaces apart.
    pub(crate) fn text(&self) -> String {
        self.lines(None)
    }

    /// The same for a terminal of `width` columns. Where it does not fit, what a row is about gets a line of its own, and what still does not fit
    /// follows below as another table.
    pub(crate) fn text_within(&self, width: usize) -> String {
        if self.width() <= width || self.head.len() < 3 {
            return self.lines(Some(width));
        }
        let mut out = if self.title.is_empty() { String::new() } else { format!("{}\n", self.title) };
        let widths = self.widths();
        let mut from = 2;
        while from < self.head.len() {
            // The second column, which names the row within its group, and as many of the others as fit; one at least.
            let mut taken = GAP.len() + widths.get(1).copied().unwrap_or(0);
            let fits = widths.iter().skip(from).take_while(|column| {
                taken += GAP.len() + *column;
                taken <= width
            });
            let until = from + fits.count().max(1);
            if from > 2 {
                out.push('\n');
            }
            self.grouped(from..until, &widths, &mut out);
            from = until;
        }
        push_notes(&self.notes, Some(width), &mut out);
        out
    }

    /// The second column and those of `columns`, below lines with the first one.
    fn grouped(&self, columns: std::ops::Range<usize>, widths: &[usize], out: &mut String) {
        let chosen = || std::iter::once(1).chain(columns.clone());
        for (index, row) in std::iter::once(&self.head).chain(&self.rows).enumerate() {
            if let Some(about) = row.first().filter(|about| index > 0 && !about.is_empty()) {
                out.push_str(about);
                out.push('\n');
            }
            let mut line = String::new();
            for column in chosen() {
                let (cell, width) = (row.get(column), widths.get(column).copied().unwrap_or(0));
                write!(line, "{GAP}{:>width$}", cell.map_or("", String::as_str)).unwrap_or_default();
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }

    /// Columns that it takes as text, notes aside.
    fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
    }

    fn lines(&self, width: Option<usize>) -> String {
        let widths = self.widths();
        let mut out = String::new();
        if !self.title.is_empty() {
            out.push_str(&self.title);
            out.push('\n');
        }
        for row in std::iter::once(&self.head).chain(&self.rows).filter(|row| !row.is_empty()) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                match column {
                    0 => write!(line, "{cell:<width$}"),
                    _ => write!(line, "{GAP}{cell:>width$}"),
                }
                .unwrap_or_default();
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        push_notes(&self.notes, width, &mut out);
        out
    }

    /// For a page in Markdown; the title is left to the page.
    pub(crate) fn markdown(&self) -> String {
        let widths: Vec<usize> = self.widths().iter().map(|&width| width.max(4)).collect();
        let mut out = String::new();
        let mut push = |cells: &[String]| {
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(out, "| {cell:<width$} "),
                    _ => write!(out, "| {cell:>width$} "),
                }
                .unwrap_or_default();
            }
            out.push_str("|\n");
        };
        if self.head.is_empty() {
            return self.notes.join("\n\n") + "\n";
        }
        push(&self.head);
        let rules: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(column, &width)| if column == 0 { "-".repeat(width) } else { "-".repeat(width - 1) + ":" })
            .collect();
        push(&rules);
        for row in &self.rows {
            push(&row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>());
        }
        for note in &self.notes {
            out.push('\n');
            out.push_str(note);
            out.push('\n');
        }
        out
    }

    /// For a page in HTML.
    pub(crate) fn html(&self) -> String {
        let mut out = String::new();
        if !self.title.is_empty() {
            writeln!(out, "<h3>{}</h3>", html::escape(&self.title)).unwrap_or_default();
        }
        out.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
        for cell in &self.head {
            write!(out, "<th>{}</th>", html::escape(cell)).unwrap_or_default();
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            out.push_str("<tr>");
            for cell in row {
                write!(out, "<td>{}</td>", html::escape(cell)).unwrap_or_default();
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
        for note in &self.notes {
            writeln!(out, "<p class=\"note\">{}</p>", html::escape(note)).unwrap_or_default();
        }
        out
    }
}

fn push_notes(notes: &[String], width: Option<usize>, out: &mut String) {
    for note in notes {
        out.push_str(&wrapped(note, width.unwrap_or(usize::MAX)));
        out.push('\n');
    }
}

/// `text` with line breaks between words, so that lines have at most `width` columns where words allow it.
pub(crate) fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("a title", &["a", "long head"]);
        table.row(vec!["val|ue <&>".to_owned(), "x".to_owned()]);
        table.notes.push("a note".to_owned());
        table
    }

    #[test]
    fn text_lines_up() {
        assert_eq!(table().text(), "a title\na           long head\nval|ue <&>          x\na note\n");
    }

    #[test]
    fn what_does_not_fit_goes_below() {
        let mut table = Table::new("", &["scenario", "peer", "first", "second"]);
        table.row(["a long name", "me", "1", "2"].map(str::to_owned).to_vec());
        table.row(["", "you", "3", "4"].map(str::to_owned).to_vec());
        table.notes.push("some words here".to_owned());
        let whole = "scenario     peer  first  second\na long name    me      1       2\n              you      3       4\n";
        assert_eq!(table.text_within(40), format!("{whole}some words here\n"));
        let grouped = "  peer  first  second\na long name\n    me      1       2\n   you      3       4\n";
        assert_eq!(table.text_within(22), format!("{grouped}some words here\n"));
        let split = "  peer  first\na long name\n    me      1\n   you      3\n\n\
                     \x20 peer  second\na long name\n    me       2\n   you       4\nsome words\nhere\n";
        assert_eq!(table.text_within(14), split);
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("unbreakable", 3), "unbreakable");
        assert_eq!(wrapped("a b", usize::MAX), "a b");
    }

    #[test]
    fn markdown_lines_up() {
        let mut small = Table::new("", &["a", "long head"]);
        small.row(vec!["value".to_owned(), "x".to_owned()]);
        assert_eq!(small.markdown(), "| a     | long head |\n| ----- | --------: |\n| value |         x |\n");
        assert!(table().markdown().ends_with("| val\\|ue <&> |         x |\n\na note\n"));
    }

    #[test]
    fn html_is_escaped() {
        assert!(table().html().contains("<td>val|ue &lt;&amp;&gt;</td><td>x</td>"));
    }
}
