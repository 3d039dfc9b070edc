//! Whole frames: every view at two sizes, as text; colours where they carry meaning; hostile data; every size.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod support;

use broker_tui::fixture::{SECONDS, advance, demo_model, stale_model};
use broker_tui::format::text::is_unsafe;
use broker_tui::message::{
    ClosedRow, ConnectionRow, Key, Msg, News, Seen, ServerNews, SlowRow, Table, TopicRow, TrafficNews,
};
use broker_tui::model::{Model, ViewName};
use broker_tui::render_frame;
use broker_tui::screenshot::svg;
use broker_tui::theme::{Depth, ThemeName};
use broker_tui::update::update;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use support::{cell, colour, text};

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

fn snapshot(name: &str, make: impl Fn(u16, u16) -> Model) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), text(&frame(&make(width, height))));
    }
}

fn frame(model: &Model) -> Buffer {
    render_frame(model, model.width, model.height)
}

fn press(model: &mut Model, keys: &[Key]) {
    for key in keys {
        update(model, Msg::Key(*key));
    }
}

fn feed(model: &mut Model, news: News) {
    update(model, Msg::Feed(vec![news]));
}

fn connected(view: ViewName) -> Model {
    let mut model = Model::new("127.0.0.1:36912");
    model.view = view;
    feed(&mut model, News::Connected { session: Some(1) });
    model
}

#[test]
fn overview() {
    snapshot("overview", |width, height| demo_model(ViewName::Overview, width, height));
}

#[test]
fn topics() {
    snapshot("topics", |width, height| {
        let mut model = demo_model(ViewName::Topics, width, height);
        press(&mut model, &[Key::End, Key::Up]);
        advance(&mut model, SECONDS, SECONDS + 40);
        model
    });
}

#[test]
fn traffic() {
    snapshot("traffic", |width, height| demo_model(ViewName::Traffic, width, height));
}

#[test]
fn connections() {
    snapshot("connections", |width, height| {
        let mut model = demo_model(ViewName::Connections, width, height);
        press(&mut model, &[Key::Enter]);
        model
    });
}

#[test]
fn closed() {
    snapshot("closed", |width, height| {
        let mut model = demo_model(ViewName::Connections, width, height);
        press(&mut model, &[Key::Char('c'), Key::Down, Key::Enter]);
        model
    });
}

/// A connection that is slow, and what is told of it; one that has recovered.
#[test]
fn slow() {
    snapshot("slow", |width, height| {
        let mut model = demo_model(ViewName::Connections, width, height);
        press(&mut model, &[Key::Enter, Key::Char('/')]);
        update(&mut model, Msg::Paste("slow".to_owned()));
        press(&mut model, &[Key::Enter]);
        model
    });
    let mut model = demo_model(ViewName::Connections, 200, 50);
    press(&mut model, &[Key::Enter, Key::Down, Key::Down, Key::Down, Key::Down]);
    let recovered = text(&frame(&model));
    assert!(recovered.contains("✓ recovered 12 s"), "{recovered}");
    assert!(recovered.contains("✓ recovered 12 s ago, 12 missed, skip"), "{recovered}");
    advance(&mut model, SECONDS, SECONDS + 60);
    let later = text(&frame(&model));
    assert_eq!(later.matches("✓ recovered").count(), 1, "in the details alone: {later}");
}

#[test]
fn help() {
    snapshot("help", |width, height| {
        let mut model = demo_model(ViewName::Traffic, width, height);
        press(&mut model, &[Key::Char('?')]);
        model
    });
}

#[test]
fn stale() {
    snapshot("stale", |width, height| stale_model(ViewName::Overview, width, height));
}

#[test]
fn smallest() {
    for view in ViewName::ALL {
        let model = demo_model(view, 40, 10);
        insta::assert_snapshot!(format!("smallest_{}", view.title()), text(&frame(&model)));
    }
}

