//! The life of the program: it starts the server, obeys signals, and stops the server. A module of the binary.

use anyhow::Context as _;
use broker_server::config::{Config, ConfigErrors, Sources};
use broker_server::logging::{self, Detail, Style};
use broker_server::signals::{self, Asked, Signals};
use broker_server::{NAME, NATS_VERSION, Server, VERSION};
use tracing::{error, info, warn};

/// Runs until a signal asks to stop. `load` reads the configuration again.
pub(crate) fn run(
    config: Config,
    style: Style,
    load: impl Fn() -> Result<(Config, Sources), ConfigErrors>,
) -> anyhow::Result<()> {
    let detail = logging::start(&config.log, style)?;
    raise_handles();
    refuse_huge_pages();
    // Connections have threads of their own: this one accepts them and publishes the metrics.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config, style, &detail, load))
}

async fn serve(
    mut config: Config,
    style: Style,
    detail: &Detail,
    load: impl Fn() -> Result<(Config, Sources), ConfigErrors>,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    if style == Style::NatsServer {
        info!("Starting nats-server");
        info!("  Version:  {NATS_VERSION} ({NAME} {VERSION})");
        info!("  Name:     {}", config.nats.server_name);
    }
    let server = Server::builder().config(&config).start().await?;
    match style {
        Style::NatsServer => greet_as_nats_server(&server),
        Style::Configured => greet(&server, &config),
    }
    let signal = loop {
        match signals.next().await {
            Asked::Stop(signal) => break signal,
            Asked::Reload(signal) => {
                info!("{signal}: reading the configuration again");
                reload(&server, &mut config, detail, &load);
            }
            Asked::LameDuck(signal) => {
                info!("{signal}: lame duck");
                let (grace, duration) = (config.shutdown.lame_duck_grace, config.shutdown.lame_duck_duration);
                tokio::select! {
                    () = server.lame_duck(grace, duration) => break "the last session ended",
                    signal = signals.stop() => break signal,
                }
            }
        }
    };
    info!("{signal}: stopping; a second one stops at once");
    signals::exit_on_next()?;
    let report = server.stop().await;
    if report.messages_lost > 0 || report.sessions_cut > 0 {
        warn!("stopped: {report}");
    } else {
        info!("stopped: {report}");
    }
    Ok(())
}

fn greet(server: &Server, config: &Config) {
    info!("{NAME} {VERSION}");
    if let Some(address) = server.nats_addr() {
        info!("listening on {address} (NATS)");
    }
    if let Some(address) = server.monitor_addr() {
        info!("figures at http://{address}/");
    }
    if let Some(address) = server.local_addr() {
        info!("listening on {address} (native)");
        if config.auth.token.is_none() && config.auth.users.is_empty() {
            info!("watch it:  broker-tui --addr {address}");
            info!(
                "try it:    broker sub --addr {address} '*'   and   broker pub --addr {address} hello world"
            );
        }
    }
}

/// Scripts wait for some of these lines.
fn greet_as_nats_server(server: &Server) {
    if let Some(address) = server.monitor_addr() {
        info!("Starting http monitor on {address}");
    }
    if let Some(address) = server.local_addr() {
        info!("Listening for native connections on {address}");
    }
    if let Some(address) = server.nats_addr() {
        info!("Listening for client connections on {address}");
    }
    info!("Server is ready");
}

/// Reads the configuration again, and goes by what can change while the server runs: who may connect, and what is logged.
fn reload(
    server: &Server,
    config: &mut Config,
    detail: &Detail,
    load: impl Fn() -> Result<(Config, Sources), ConfigErrors>,
) {
    let new = match load() {
        Ok((new, _)) => new,
        Err(errors) => return error!("the configuration stays as it was: {errors}"),
    };
    if new.auth != config.auth {
        server.set_auth(new.auth.clone());
        config.auth.clone_from(&new.auth);
        info!("reloaded: auth, for connections from now on");
    }
    if new.log.level != config.log.level {
        match detail.set(&new.log.level) {
            Ok(()) => info!("reloaded: log.level = {}", new.log.level),
            Err(error) => error!("log.level: {error}"),
        }
        config.log.level.clone_from(&new.log.level);
    }
    if new.shutdown != config.shutdown {
        config.shutdown.lame_duck_grace = new.shutdown.lame_duck_grace;
        config.shutdown.lame_duck_duration = new.shutdown.lame_duck_duration;
    }
    if new != *config {
        warn!("other settings have changed, too: they apply when the server is started again");
    }
}

/// A connection is a handle, and many systems give a program 1,024 unless it asks for more.
#[cfg(unix)]
fn raise_handles() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, "the limit of open files stays as it is: {:?}", limit.current);
    }
}

/// There is no such limit.
#[cfg(not(unix))]
fn raise_handles() {}

/// Zeroing 2 MiB at a page fault holds a publisher up for a quarter of a millisecond, and the allocator asks for such pages: twenty outboxes
/// that filled up cost the others 5 ms again and again (measured).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn refuse_huge_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        warn!(%error, "huge pages stay allowed");
    }
}

/// The system has none that it hands out unasked.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn refuse_huge_pages() {}
