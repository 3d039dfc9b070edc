//! The keys, as one table: what they do, what the footer calls it, what the help says.
//!
//! Nothing else knows which key does what, so the footer and the help cannot be wrong.

use crate::message::Key;
use crate::model::{Model, ViewName};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the help in the table below says it")]
pub enum Action {
    Quit,
    Help,
    View(ViewName),
    NextView,
    PreviousView,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    Inward,
    Outward,
    Edit,
    Sort,
    Closed,
    Format,
    OpenAll,
    FoldAll,
    Tap,
    Freeze,
    Clear,
    LongerSpan,
    ShorterSpan,
}

/// Where keys apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Whatever is in front, except a line that is being typed.
    Everywhere,
    /// In the three views that have a list.
    Lists,
    /// In this view.
    In(ViewName),
    /// While the help is shown.
    Help,
    /// While a line is typed. These keys go to the editor; they are here to be told.
    Typing,
}

impl Scope {
    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Lists => "Lists",
            Self::In(view) => view.title(),
            Self::Help => "Help",
            Self::Typing => "While typing",
        }
    }
}

/// One line of the help: keys that belong together.
#[derive(Debug)]
pub struct Binding {
    /// Where they apply.
    pub scope: Scope,
    /// How the keys are written.
    pub shown: &'static str,
    /// What the footer calls it; empty where the footer leaves it out.
    pub label: &'static str,
    /// What the help says.
    pub help: &'static str,
    /// The keys themselves.
    pub keys: &'static [(Key, Action)],
}

const fn bind(
    scope: Scope,
    shown: &'static str,
    label: &'static str,
    help: &'static str,
    keys: &'static [(Key, Action)],
) -> Binding {
    Binding { scope, shown, label, help, keys }
}

use Action as A;
use Key as K;
use Scope::{Everywhere, In, Lists, Typing};
use ViewName::{Connections, Overview, Topics, Traffic};

/// All keys, in the order of the help; within a scope, in the order of the footer.
pub const BINDINGS: &[Binding] = &[
    bind(
        In(Overview),
        "+ -",
        "time span",
        "a longer or a shorter time in the charts",
        &[(K::Char('+'), A::LongerSpan), (K::Char('='), A::LongerSpan), (K::Char('-'), A::ShorterSpan)],
    ),
    bind(
        In(Topics),
        "⏎",
        "open",
        "open or close a group; show or hide the details of a topic",
        &[(K::Enter, A::Open)],
    ),
    bind(In(Topics), "/", "filter", "show only topics that contain a text", &[(K::Char('/'), A::Edit)]),
    bind(In(Topics), "s", "sort", "sort by name, rate, messages, size, age", &[(K::Char('s'), A::Sort)]),
    bind(In(Topics), "t", "tap", "show the traffic of this topic or group", &[(K::Char('t'), A::Tap)]),
    bind(In(Topics), "v", "value as", "show the value as JSON, text, hex", &[(K::Char('v'), A::Format)]),
    bind(
        In(Topics),
        "← →",
        "",
        "close or open a group; ← also goes to the group above",
        &[
            (K::Left, A::Outward),
            (K::Char('h'), A::Outward),
            (K::Right, A::Inward),
            (K::Char('l'), A::Inward),
        ],
    ),
    bind(
        In(Topics),
        "e c",
        "",
        "open all groups; close all groups",
        &[(K::Char('e'), A::OpenAll), (K::Char('c'), A::FoldAll)],
    ),
    bind(In(Traffic), "/", "pattern", "edit the pattern: * ? [a-z] {a,b} \\x", &[(K::Char('/'), A::Edit)]),
    bind(
        In(Traffic),
        "space",
        "freeze",
        "freeze the list, or let it go on",
        &[(K::Char(' '), A::Freeze), (K::Char('f'), A::Freeze)],
    ),
    bind(In(Traffic), "⏎", "payload", "the whole payload; the arrows scroll in it", &[(K::Enter, A::Open)]),
    bind(In(Traffic), "v", "value as", "show the payload as JSON, text, hex", &[(K::Char('v'), A::Format)]),
    bind(In(Traffic), "x", "clear", "empty the list", &[(K::Char('x'), A::Clear)]),
    bind(In(Connections), "⏎", "details", "show or hide the details of a connection", &[(K::Enter, A::Open)]),
    bind(
        In(Connections),
        "/",
        "filter",
        "show only addresses and names that contain a text",
        &[(K::Char('/'), A::Edit)],
    ),
    bind(
        In(Connections),
        "s",
        "sort",
        "sort by rate, queue, lag, name, address, age; closed ones by time, reason, messages missed",
        &[(K::Char('s'), A::Sort)],
    ),
    bind(
        In(Connections),
        "c",
        "closed",
        "show the last connections that were closed, with their reasons, or those that are open",
        &[(K::Char('c'), A::Closed)],
    ),
    bind(
        Lists,
        "↑ ↓",
        "",
        "move (also k and j)",
        &[(K::Up, A::Up), (K::Char('k'), A::Up), (K::Down, A::Down), (K::Char('j'), A::Down)],
    ),
    bind(
        Lists,
        "PgUp PgDn",
        "",
        "move by a page (also Ctrl-B and Ctrl-F)",
        &[
            (K::PageUp, A::PageUp),
            (K::Ctrl('b'), A::PageUp),
            (K::PageDown, A::PageDown),
            (K::Ctrl('f'), A::PageDown),
        ],
    ),
    bind(
        Lists,
        "Home End",
        "",
        "to the first or the last one (also g and G)",
        &[(K::Home, A::First), (K::Char('g'), A::First), (K::End, A::Last), (K::Char('G'), A::Last)],
    ),
    bind(Lists, "Esc", "", "one step back: leave the payload, drop the filter", &[(K::Esc, A::Back)]),
    bind(
        Everywhere,
        "1-4",
        "views",
        "overview, topics, traffic, connections",
        &[
            (K::Char('1'), A::View(Overview)),
            (K::Char('2'), A::View(Topics)),
            (K::Char('3'), A::View(Traffic)),
            (K::Char('4'), A::View(Connections)),
        ],
    ),
    bind(
        Everywhere,
        "Tab",
        "",
        "the next view; with Shift the one before",
        &[(K::Tab, A::NextView), (K::BackTab, A::PreviousView)],
    ),
    bind(Everywhere, "?", "help", "this help", &[(K::Char('?'), A::Help)]),
    bind(Everywhere, "q", "quit", "leave (also Ctrl-C)", &[(K::Char('q'), A::Quit), (K::Ctrl('c'), A::Quit)]),
    bind(
        Scope::Help,
        "↑ ↓",
        "scroll",
        "scroll",
        &[
            (K::Up, A::Up),
            (K::Char('k'), A::Up),
            (K::Down, A::Down),
            (K::Char('j'), A::Down),
            (K::PageUp, A::PageUp),
            (K::PageDown, A::PageDown),
            (K::Home, A::First),
            (K::End, A::Last),
        ],
    ),
    bind(
        Scope::Help,
        "Esc",
        "close",
        "close the help",
        &[
            (K::Esc, A::Back),
            (K::Enter, A::Back),
            (K::Char('?'), A::Back),
            (K::Char('q'), A::Back),
            (K::Ctrl('c'), A::Quit),
        ],
    ),
    bind(Typing, "⏎", "apply", "take what stands there", &[]),
    bind(Typing, "Esc", "cancel", "leave it as it was", &[]),
    bind(Typing, "^U ^K ^W", "delete", "delete to the beginning, to the end, a word", &[]),
    bind(Typing, "^A ^E", "ends", "to the beginning, to the end", &[]),
];