#[test]
fn what_an_empty_view_says() {
    let mut model = connected(ViewName::Traffic);
    assert!(text(&frame(&model)).contains("broker pub hello '\"world\"' --addr 127.0.0.1:36912"));
    feed(&mut model, News::Refused { pattern: "*".to_owned(), error: "too complex".to_owned() });
    assert!(text(&frame(&model)).contains("The broker refused this pattern"));

    let mut model = connected(ViewName::Topics);
    assert!(text(&frame(&model)).contains("Waiting for the broker to tell its topics"));
    feed(&mut model, News::Topics(Table::default()));
    assert!(text(&frame(&model)).contains("broker pub hello"));
    let row = TopicRow { topic: "!system/totals".to_owned(), ..TopicRow::default() };
    feed(&mut model, News::Topics(Table { total: 1, rows: vec![row], time_ms: None }));
    let screen = text(&frame(&model));
    assert!(screen.contains("!system/") && screen.contains("broker pub hello"), "{screen}");

    let mut model = connected(ViewName::Connections);
    assert!(text(&frame(&model)).contains("Waiting for the broker to tell its connections"));
    feed(&mut model, News::Connections(Table::default()));
    assert!(text(&frame(&model)).contains("broker sub '*'"));
    press(&mut model, &[Key::Char('/'), Key::Char('x'), Key::Enter]);
    feed(
        &mut model,
        News::Connections(Table { total: 1, rows: vec![ConnectionRow::default()], time_ms: None }),
    );
    assert!(text(&frame(&model)).contains("Esc drops the filter"));

    let mut model = connected(ViewName::Connections);
    press(&mut model, &[Key::Char('c')]);
    assert!(text(&frame(&model)).contains("Waiting for the broker to tell its closed connections"));
    feed(&mut model, News::Closed(Table::default()));
    assert!(text(&frame(&model)).contains("No connection was closed yet"));
    press(&mut model, &[Key::Char('/'), Key::Char('x'), Key::Enter]);
    feed(&mut model, News::Closed(Table { total: 1, rows: vec![ClosedRow::default()], time_ms: None }));
    assert!(text(&frame(&model)).contains("Esc drops the filter"));
    press(&mut model, &[Key::Esc, Key::Esc]);
    assert!(!model.connections.shows_closed, "one step back is to those that are open");

    let mut model = Model::new("nowhere:1");
    feed(&mut model, News::Disconnected { error: "refused".to_owned() });
    let screen = text(&frame(&model));
    assert!(
        screen.contains("▲ No broker at nowhere:1: refused") && screen.contains("broker-server"),
        "{screen}"
    );
}

#[test]
fn what_is_not_told_is_not_zero() {
    let mut model = connected(ViewName::Overview);
    assert!(!text(&frame(&model)).contains("not told"), "before the first figure nothing is missing");
    feed(&mut model, News::Metric { name: "messages-in".to_owned(), value: 0.0 });
    let screen = text(&frame(&model));
    assert!(screen.contains("│ 0 /s") && screen.contains("│ not told"), "{screen}");
}

#[test]
fn colours_that_mean_something() {
    let bad = Color::Indexed(210);
    let mut model = demo_model(ViewName::Overview, 80, 24);
    assert_eq!(colour(&frame(&model), "● live"), Color::Indexed(114));
    assert_ne!(colour(&frame(&model), "╭ Lag"), bad);
    feed(&mut model, News::Metric { name: "lagged".to_owned(), value: 5.0 });
    let lagging = frame(&model);
    assert_eq!((colour(&lagging, "▲ 5 /s"), colour(&lagging, "╭ Lag")), (bad, bad));

    let stale = frame(&stale_model(ViewName::Overview, 80, 24));
    assert_eq!((colour(&stale, "✗ offline"), cell(&stale, "▲ Offline").bg), (bad, Color::Indexed(124)));
    assert!(cell(&stale, "790 /s").modifier.contains(Modifier::DIM), "what is old looks old");
    assert!(
        !cell(&frame(&demo_model(ViewName::Overview, 80, 24)), "790 /s").modifier.contains(Modifier::DIM)
    );

    let connections = frame(&demo_model(ViewName::Connections, 80, 24));
    assert_eq!(colour(&connections, "▲2.25 k"), bad);
    assert_eq!(colour(&connections, "1.25 MiB"), Color::Indexed(221));
    assert_eq!(colour(&connections, "▲ slow: drop-oldest"), bad);
    let mut wide = demo_model(ViewName::Connections, 200, 50);
    assert_eq!(colour(&frame(&wide), "▲ drop-oldest 1.25 k"), bad);
    assert_eq!(colour(&frame(&wide), "✓ recovered"), Color::Indexed(114));
    press(&mut wide, &[Key::Char('c')]);
    assert_eq!(colour(&frame(&wide), "▲ slow-consumer"), Color::Indexed(221));

    let mut traffic = demo_model(ViewName::Traffic, 80, 24);
    assert_eq!(colour(&frame(&traffic), "▲ 41 missed"), bad);
    press(&mut traffic, &[Key::Char(' ')]);
    assert_eq!(colour(&frame(&traffic), "‖ frozen"), Color::Indexed(221));
}

#[test]
fn mono_has_no_colour_and_loses_nothing() {
    for view in ViewName::ALL {
        for model in [demo_model(view, 120, 36), stale_model(view, 120, 36)] {
            let coloured = text(&frame(&model));
            let mut mono = frame(&Model { theme: ThemeName::Mono, ..model });
            assert_eq!(text(&mono), coloured);
            mono.content.retain(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
            assert_eq!(mono.content, []);
        }
    }
}

#[test]
fn the_cursor_and_the_prompt_of_a_typed_line() {
    let mut model = demo_model(ViewName::Traffic, 80, 24);
    press(&mut model, &[Key::Char('/'), Key::Ctrl('u'), Key::Char('気'), Key::Char('*'), Key::Left]);
    let screen = text(&frame(&model));
    assert!(screen.contains("\n pattern: 気*"), "{screen}");
    assert!(screen.contains("⏎ apply   Esc cancel"), "{screen}");
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| broker_tui::view::view(&model, frame)).unwrap();
    terminal.backend_mut().assert_cursor_position((12, 23));
    // A line longer than the screen scrolls.
    let long: Vec<Key> = std::iter::repeat_n(Key::Char('x'), 200).collect();
    press(&mut model, &long);
    assert!(text(&frame(&model)).contains("pattern: …xxxx"));
}

