//! All that the dashboard knows: what the broker told, and where the user is.
//!
//! Plain data with pure methods. It never reads a clock, a socket or a terminal, and knows nothing of the views. Every
//! collection in it is bounded.

pub mod closed;
pub mod connections;
pub mod cursor;
pub mod editor;
pub mod history;
pub mod link;
pub mod list;
pub mod metrics;
pub mod rate;
pub mod topic;
pub mod topics;
pub mod traffic;
pub mod tree;
pub mod wants;

use crate::format::payload::PayloadFormat;
use crate::layout;
use crate::message::{Clock, ServerNews};
use crate::theme::{Depth, ThemeName};

use connections::Connections;
use editor::Editor;
use history::Span;
use link::Link;
use metrics::Metrics;
use topics::Topics;
use traffic::Traffic;

/// The four screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum ViewName {
    /// Rates and sizes of the whole broker.
    #[default]
    Overview,
    /// The tree of topics.
    Topics,
    /// The live tap.
    Traffic,
    /// Who is connected.
    Connections,
}

impl ViewName {
    /// All of them, in the order of their keys `1` to `4`.
    pub const ALL: [Self; 4] = [Self::Overview, Self::Topics, Self::Traffic, Self::Connections];

    /// The name on its tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Topics => "Topics",
            Self::Traffic => "Traffic",
            Self::Connections => "Connections",
        }
    }

    /// The view `steps` further on, round and round.
    pub fn step(self, steps: usize) -> Self {
        let at = Self::ALL.iter().position(|view| *view == self).unwrap_or_default();
        Self::ALL.get((at + steps) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// A line that is being typed, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// The line.
    pub editor: Editor,
    /// What it will be.
    pub purpose: Purpose,
    /// What was there before, for those who change their mind.
    pub before: String,
}

/// What a typed line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The filter of the topics view; obeyed while it is typed.
    TopicsFilter,
    /// The filter of the connections view, likewise.
    ConnectionsFilter,
    /// The pattern of the traffic view; obeyed when it is finished.
    TrafficPattern,
}

/// The state of the dashboard.
#[derive(Debug, Clone)]
pub struct Model {
    /// The address that was asked for, as the user wrote it.
    pub address: String,
    /// The present.
    pub clock: Clock,
    /// Columns of the terminal.
    pub width: u16,
    /// Rows of the terminal.
    pub height: u16,
    /// The colours.
    pub theme: ThemeName,
    /// How many of them the terminal has.
    pub depth: Depth,
    /// The screen in front.
    pub view: ViewName,
    /// The help is over it.
    pub help: bool,
    /// First line of the help that is shown, where it is longer than the screen.
    pub help_offset: usize,
    /// The line that is being typed, if one is.
    pub typing: Option<Typing>,
    /// How values are shown where there is room for the whole of one.
    pub format: PayloadFormat,
    /// The connection.
    pub link: Link,
    /// What the broker says it is.
    pub server: Option<ServerNews>,
    /// Its figures.
    pub metrics: Metrics,
    /// Seconds per column of the charts.
    pub span: Span,
    /// The topics view.
    pub topics: Topics,
    /// The traffic view.
    pub traffic: Traffic,
    /// The connections view.
    pub connections: Connections,
    /// The user wants to leave.
    pub quit: bool,
}

impl Model {
    /// A dashboard that knows nothing yet.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            clock: Clock::default(),
            width: 80,
            height: 24,
            theme: ThemeName::default(),
            depth: Depth::default(),
            view: ViewName::default(),
            help: false,
            help_offset: 0,
            typing: None,
            format: PayloadFormat::default(),
            link: Link::default(),
            server: None,
            metrics: Metrics::default(),
            span: Span::default(),
            topics: Topics::default(),
            traffic: Traffic::default(),
            connections: Connections::default(),
            quit: false,
        }
    }

    /// Whether a line above the view says that what it shows is old.
    pub fn has_banner(&self) -> bool {
        self.link.trouble(self.clock).is_some()
    }

    /// Where things stand on the screen.
    pub fn screen(&self) -> layout::Screen {
        layout::Screen::new(self.width, self.height, self.has_banner())
    }
}
