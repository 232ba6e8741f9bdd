//! Vehicle types with the defaults of their class.

use serde::{Deserialize, Serialize};

use super::{CarFollowing, VehicleClass};

/// Distribution of the factor by which a driver multiplies speed limits: a normal distribution, truncated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeedFactor {
    pub mean: f64,
    pub deviation: f64,
    pub min: f64,
    pub max: f64,
}

/// Eagerness for each motive of lane changing; 1 is the default, 0 switches the motive off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneChangeParams {
    pub strategic: f64,
    pub cooperative: f64,
    pub speed_gain: f64,
    pub keep_right: f64,
    /// Divides required gaps (`lcAssertive`).
    pub assertive: f64,
    /// Extra looking ahead to the left (`lcLookaheadLeft`), factor.
    pub lookahead_left: f64,
    /// Asymmetry of the speed gain thresholds (`lcSpeedGainRight`).
    pub speed_gain_right: f64,
    /// Probability, each step, that a fast vehicle may pass another one on the right (`lcOvertakeRight`).
    pub overtake_right: f64,
}

impl Default for LaneChangeParams {
    fn default() -> Self {
        Self {
            strategic: 1.0,
            cooperative: 1.0,
            speed_gain: 1.0,
            keep_right: 1.0,
            assertive: 1.0,
            lookahead_left: 2.0,
            speed_gain_right: 0.1,
            overtake_right: 0.0,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VehicleType {
    pub name: Box<str>,
    pub class: VehicleClass,
    pub length_m: f64,
    /// Distance kept to a standing leader.
    pub min_gap_m: f64,
    pub accel_mps2: f64,
    pub decel_mps2: f64,
    /// Greatest possible deceleration.
    pub emergency_decel_mps2: f64,
    /// Deceleration that others expect of it; defaults to `decel_mps2`.
    pub apparent_decel_mps2: f64,
    /// Driver imperfection, 0…1 (`sigma`).
    pub sigma: f64,
    /// Desired time headway in seconds.
    pub tau_s: f64,
    pub max_speed_mps: f64,
    /// Speed that the driver wishes on an empty road, multiplied by the vehicle's speed factor (`desiredMaxSpeed`); only
    /// bicycles and pedestrians have one below `max_speed_mps`.
    pub desired_max_speed_mps: f64,
    pub speed_factor: SpeedFactor,
    pub model: CarFollowing,
    pub lane_change: LaneChangeParams,
    /// Willingness to enter a junction although a foe with priority must brake, at most 1; it grows with waiting, except
    /// from −∞ (`off`).
    pub impatience: f64,
    /// `jmTimegapMinor`: time gap to foes with priority, seconds.
    pub time_gap_minor_s: f64,
    pub width_m: f64,
}

impl VehicleType {
    /// The defaults of a class (SUMO manual, "Vehicle Type Parameter Defaults"; checked against what SUMO 1.28
    /// reports for a type with nothing but a class).
    pub fn default_of(name: &str, class: VehicleClass) -> Self {
        use VehicleClass::*;
        // length, minGap, max speed km/h, width, accel, decel, emergency decel, speedDev
        let (length, min_gap, max_kmh, width, accel, decel, emergency, dev) = match class {
            Pedestrian => (0.215, 0.25, 37.58, 0.478, 1.5, 2.0, 5.0, 0.1),
            Wheelchair => (1.2, 0.5, 30.0, 0.72, 1.5, 2.0, 5.0, 0.1),
            Bicycle => (1.6, 0.5, 50.0, 0.65, 1.2, 3.0, 7.0, 0.1),
            Scooter => (1.2, 0.5, 25.0, 0.5, 1.2, 3.0, 7.0, 0.1),
            Moped => (2.1, 2.5, 60.0, 0.78, 1.1, 7.0, 10.0, 0.1),
            Motorcycle => (2.2, 2.5, 200.0, 0.9, 6.0, 10.0, 10.0, 0.1),
            Truck => (7.1, 2.5, 130.0, 2.4, 1.3, 4.0, 7.0, 0.05),
            Trailer => (16.5, 2.5, 130.0, 2.55, 1.1, 4.0, 7.0, 0.05),
            Bus => (12.0, 2.5, 100.0, 2.5, 1.2, 4.0, 7.0, 0.0),
            Coach => (14.0, 2.5, 100.0, 2.6, 2.0, 4.0, 7.0, 0.05),
            Delivery => (6.5, 2.5, 200.0, 2.16, 2.6, 4.5, 9.0, 0.05),
            Emergency => (6.5, 2.5, 200.0, 2.16, 2.6, 4.5, 9.0, 0.0),
            Taxi => (5.0, 2.5, 200.0, 1.8, 2.6, 4.5, 9.0, 0.05),
            Ignoring | Authority | Army | CableCar => (5.0, 2.5, 200.0, 1.8, 2.6, 4.5, 9.0, 0.0),
            Tram => (22.0, 2.5, 80.0, 2.4, 1.0, 3.0, 7.0, 0.0),
            RailUrban => (109.5, 5.0, 100.0, 3.0, 1.0, 3.0, 7.0, 0.0),
            Subway => (109.5, 5.0, 100.0, 3.0, 2.6, 4.5, 9.0, 0.0),
            Rail => (135.0, 5.0, 160.0, 2.84, 0.25, 1.3, 5.0, 0.0),
            RailElectric => (200.0, 5.0, 220.0, 2.95, 0.5, 1.3, 5.0, 0.0),
            RailFast => (200.0, 5.0, 330.0, 2.95, 0.5, 1.3, 5.0, 0.0),
            Ship => (17.0, 2.5, 14.8454, 4.0, 0.1, 0.15, 1.0, 0.1),
            Container => (6.096, 2.5, 200.0, 2.438, 2.6, 4.5, 9.0, 0.0),
            Aircraft => (72.7, 2.5, 200.0, 79.8, 2.6, 4.5, 9.0, 0.0),
            Drone => (0.5, 2.5, 200.0, 0.5, 2.6, 4.5, 9.0, 0.0),
            Private | Vip | Passenger | Hov | Evehicle | Custom1 | Custom2 => {
                (5.0, 2.5, 200.0, 1.8, 2.6, 4.5, 9.0, 0.1)
            }
        };
        let runs_itself = matches!(class, Tram | RailUrban | Rail | RailElectric | RailFast | Ship);
        Self {
            name: name.into(),
            class,
            length_m: length,
            min_gap_m: min_gap,
            accel_mps2: accel,
            decel_mps2: decel,
            emergency_decel_mps2: emergency,
            apparent_decel_mps2: decel,
            sigma: if runs_itself { 0.0 } else { 0.5 },
            tau_s: 1.0,
            max_speed_mps: max_kmh / 3.6,
            desired_max_speed_mps: match class {
                Pedestrian | Wheelchair => 5.0 / 3.6,
                Bicycle | Scooter => 20.0 / 3.6,
                _ => 10_000.0 / 3.6,
            },
            speed_factor: SpeedFactor { mean: 1.0, deviation: dev, min: 0.2, max: 2.0 },
            model: CarFollowing::Krauss,
            lane_change: LaneChangeParams::default(),
            impatience: 0.0,
            time_gap_minor_s: 1.0,
            width_m: width,
        }
    }
}

/// `default.emergencydecel`: the emergency deceleration of types that do not give one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum DefaultEmergencyDecel {
    /// That of the vehicle class.
    #[default]
    OfClass,
    /// The type's `decel`.
    AsDecel,
    /// In m/s².
    Fixed(f64),
}

impl DefaultEmergencyDecel {
    /// Sets the value of a type that gives none; it is never lower than `decel`.
    pub fn apply(self, vtype: &mut VehicleType) {
        let decel_mps2 = match self {
            Self::OfClass => return,
            Self::AsDecel => vtype.decel_mps2,
            Self::Fixed(decel_mps2) => decel_mps2,
        };
        vtype.emergency_decel_mps2 = decel_mps2.max(vtype.decel_mps2);
    }
}
