//! The weather of the demo: smooth, plausible, and the same in every run. Pure: time comes in as seconds.

use std::f64::consts::TAU;

/// A day of the demo, in seconds: temperatures move while one looks.
const DAY: f64 = 240.0;

/// A weather station.
#[derive(Debug, Clone, Copy)]
pub(super) struct Station {
    /// The country's code.
    pub(super) country: &'static str,
    /// The city, as it stands in the topic.
    pub(super) city: &'static str,
    /// Mean temperature in degrees Celsius.
    mean: f64,
    /// How much a day changes it, degrees Celsius.
    swing: f64,
}

const fn station(country: &'static str, city: &'static str, mean: f64, swing: f64) -> Station {
    Station { country, city, mean, swing }
}

/// All stations.
pub(super) const STATIONS: [Station; 30] = [
    station("at", "Vienna", 11.0, 5.0),
    station("at", "Graz", 10.5, 5.5),
    station("au", "Perth", 19.0, 6.0),
    station("br", "São-Paulo", 20.0, 5.0),
    station("ca", "Montréal", 7.5, 6.0),
    station("ch", "Zürich", 10.0, 5.0),
    station("cl", "Santiago", 15.0, 8.0),
    station("de", "Berlin", 10.5, 5.0),
    station("de", "Hamburg", 9.5, 4.0),
    station("de", "München", 9.5, 5.5),
    station("dk", "København", 9.0, 3.5),
    station("eg", "Cairo", 22.5, 7.0),
    station("es", "Madrid", 15.5, 7.5),
    station("fi", "Helsinki", 6.5, 4.0),
    station("fr", "Lyon", 13.0, 5.5),
    station("fr", "Paris", 12.5, 4.5),
    station("gb", "Glasgow", 9.0, 3.5),
    station("gb", "London", 11.5, 4.0),
    station("in", "Pune", 25.0, 6.5),
    station("is", "Reykjavík", 5.0, 2.5),
    station("it", "Roma", 16.0, 6.0),
    station("jp", "Sapporo", 9.5, 4.5),
    station("jp", "Tokyo", 16.0, 4.5),
    station("ke", "Nairobi", 19.0, 6.5),
    station("no", "Bergen", 8.0, 3.0),
    station("no", "Oslo", 7.0, 4.5),
    station("no", "Tromsø", 3.5, 3.0),
    station("pt", "Lisboa", 17.5, 5.0),
    station("se", "Stockholm", 7.5, 4.0),
    station("us", "Chicago", 10.5, 5.5),
];

/// What a station measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// Degrees Celsius.
    pub(super) temperature: f64,
    /// Percent.
    pub(super) humidity: f64,
    /// Metres a second.
    pub(super) wind: f64,
    /// Hectopascals.
    pub(super) pressure: f64,
}

impl Station {
    /// What it measures `seconds` after the start.
    pub(super) fn read(&self, seconds: f64) -> Reading {
        // Every station has a phase of its own, from its name: no two move together.
        let phase = self.city.bytes().fold(0.0, |sum, byte| sum * 1.7 % TAU + f64::from(byte));
        let day = (TAU * seconds / DAY + phase).sin();
        let drift = wave(seconds, 97.0, phase) * 0.6 + wave(seconds, 31.0, phase * 2.0) * 0.25;
        let temperature = self.mean + self.swing * day + 2.0 * drift;
        Reading {
            temperature: round(temperature, 10.0),
            humidity: round((68.0 - 18.0 * day - 9.0 * drift).clamp(5.0, 100.0), 1.0),
            wind: round(
                (4.0 + 3.0 * wave(seconds, 53.0, phase) + 1.5 * wave(seconds, 11.0, phase * 3.0)).max(0.0),
                10.0,
            ),
            pressure: round(1013.0 + 14.0 * wave(seconds, 401.0, phase), 10.0),
        }
    }
}

/// Bar in pump number `pump` after `seconds`: around 6, now and then above [`ALARM_ABOVE`].
pub(super) fn pump_pressure(pump: u32, seconds: f64) -> f64 {
    let phase = f64::from(pump) * 1.9;
    let pressure = 6.0
        + 1.6 * wave(seconds, 37.0, phase)
        + 1.1 * wave(seconds, 13.0, phase * 2.0)
        + 0.4 * wave(seconds, 3.1, phase);
    round(pressure, 100.0)
}

/// Bar above which a pump raises its alarm.
pub(super) const ALARM_ABOVE: f64 = 8.0;

/// The acceleration that the fast sensor measures after `seconds`, in m/s².
pub(super) fn vibration(seconds: f64) -> f64 {
    let swell = 1.0 + 0.6 * wave(seconds, 9.0, 0.3);
    round(swell * (wave(seconds, 0.11, 0.0) + 0.4 * wave(seconds, 0.043, 1.1)), 1000.0)
}

fn wave(seconds: f64, period: f64, phase: f64) -> f64 {
    (TAU * seconds / period + phase).sin()
}

fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weather_is_plausible_and_smooth() {
        for station in STATIONS {
            let mut last = station.read(0.0);
            for second in 1..1_000_u32 {
                let now = station.read(f64::from(second));
                let name = station.city;
                assert!((-30.0..45.0).contains(&now.temperature), "{name}: {now:?}");
                assert!((5.0..=100.0).contains(&now.humidity), "{name}: {now:?}");
                assert!((0.0..20.0).contains(&now.wind), "{name}: {now:?}");
                assert!((now.temperature - last.temperature).abs() < 1.0, "{name}: {last:?} to {now:?}");
                assert!((now.pressure - last.pressure).abs() < 1.0, "{name}: {last:?} to {now:?}");
                last = now;
            }
        }
    }

    #[test]
    fn every_pump_raises_its_alarm_sometimes_and_not_always() {
        for pump in 1..=4 {
            let above =
                (0..600).filter(|&second| pump_pressure(pump, f64::from(second)) > ALARM_ABOVE).count();
            assert!((1..300).contains(&above), "pump {pump}: {above} of 600 seconds");
        }
    }
}
