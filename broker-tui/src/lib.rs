//! The live dashboard of the broker: model, update and views as a library, so that tests and tools can draw real frames.
//!
//! ```text
//! keys, clock, news of the broker  ->  update(&mut Model, Msg)  ->  view(&Model, &mut Frame)
//!            ^                                   |
//!            +------ source: subscriptions <-----+   Model::wants()
//! ```
//!
//! `update` and `view` are pure. [`source`] alone talks to the broker, [`terminal`] alone to the terminal, [`app`] alone
//! knows what time it is.

pub mod app;
pub mod args;
pub mod fixture;
pub mod format;
pub mod headless;
pub mod keymap;
pub mod layout;
pub mod message;
pub mod model;
pub mod pace;
pub mod screenshot;
pub mod source;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use model::Model;

/// The frame of `model` on a terminal of this size, which should be the one that the model was told ([`message::Msg::Resize`]).
pub fn render_frame(model: &Model, width: u16, height: u16) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| view::view(model, frame));
    terminal.backend().buffer().clone()
}
