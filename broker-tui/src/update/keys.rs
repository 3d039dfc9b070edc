//! Keys and pasted text.

use super::{page, settle};
use crate::format::payload;
use crate::keymap::{self, Action};
use crate::layout;
use crate::message::Key;
use crate::model::editor::{Edit, Editor};
use crate::model::wants::exactly;
use crate::model::{Model, Purpose, Typing, ViewName};

pub(super) fn key(model: &mut Model, key: Key) {
    if key == Key::Ctrl('c') {
        model.quit = true;
    } else if model.typing.is_some() {
        type_key(model, key);
    } else if let Some(action) = keymap::action(model, key) {
        act(model, action);
    }
}

pub(super) fn paste(model: &mut Model, text: &str) {
    if let Some(typing) = &mut model.typing {
        typing.editor.insert(text);
        typed(model);
    }
}

fn act(model: &mut Model, action: Action) {
    match action {
        Action::Quit => model.quit = true,
        Action::Help => (model.help, model.help_offset) = (true, 0),
        Action::View(view) => show(model, view),
        Action::NextView => show(model, model.view.step(1)),
        Action::PreviousView => show(model, model.view.step(ViewName::ALL.len() - 1)),
        Action::Up => step(model, -1),
        Action::Down => step(model, 1),
        Action::PageUp => step(model, -page_step(model)),
        Action::PageDown => step(model, page_step(model)),
        Action::First => step(model, isize::MIN),
        Action::Last => step(model, isize::MAX),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::Inward => fold(model, true),
        Action::Outward => fold(model, false),
        Action::Edit => edit(model),
        Action::Sort => sort(model),
        Action::Closed => {
            model.connections.shows_closed = !model.connections.shows_closed;
            settle(model);
        }
        Action::Format => {
            model.format = model.format.next();
            model.traffic.payload_offset = 0;
        }
        Action::OpenAll => fold_all(model, true),
        Action::FoldAll => fold_all(model, false),
        Action::Tap => tap(model),
        Action::Freeze => {
            model.traffic.toggle_freeze();
            settle(model);
        }
        Action::Clear => model.traffic.clear(),
        Action::LongerSpan => model.span = model.span.longer(),
        Action::ShorterSpan => model.span = model.span.shorter(),
    }
}

fn show(model: &mut Model, view: ViewName) {
    model.view = view;
    settle(model);
}

fn page_step(model: &Model) -> isize {
    let rows = if model.help { usize::from(model.screen().body.height) } else { page(model, model.view) };
    let rows =
        if model.traffic.detail && model.view == ViewName::Traffic { payload_rows(model) } else { rows };
    isize::try_from(rows.saturating_sub(1).max(1)).unwrap_or(1)
}

fn step(model: &mut Model, steps: isize) {
    if model.help {
        let help = layout::help(model.screen().body, keymap::help(model.view).len());
        model.help_offset = model.help_offset.saturating_add_signed(steps).min(help.last_offset());
        return;
    }
    let page = page(model, model.view);
    match model.view {
        ViewName::Overview => {}
        ViewName::Topics => model.topics.step(steps, page),
        ViewName::Traffic if model.traffic.detail => scroll_payload(model, steps),
        ViewName::Traffic => model.traffic.step(steps, page),
        ViewName::Connections => model.connections.step(steps, page),
    }
}

/// Rows of the payload on the screen while it has the whole view: without the frame and the lines about the message.
fn payload_rows(model: &Model) -> usize {
    usize::from(model.screen().body.height).saturating_sub(2 + layout::MESSAGE_LINES)
}

fn scroll_payload(model: &mut Model, steps: isize) {
    let columns = usize::from(model.screen().body.width.saturating_sub(4));
    let lines = model
        .traffic
        .selected()
        .map_or(0, |line| payload::lines(&line.seen.value, model.format, columns).len());
    let last = lines.saturating_sub(payload_rows(model));
    model.traffic.payload_offset = model.traffic.payload_offset.saturating_add_signed(steps).min(last);
}