/// Names, topics, values, headers and errors that try to take over the terminal.
#[test]
fn nothing_from_outside_reaches_the_terminal_raw() {
    let evil = "a/\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\r\n\t\u{202e}\u{2066}\u{200b}\u{feff}z".to_owned();
    let value = rmp_serde::to_vec(&serde_json::json!({ evil.clone(): [evil.clone(), 1] })).unwrap();
    let mut model = Model::new(evil.clone());
    let server = ServerNews { server: evil.clone(), version: evil.clone(), ..ServerNews::default() };
    let connection = ConnectionRow {
        address: evil.clone(),
        name: Some(evil.clone()),
        protocol: evil.clone(),
        slow: true,
        pattern: evil.clone(),
        policy: evil.clone(),
        ..ConnectionRow::default()
    };
    let closed = ClosedRow {
        address: evil.clone(),
        name: Some(evil.clone()),
        protocol: evil.clone(),
        reason: evil.clone(),
        detail: evil.clone(),
        ..ClosedRow::default()
    };
    let slow = SlowRow { policy: evil.clone(), pattern: evil.clone(), until: Some(1), ..SlowRow::default() };
    let topic = TopicRow { topic: evil.clone(), value: Some(value.clone()), ..TopicRow::default() };
    let seen = Seen {
        topic: evil.clone(),
        value,
        reply: Some(evil.clone()),
        key: Some(evil.clone().into_bytes()),
        headers: vec![(evil.clone(), evil.clone())],
        ..Seen::default()
    };
    let traffic = TrafficNews { pattern: evil.clone(), seen: vec![seen.clone()], ..TrafficNews::default() };
    model.traffic.set_pattern(&evil);
    for (width, height) in [(40, 10), (80, 24), (200, 50)] {
        update(&mut model, Msg::Resize { width, height });
        for news in [
            News::Connected { session: Some(0) },
            News::Server(server.clone()),
            News::Connections(Table { total: 1, rows: vec![connection.clone()], time_ms: None }),
            News::Closed(Table { total: 1, rows: vec![closed.clone()], time_ms: None }),
            News::Slow(vec![slow.clone()]),
            News::Topics(Table { total: 1, rows: vec![topic.clone()], time_ms: None }),
            News::Traffic(traffic.clone()),
            News::Watched(vec![seen.clone()]),
            News::Refused { pattern: "x".to_owned(), error: evil.clone() },
            News::Disconnected { error: evil.clone() },
        ] {
            feed(&mut model, news);
            for view in ViewName::ALL {
                model.view = view;
                let mut gone = model.clone();
                press(&mut gone, &[Key::Char('c'), Key::Enter]);
                let mut typing = model.clone();
                press(&mut typing, &[Key::Enter, Key::Down, Key::Char('/')]);
                update(&mut typing, Msg::Paste(evil.clone()));
                for model in [&model, &gone, &typing] {
                    let frame = frame(model);
                    let raw = |cell: &ratatui::buffer::Cell| cell.symbol().chars().any(is_unsafe);
                    assert!(!frame.content.iter().any(raw), "{view:?}\n{}", text(&frame));
                    assert!(!svg(&frame).chars().any(|c| is_unsafe(c) && c != '\n'));
                }
            }
        }
    }
}

#[test]
fn every_size_is_drawn_without_a_panic() {
    for view in ViewName::ALL {
        let mut model = demo_model(view, 80, 24);
        for width in [0, 1, 8, 39, 40, 41, 59, 63, 64, 71, 72, 80, 99, 109, 110, 120, 141, 200, 400] {
            for height in [0, 1, 9, 10, 11, 18, 24, 45, 70] {
                update(&mut model, Msg::Resize { width, height });
                for keys in [
                    &[][..],
                    &[Key::Enter],
                    &[Key::Char('?')],
                    &[Key::Char('/')],
                    &[Key::Char('c'), Key::Enter],
                ] {
                    let mut model = model.clone();
                    press(&mut model, keys);
                    let frame = text(&frame(&model));
                    let small = width < 40 || height < 10;
                    assert!(
                        !small || width < 10 || height == 0 || frame.contains("too small"),
                        "{width}x{height}\n{frame}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_terminal_that_shrank_before_the_model_was_told() {
    let model = demo_model(ViewName::Overview, 200, 50);
    assert!(text(&render_frame(&model, 60, 20)).contains("too small"));
}

/// Pictures of the views; `BROKER_TUI_PICTURES=DIR` keeps them, to be looked at.
#[test]
fn pictures() {
    for view in ViewName::ALL {
        let mut model = demo_model(view, 120, 36);
        model.depth = Depth::Rgb;
        if view == ViewName::Topics {
            press(&mut model, &[Key::End, Key::Up]);
            advance(&mut model, SECONDS, SECONDS + 60);
        }
        let svg = svg(&frame(&model));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        if let Some(directory) = std::env::var_os("BROKER_TUI_PICTURES") {
            let file = std::path::Path::new(&directory).join(format!("{}.svg", view.title()));
            std::fs::write(file, svg).unwrap();
        }
    }
}
