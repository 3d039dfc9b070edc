//! Keys and news, and what becomes of the model.

use std::time::Duration;

use super::update;
use crate::fixture::demo_model;
use crate::format::payload::PayloadFormat;
use crate::message::{Clock, Key, Msg, News, Seen, TrafficNews};
use crate::model::history::Span;
use crate::model::topics::TopicSort;
use crate::model::{Model, ViewName};

fn press(model: &mut Model, keys: &[Key]) {
    for key in keys {
        update(model, Msg::Key(*key));
    }
}

fn type_text(model: &mut Model, text: &str) {
    for c in text.chars() {
        update(model, Msg::Key(Key::Char(c)));
    }
}

fn at(model: &mut Model, seconds: u64) {
    update(model, Msg::Clock(Clock { up: Duration::from_secs(seconds), unix_ms: 0 }));
}

#[test]
fn views_change_with_numbers_and_tab() {
    let mut model = Model::new("x");
    for (key, view) in [
        (Key::Char('3'), ViewName::Traffic),
        (Key::Tab, ViewName::Connections),
        (Key::Tab, ViewName::Overview),
        (Key::BackTab, ViewName::Connections),
        (Key::Char('2'), ViewName::Topics),
        (Key::Char('1'), ViewName::Overview),
    ] {
        press(&mut model, &[key]);
        assert_eq!(model.view, view);
    }
}

#[test]
fn quitting() {
    for keys in [
        &[Key::Char('q')][..],
        &[Key::Ctrl('c')],
        &[Key::Char('?'), Key::Ctrl('c')],
        &[Key::Char('3'), Key::Char('/'), Key::Ctrl('c')],
    ] {
        let mut model = Model::new("x");
        press(&mut model, keys);
        assert!(model.quit, "{keys:?}");
    }
    let mut model = Model::new("x");
    press(&mut model, &[Key::Char('?'), Key::Char('q')]);
    assert!(!model.quit && !model.help, "in the help q closes the help");
    press(&mut model, &[Key::Char('3'), Key::Char('/'), Key::Char('q')]);
    assert!(!model.quit, "a q that is typed is a q");
}

#[test]
fn the_help_scrolls_no_further_than_it_goes() {
    let mut model = demo_model(ViewName::Topics, 80, 24);
    press(&mut model, &[Key::Char('?'), Key::End]);
    let last = model.help_offset;
    assert!(last > 0);
    press(&mut model, &[Key::Down, Key::PageDown]);
    assert_eq!(model.help_offset, last);
    press(&mut model, &[Key::Home, Key::Down]);
    assert_eq!(model.help_offset, 1);
}

#[test]
fn a_filter_is_obeyed_while_it_is_typed_and_taken_back_with_esc() {
    let mut model = demo_model(ViewName::Topics, 80, 24);
    let all = model.topics.lines().len();
    press(&mut model, &[Key::Char('/')]);
    type_text(&mut model, "OSLO");
    assert_eq!(model.topics.lines().len(), 6, "weather/, oslo/ and four topics");
    press(&mut model, &[Key::Esc]);
    assert_eq!((model.topics.lines().len(), model.typing.is_none()), (all, true));
    press(&mut model, &[Key::Char('/')]);
    type_text(&mut model, "oslo");
    press(&mut model, &[Key::Enter]);
    assert_eq!((model.topics.filter.as_str(), model.topics.lines().len()), ("oslo", 6));
    press(&mut model, &[Key::Esc]);
    assert_eq!(model.topics.lines().len(), all);
}

#[test]
fn pasted_text_goes_into_the_line_and_nowhere_else() {
    let mut model = demo_model(ViewName::Connections, 80, 24);
    let before = model.clone();
    update(&mut model, Msg::Paste("q".to_owned()));
    assert_eq!((model.quit, model.connections.clone()), (before.quit, before.connections));
    press(&mut model, &[Key::Char('/')]);
    update(&mut model, Msg::Paste("slow\n".to_owned()));
    assert_eq!(model.connections.list.shown().len(), 1);
}

#[test]
fn a_pattern_changes_the_tap_when_it_is_finished() {
    let mut model = demo_model(ViewName::Traffic, 80, 24);
    press(&mut model, &[Key::Char('/'), Key::Ctrl('u')]);
    type_text(&mut model, "a/*");
    assert_eq!(model.wants().tap.as_deref(), Some("*"));
    press(&mut model, &[Key::Enter]);
    assert_eq!(model.wants().tap.as_deref(), Some("a/*"));
    assert!(model.traffic.lines().is_empty());
    press(&mut model, &[Key::Char('/'), Key::Ctrl('u'), Key::Enter]);
    assert_eq!(model.wants().tap.as_deref(), Some("*"), "nothing means everything");
}

#[test]
fn a_topic_or_group_is_tapped() {
    let mut model = demo_model(ViewName::Topics, 80, 24);
    press(&mut model, &[Key::Char('t')]);
    assert_eq!((model.view, model.wants().tap.as_deref()), (ViewName::Traffic, Some("alerts/*")));
    press(&mut model, &[Key::Char('2'), Key::Down, Key::Char('t')]);
    assert_eq!(model.wants().tap.as_deref(), Some("alerts/storm"));
}

