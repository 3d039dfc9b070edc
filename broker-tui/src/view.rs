//! Draws the model. Pure: the same model makes the same frame, whatever the time and the terminal.
//!
//! Text from outside goes to the screen only through [`paint`], which cleans it.

pub mod banner;
pub mod chart;
pub mod closed;
pub mod connections;
pub mod footer;
pub mod header;
pub mod help;
pub mod overview;
pub mod paint;
pub mod table;
pub mod topics;
pub mod traffic;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use crate::layout::{HEIGHT_MIN, WIDTH_MIN};
use crate::model::link::Trouble;
use crate::model::{Model, ViewName};
use crate::theme::Theme;

/// Draws the whole screen.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    if let Some(cursor) = draw(model, frame.buffer_mut()) {
        frame.set_cursor_position(cursor);
    }
}

/// Draws into a buffer of the model's size; gives where the cursor stands while a line is typed.
fn draw(model: &Model, buf: &mut Buffer) -> Option<Position> {
    let theme = model.theme.theme(model.depth);
    let screen = model.screen();
    // The terminal may have changed its size after the model was told.
    let fits = buf.area.width >= model.width && buf.area.height >= model.height;
    if screen.too_small || !fits {
        too_small(buf, &theme);
        return None;
    }
    header::draw(buf, screen.header, model, &theme);
    if let Some(area) = screen.banner {
        banner::draw(buf, area, model, &theme);
    }
    match model.view {
        _ if matches!(model.link.trouble(model.clock), Some(Trouble::NeverConnected { .. })) => {
            nobody(buf, screen.body, model, &theme);
        }
        ViewName::Overview => overview::draw(buf, screen.body, model, &theme),
        ViewName::Topics => topics::draw(buf, screen.body, model, &theme),
        ViewName::Traffic => traffic::draw(buf, screen.body, model, &theme),
        ViewName::Connections if model.connections.shows_closed => {
            closed::draw(buf, screen.body, model, &theme);
        }
        ViewName::Connections => connections::draw(buf, screen.body, model, &theme),
    }
    if model.has_banner() {
        // What is old looks old.
        buf.set_style(screen.body, Modifier::DIM);
    }
    if model.help {
        help::draw(buf, screen.body, model, &theme);
    }
    footer::draw(buf, screen.footer, model, &theme)
}

/// What to do where no broker answered yet.
fn nobody(buf: &mut Buffer, body: Rect, model: &Model, theme: &Theme) {
    let where_it_looked = format!("No broker answers at {}.", model.address);
    let lines = [
        (where_it_looked.as_str(), theme.text),
        ("", theme.text),
        ("Start one:", theme.dim),
        ("broker-server", theme.key),
        ("", theme.text),
        ("or look elsewhere:", theme.dim),
        ("broker-tui --addr HOST:PORT", theme.key),
    ];
    paint::notice(buf, body, &lines);
}

fn too_small(buf: &mut Buffer, theme: &Theme) {
    let area = buf.area;
    let text = format!("too small: {}x{}, needs {WIDTH_MIN}x{HEIGHT_MIN}", area.width, area.height);
    let middle = Rect { y: area.height / 2, height: area.height.min(1), ..area };
    paint::centred(buf, middle, &text, theme.text);
}
