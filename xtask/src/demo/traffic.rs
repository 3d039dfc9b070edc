//! The traffic of the demo: stations, a rig with pumps and a fast sensor, a camera, a service with somebody who asks it.
//!
//! One thread with a runtime of its own; each part is a client of its own, so that the dashboard's connections have something to show.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use broker_client::{Client, Options, PublishOptions, SubscribeOptions};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::Faults;
use super::weather::{ALARM_ABOVE, STATIONS, pump_pressure, vibration};

/// Every station reports once in this time.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// The fast sensor: 200 Hz.
const SENSOR_EVERY: Duration = Duration::from_millis(5);
/// Pumps report with every 40th value of the fast sensor: 5 Hz.
const PUMPS_EVERY: u64 = 40;
/// Pumps of the rig.
const PUMPS: u32 = 4;
/// The camera: 15 pictures a second of this many bytes, enough for the slow reader to fall behind within seconds.
const PICTURE_EVERY: Duration = Duration::from_millis(66);
const PICTURE_BYTES: usize = 96 << 10;
/// Somebody asks the service this often.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// The topic of the service.
const SERVICE: &str = "service/mean-temperature";

/// The running traffic. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Traffic {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    /// Connects everybody to the broker at `address`.
    pub(super) fn start(address: SocketAddr, faults: Faults) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("traffic".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = everybody(address, &faults) => {}
                    () = stopped.notified() => {}
                }
            });
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed; there is nothing left to do about it.
            thread.join().unwrap_or_default();
        }
    }
}

/// Runs all parts until one fails; the others go on.
async fn everybody(address: SocketAddr, faults: &Faults) {
    let start = Instant::now();
    let mut parts = JoinSet::new();
    parts.spawn(stations(address, start));
    parts.spawn(rig(address, start));
    parts.spawn(camera(address));
    parts.spawn(service(address, start));
    parts.spawn(asker(address));
    parts.spawn(map(address));
    while let Some(ended) = parts.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => faults.add(format!("{error:#}")),
            Err(error) => faults.add(format!("a part of the traffic broke: {error}")),
        }
    }
}

async fn connect(address: SocketAddr, name: &str) -> Result<Client> {
    let client = Client::connect(&address.to_string(), Options::new().name(name)).await;
    client.with_context(|| format!("{name} cannot connect"))
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

/// The weather stations report in turn.
async fn stations(address: SocketAddr, start: Instant) -> Result<()> {
    let client = connect(address, "weather stations").await?;
    let count = u32::try_from(STATIONS.len()).unwrap_or(u32::MAX);
    let mut turn = every(REPORT_EVERY / count);
    loop {
        for station in &STATIONS {
            turn.tick().await;
            let reading = station.read(start.elapsed().as_secs_f64());
            let at = |what: &str| format!("weather/{}/{}/{what}", station.country, station.city);
            client.publish(&at("temperature"), &reading.temperature).await?;
            client.publish(&at("humidity"), &reading.humidity).await?;
            client.publish(&at("wind"), &reading.wind).await?;
            client.publish(&at("pressure"), &reading.pressure).await?;
        }
    }
}

/// What an alarm says.
#[derive(Debug, Serialize)]
struct Alarm {
    pump: u32,
    state: &'static str,
    bar: f64,
}

/// The rig: a fast sensor, and pumps that raise and clear alarms. Alarms are events: they are not retained.
async fn rig(address: SocketAddr, start: Instant) -> Result<()> {
    let client = connect(address, "rig").await?;
    let mut turn = every(SENSOR_EVERY);
    let mut raised: BTreeMap<u32, bool> = BTreeMap::new();
    for count in 0_u64.. {
        turn.tick().await;
        let seconds = start.elapsed().as_secs_f64();
        client.publish("rig/vibration", &vibration(seconds)).await?;
        if !count.is_multiple_of(PUMPS_EVERY) {
            continue;
        }
        for pump in 1..=PUMPS {
            let bar = pump_pressure(pump, seconds);
            client.publish(&format!("rig/pump-{pump}/pressure"), &bar).await?;
            let high = bar > ALARM_ABOVE;
            if raised.insert(pump, high).unwrap_or(false) != high {
                let alarm = Alarm { pump, state: if high { "overpressure" } else { "cleared" }, bar };
                let options = PublishOptions::new().retain(false);
                client.publish_with(&format!("rig/pump-{pump}/alarm"), &alarm, options).await?;
            }
        }
    }
    Ok(())
}

/// A camera at the gate: large values.
async fn camera(address: SocketAddr) -> Result<()> {
    let client = connect(address, "camera").await?;
    let mut turn = every(PICTURE_EVERY);
    let mut picture: Vec<u8> = (0..PICTURE_BYTES).map(|_| fastrand::u8(..)).collect();
    loop {
        turn.tick().await;
        picture.rotate_left(1);
        client.publish_bytes("camera/gate", &picture).await?;
    }
}

/// Answers with the mean temperature of a country's stations.
async fn service(address: SocketAddr, start: Instant) -> Result<()> {
    let client = connect(address, "mean temperature").await?;
    let options = SubscribeOptions::new().meta(true).retained(false);
    let mut requests = client.subscribe_with(SERVICE, options).await?;
    while let Some(request) = requests.recv().await {
        let country: String = request.decode().unwrap_or_default();
        let seconds = start.elapsed().as_secs_f64();
        let of_country = STATIONS.iter().filter(|station| station.country == country);
        let (count, sum) =
            of_country.fold((0.0, 0.0), |(count, sum), s| (count + 1.0, sum + s.read(seconds).temperature));
        client.respond(&request, &(sum / f64::max(count, 1.0))).await?;
    }
    Ok(())
}

/// Asks the service about one country after another.
async fn asker(address: SocketAddr) -> Result<()> {
    let client = connect(address, "control room").await?;
    let mut turn = every(ASK_EVERY);
    loop {
        for station in &STATIONS {
            turn.tick().await;
            // Nobody may be there to answer, at the start: the next question comes soon.
            if let Ok(answer) = client.request(SERVICE, station.country).await {
                let mean: f64 = answer.decode().context("the service answers something else")?;
                let topic = format!("control-room/mean-temperature/{}", station.country);
                client.publish(&topic, &((mean * 10.0).round() / 10.0)).await?;
            }
        }
    }
}

/// A subscriber that keeps up.
async fn map(address: SocketAddr) -> Result<()> {
    let client = connect(address, "weather map").await?;
    let mut weather = client.subscribe("weather/**").await?;
    while weather.recv().await.is_some() {}
    Ok(())
}