#[test]
fn the_tree_folds_with_arrows_and_enter() {
    let mut model = demo_model(ViewName::Topics, 80, 24);
    let all = model.topics.lines().len();
    press(&mut model, &[Key::Right]);
    assert_eq!(model.topics.selected().unwrap().label, "storm", "an open group is entered");
    press(&mut model, &[Key::Left]);
    assert_eq!(model.topics.selected().unwrap().label, "alerts/");
    press(&mut model, &[Key::Left]);
    assert_eq!(model.topics.lines().len(), all - 1);
    press(&mut model, &[Key::Enter]);
    assert_eq!(model.topics.lines().len(), all);
    press(&mut model, &[Key::Char('c')]);
    assert_eq!(model.topics.lines().len(), 5);
    press(&mut model, &[Key::Char('e')]);
    assert_eq!(model.topics.lines().len(), all);
    press(&mut model, &[Key::Down, Key::Enter]);
    assert!(!model.topics.detail, "on a topic Enter hides the pane");
}

#[test]
fn sorting_and_formats_and_spans() {
    let mut model = demo_model(ViewName::Topics, 80, 24);
    press(&mut model, &[Key::Char('s'), Key::Char('v')]);
    assert_eq!((model.topics.sort, model.format), (TopicSort::Rate, PayloadFormat::Text));
    assert_eq!(model.topics.lines()[0].label, "weather/");
    press(&mut model, &[Key::Char('1'), Key::Char('+'), Key::Char('+'), Key::Char('-')]);
    assert_eq!(model.span, Span::Two);
}

#[test]
fn freezing_keeps_the_list_and_counts() {
    let mut model = demo_model(ViewName::Traffic, 80, 24);
    let lines = model.traffic.lines().len();
    press(&mut model, &[Key::Char(' ')]);
    let news =
        TrafficNews { pattern: "*".to_owned(), seen: vec![Seen::default(); 3], ..TrafficNews::default() };
    update(&mut model, Msg::Feed(vec![News::Traffic(news.clone())]));
    assert_eq!((model.traffic.lines().len(), model.traffic.held_back), (lines, 3));
    press(&mut model, &[Key::Char('f')]);
    update(&mut model, Msg::Feed(vec![News::Traffic(news)]));
    assert_eq!(model.traffic.lines().len(), (lines + 3).min(crate::model::traffic::LINES_MAX));
    press(&mut model, &[Key::Char('x')]);
    assert!(model.traffic.lines().is_empty());
}

#[test]
fn the_payload_scrolls_within_itself() {
    let mut model = Model::new("x");
    model.view = ViewName::Traffic;
    let value = rmp_serde::to_vec(&(0..100).collect::<Vec<u32>>()).unwrap();
    let seen = Seen { size: value.len(), value, ..Seen::default() };
    let news = TrafficNews { pattern: "*".to_owned(), seen: vec![seen; 2], ..TrafficNews::default() };
    update(&mut model, Msg::Feed(vec![News::Traffic(news)]));
    press(&mut model, &[Key::Enter, Key::Down]);
    assert_eq!((model.traffic.payload_offset, model.traffic.selected().unwrap().number), (1, 1));
    press(&mut model, &[Key::End]);
    // 102 lines; the body has 22 rows, 2 of them frame and 3 about the message.
    assert_eq!(model.traffic.payload_offset, 102 - 17);
    press(&mut model, &[Key::Char('v')]);
    assert_eq!(model.traffic.payload_offset, 0);
    press(&mut model, &[Key::Esc, Key::Up]);
    assert_eq!(model.traffic.selected().unwrap().number, 0);
}

#[test]
fn a_selection_stays_on_the_screen_when_the_terminal_shrinks() {
    let mut model = demo_model(ViewName::Topics, 80, 40);
    press(&mut model, &[Key::End]);
    update(&mut model, Msg::Resize { width: 80, height: 12 });
    let page = super::page(&model, ViewName::Topics);
    let (index, offset) = (model.topics.cursor.index(), model.topics.cursor.offset());
    assert!((offset..offset + page).contains(&index), "{index} is not within {page} rows from {offset}");
}

#[test]
fn the_banner_comes_and_goes() {
    let mut model = Model::new("x");
    at(&mut model, 1);
    update(&mut model, Msg::Feed(vec![News::Connected { session: Some(1) }]));
    update(&mut model, Msg::Feed(vec![News::Metric { name: "cpu".to_owned(), value: 1.0 }]));
    at(&mut model, 3);
    assert!(!model.has_banner());
    at(&mut model, 6);
    assert!(model.has_banner(), "silent for five seconds");
    update(&mut model, Msg::Feed(vec![News::Metric { name: "cpu".to_owned(), value: 1.0 }]));
    assert!(!model.has_banner());
    update(&mut model, Msg::Feed(vec![News::Disconnected { error: "gone".to_owned() }]));
    assert!(model.has_banner() && model.screen().banner.is_some());
}