/// The scopes that apply now, the most particular first.
pub fn scopes(model: &Model) -> Vec<Scope> {
    if model.typing.is_some() {
        vec![Typing]
    } else if model.help {
        vec![Scope::Help]
    } else if model.view == Overview {
        vec![In(Overview), Everywhere]
    } else {
        vec![In(model.view), Lists, Everywhere]
    }
}

/// The bindings of a scope.
pub fn of(scope: Scope) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.scope == scope)
}

/// What `key` asks for now.
pub fn action(model: &Model, key: Key) -> Option<Action> {
    scopes(model)
        .into_iter()
        .flat_map(of)
        .flat_map(|binding| binding.keys)
        .find(|(k, _)| *k == key)
        .map(|(_, a)| *a)
}

/// A line of the help.
#[derive(Debug, Clone, Copy)]
pub enum HelpLine {
    /// What the lines below are about.
    Heading(&'static str),
    /// Keys and what they do.
    Keys(&'static Binding),
    /// Nothing.
    Gap,
}

/// The lines of the help: what applies in `view` first, then the rest.
pub fn help(view: ViewName) -> Vec<HelpLine> {
    let others = ViewName::ALL.into_iter().filter(|other| *other != view).map(In);
    let mut lines = Vec::new();
    for scope in [In(view), Everywhere, Lists].into_iter().chain(others).chain([Typing]) {
        if !lines.is_empty() {
            lines.push(HelpLine::Gap);
        }
        lines.push(HelpLine::Heading(scope.title()));
        lines.extend(of(scope).map(HelpLine::Keys));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_key_means_two_things_at_once() {
        for view in ViewName::ALL {
            for help in [false, true] {
                let model = Model { view, help, ..Model::new("x") };
                let keys: Vec<Key> = scopes(&model)
                    .into_iter()
                    .flat_map(of)
                    .flat_map(|b| b.keys)
                    .map(|(key, _)| *key)
                    .collect();
                let different: HashSet<Key> = keys.iter().copied().collect();
                assert_eq!(keys.len(), different.len(), "{view:?}");
                assert_eq!(action(&model, K::Ctrl('c')), Some(A::Quit));
            }
        }
    }

    #[test]
    fn keys_depend_on_the_view() {
        let mut model = Model::new("x");
        assert_eq!(action(&model, K::Char('s')), None);
        model.view = Topics;
        assert_eq!(action(&model, K::Char('s')), Some(A::Sort));
        assert_eq!(action(&model, K::Char('j')), Some(A::Down));
        model.help = true;
        assert_eq!(action(&model, K::Char('q')), Some(A::Back));
    }
}
