//! Without a terminal: the figures of one second as text or JSON, and pictures.

mod report;

use std::time::Duration;

use anyhow::{Context as _, bail};
use broker_client::{ConnectError, Login};

use crate::app::Timer;
use crate::message::{Msg, News};
use crate::model::Model;
use crate::screenshot::{self, Paper};
use crate::source::{self, Source};
use crate::theme::{Depth, ThemeName};
use crate::update::update;

pub use report::{json, text};

/// How long to wait for all figures: the broker tells them every second.
const PATIENCE: Duration = Duration::from_secs(10);
/// Columns and rows of a screen that shows all tables beside the figures.
const WIDE: (u16, u16) = (200, 50);

/// Watches the broker until every figure and table was told, the tables twice, so that their rates are known.
///
/// # Errors
///
/// No broker answers, or it does not tell its figures.
pub async fn collect_once(model: &mut Model, login: Option<Login>) -> anyhow::Result<()> {
    (model.width, model.height) = WIDE;
    let mut source = connect(model, login).await?;
    let mut told = Told::default();
    let all = watch(model, &mut source, |news| told.count(news));
    if tokio::time::timeout(PATIENCE, all).await.is_ok_and(|watched| watched.is_err()) {
        bail!("lost the broker at {}", model.address);
    }
    if !told.all() {
        bail!(
            "the broker at {} did not tell its figures within {} s: {told:?}",
            model.address,
            PATIENCE.as_secs()
        );
    }
    Ok(())
}

/// Watches the broker for some time and gives the picture of the view.
///
/// # Errors
///
/// No broker answers.
pub async fn collect_picture(
    model: &mut Model,
    login: Option<Login>,
    time: Duration,
) -> anyhow::Result<String> {
    model.depth = Depth::Rgb;
    let mut source = connect(model, login).await?;
    let lost = tokio::time::timeout(time, watch(model, &mut source, |_| false)).await;
    if let Ok(lost) = lost {
        lost?;
    }
    let frame = crate::render_frame(model, model.width, model.height);
    let paper = if model.theme == ThemeName::Light { Paper::Light } else { Paper::Dark };
    Ok(screenshot::svg_on(&frame, paper, &format!("broker-tui --addr {}", model.address)))
}

async fn connect(model: &Model, login: Option<Login>) -> anyhow::Result<Source> {
    let client = match source::connect(&model.address, login.as_ref()).await {
        Ok(client) => client,
        Err(error @ (ConnectError::AuthRequired | ConnectError::Unauthorized { .. })) => {
            return Err(error).with_context(|| format!("the broker at {}", model.address));
        }
        Err(error) => return Err(error).with_context(|| format!("no broker at {}", model.address)),
    };
    let source = Source::start(&model.address, login, Some(client));
    source.want(model.wants());
    Ok(source)
}

/// Feeds the model until `enough` says so.
async fn watch(
    model: &mut Model,
    source: &mut Source,
    mut enough: impl FnMut(&News) -> bool,
) -> anyhow::Result<()> {
    let timer = Timer::start();
    loop {
        source.changed().await?;
        let news = source.take();
        // All of them are to be counted: `any` would stop at the first.
        let done = news.iter().filter(|news| enough(news)).count() > 0;
        update(model, Msg::Clock(timer.now()));
        update(model, Msg::Feed(news));
        source.want(model.wants());
        if done {
            return Ok(());
        }
    }
}

/// What the broker told so far.
#[derive(Debug, Default)]
struct Told {
    metrics: u32,
    totals: u32,
    connections: u32,
    topics: u32,
}

impl Told {
    /// Counts news; says whether that is all.
    fn count(&mut self, news: &News) -> bool {
        match news {
            News::Metric { .. } => self.metrics += 1,
            News::Totals(_) => self.totals += 1,
            News::Connections(_) => self.connections += 1,
            News::Topics(_) => self.topics += 1,
            _ => {}
        }
        self.all()
    }

    /// The tables come with the figures of their second: after the second table the figures of the first are there.
    fn all(&self) -> bool {
        self.metrics > 0 && self.totals >= 2 && self.connections >= 2 && self.topics >= 2
    }
}
