//! What happens to the model when something happens. Pure: no clock, no socket, no screen.

mod feed;
mod keys;

use crate::layout::{self, ListAndPane};
use crate::message::Msg;
use crate::model::{Model, ViewName};

/// Obeys one message.
pub fn update(model: &mut Model, msg: Msg) {
    match msg {
        Msg::Clock(clock) => {
            let had_banner = model.has_banner();
            model.clock = clock;
            model.traffic.clock(clock.up);
            if model.has_banner() != had_banner {
                settle(model);
            }
        }
        Msg::Resize { width, height } => {
            (model.width, model.height) = (width, height);
            settle(model);
        }
        Msg::Key(key) => keys::key(model, key),
        Msg::Paste(text) => keys::paste(model, &text),
        Msg::Feed(news) => {
            let had_banner = model.has_banner();
            for news in news {
                feed::news(model, news);
            }
            if model.has_banner() != had_banner {
                settle(model);
            }
        }
    }
}

/// How the view in front is divided, if it has a list.
pub(crate) fn list_and_pane(model: &Model, view: ViewName) -> Option<ListAndPane> {
    let body = model.screen().body;
    match view {
        ViewName::Overview => None,
        ViewName::Topics => Some(layout::topics(body, model.topics.detail)),
        ViewName::Traffic => Some(layout::traffic(body, model.traffic.detail)),
        ViewName::Connections => Some(layout::connections(body, model.connections.detail)),
    }
}

/// Rows on a page of a view's list.
fn page(model: &Model, view: ViewName) -> usize {
    list_and_pane(model, view).map_or(0, |parts| parts.page())
}

/// The size of a page has changed: keeps what is selected on the screen.
fn settle(model: &mut Model) {
    let pages = ViewName::ALL.map(|view| page(model, view));
    let [_, topics, traffic, connections] = pages;
    model.topics.settle(topics);
    model.traffic.settle(traffic);
    model.connections.settle(connections);
}

#[cfg(test)]
mod tests;
