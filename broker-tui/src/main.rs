//! The binary: arguments, logging, run, exit code.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use broker_client::ConnectError;
use broker_tui::args::Args;
use broker_tui::model::Model;
use broker_tui::source::Source;
use broker_tui::terminal::Screen;
use broker_tui::theme::Depth;
use broker_tui::{app, headless};
use clap::Parser as _;

/// What to do where the broker asks.
const SAY_WHO: &str =
    "set BROKER_TOKEN, or BROKER_USER and BROKER_PASSWORD; or give --token, or --user and --password";

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do if this cannot be written.
            let _ = writeln!(std::io::stderr(), "broker-tui: {error:#}");
            if matches!(error.root_cause().downcast_ref(), Some(ConnectError::AuthRequired)) {
                let _ = writeln!(std::io::stderr(), "{SAY_WHO}");
            }
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(file) = &args.log_file {
        log_to(file).with_context(|| format!("cannot log to {}", file.display()))?;
    }
    let login = args.login()?;
    let mut model = Model::new(args.addr.as_str());
    model.view = args.view;
    model.theme = args.theme(std::env::var("NO_COLOR").ok().as_deref());
    model.traffic.set_pattern(&args.pattern);
    if args.once {
        headless::collect_once(&mut model, login).await?;
        let text = if args.json { format!("{:#}\n", headless::json(&model)) } else { headless::text(&model) };
        return std::io::stdout().write_all(text.as_bytes()).context("cannot print");
    }
    if let Some(file) = &args.screenshot {
        (model.width, model.height) = args.size;
        let picture = headless::collect_picture(&mut model, login, Duration::from_secs(args.seconds)).await?;
        return std::fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()));
    }
    if std::env::var("COLORTERM").is_ok_and(|value| value.contains("truecolor") || value.contains("24bit")) {
        model.depth = Depth::Rgb;
    }
    let screen = Screen::enter()?;
    let source = Source::start(&args.addr, login, None);
    app::run(model, source, screen).await
}

/// The log goes to a file or nowhere: the terminal is the dashboard's.
fn log_to(path: &Path) -> anyhow::Result<()> {
    let file = File::options().create(true).append(true).open(path)?;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_writer(file).with_ansi(false).with_env_filter(filter).init();
    Ok(())
}