fn open(model: &mut Model) {
    let page = page(model, model.view);
    match model.view {
        ViewName::Overview => {}
        ViewName::Topics => {
            if !model.topics.fold(None, page) {
                model.topics.detail = !model.topics.detail;
            }
        }
        ViewName::Traffic => {
            model.traffic.detail = !model.traffic.detail && model.traffic.selected().is_some();
        }
        ViewName::Connections => model.connections.detail = !model.connections.detail,
    }
    settle(model);
}

/// Undoes what is nearest to the user: the help, the payload, the filter, the pane.
fn back(model: &mut Model) {
    match model.view {
        _ if model.help => model.help = false,
        ViewName::Traffic => model.traffic.detail = false,
        ViewName::Topics => model.topics.filter.clear(),
        ViewName::Connections if !model.connections.filter.is_empty() => model.connections.filter.clear(),
        ViewName::Connections if model.connections.detail => model.connections.detail = false,
        ViewName::Connections => model.connections.shows_closed = false,
        ViewName::Overview => {}
    }
    settle(model);
}

fn fold(model: &mut Model, inward: bool) {
    let page = page(model, ViewName::Topics);
    let is_open_group = model
        .topics
        .selected()
        .is_some_and(|line| matches!(line.kind, crate::model::tree::LineKind::Group { open: true }));
    match (inward, is_open_group) {
        (true, true) => model.topics.step(1, page),
        (false, false) => model.topics.select_parent(page),
        _ => {
            model.topics.fold(Some(inward), page);
        }
    }
}

fn fold_all(model: &mut Model, open: bool) {
    let page = page(model, ViewName::Topics);
    model.topics.fold_all(open, page);
}

fn sort(model: &mut Model) {
    if model.view == ViewName::Topics {
        model.topics.sort = model.topics.sort.next();
    } else if model.connections.shows_closed {
        model.connections.closed.sort = model.connections.closed.sort.next();
    } else {
        model.connections.sort = model.connections.sort.next();
    }
    settle(model);
}

/// Opens the tap for the selected topic or group.
fn tap(model: &mut Model) {
    let Some(line) = model.topics.selected() else { return };
    let pattern = if line.id.group { format!("{}*", exactly(&line.id.path)) } else { exactly(&line.id.path) };
    model.traffic.set_pattern(&pattern);
    show(model, ViewName::Traffic);
}

fn edit(model: &mut Model) {
    let (purpose, before) = match model.view {
        ViewName::Overview => return,
        ViewName::Topics => (Purpose::TopicsFilter, model.topics.filter.clone()),
        ViewName::Connections => (Purpose::ConnectionsFilter, model.connections.filter.clone()),
        ViewName::Traffic => {
            model.traffic.detail = false;
            (Purpose::TrafficPattern, model.traffic.pattern.clone())
        }
    };
    model.typing = Some(Typing { editor: Editor::new(&before), purpose, before });
    settle(model);
}

fn type_key(model: &mut Model, key: Key) {
    let Some(typing) = &mut model.typing else { return };
    let edit = typing.editor.key(key);
    if edit == Edit::Cancelled {
        typing.editor = Editor::new(&typing.before);
    }
    typed(model);
    if edit == Edit::Editing {
        return;
    }
    if let Some(typing) = model.typing.take()
        && typing.purpose == Purpose::TrafficPattern
    {
        let text = typing.editor.text();
        let pattern = if text.is_empty() { "*" } else { text };
        if pattern != model.traffic.pattern {
            model.traffic.set_pattern(pattern);
        }
    }
}

/// A filter is obeyed while it is typed.
fn typed(model: &mut Model) {
    let Some(typing) = &model.typing else { return };
    let text = typing.editor.text().to_owned();
    match typing.purpose {
        Purpose::TopicsFilter => model.topics.filter = text,
        Purpose::ConnectionsFilter => model.connections.filter = text,
        Purpose::TrafficPattern => return,
    }
    settle(model);
}
