//! News from the broker.

use super::page;
use crate::message::News;
use crate::model::{Model, ViewName};

pub(super) fn news(model: &mut Model, news: News) {
    let now = model.clock.up;
    match news {
        News::Connected { session } => return model.link.connected(model.clock, session),
        News::Disconnected { error } => return model.link.disconnected(model.clock, error),
        News::Refused { pattern, error } => {
            if pattern == model.traffic.pattern {
                model.traffic.refused = Some(error);
            }
            return;
        }
        News::Metric { name, value } => model.metrics.metric(now, &name, value),
        News::Totals(totals) => model.metrics.totals(now, totals),
        News::Server(server) => model.server = Some(server),
        News::Connections(table) => {
            model.connections.table(now, table);
            let page = page(model, ViewName::Connections);
            model.connections.settle(page);
        }
        News::Closed(table) => {
            model.connections.closed.table(now, table);
            let page = page(model, ViewName::Connections);
            model.connections.settle(page);
        }
        News::Slow(news) => model.connections.slow(now, news),
        News::Topics(table) => {
            model.topics.table(now, table);
            let page = page(model, ViewName::Topics);
            model.topics.settle(page);
        }
        News::Traffic(news) => {
            let page = page(model, ViewName::Traffic);
            model.traffic.news(news, page);
        }
        News::Watched(messages) => model.topics.watched(messages),
    }
    model.link.heard = Some(now);
}
