//! Reads one `vType`: the defaults of its class, changed by its attributes.

use crate::attributes::Attributes;
use crate::coverage::check_attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::xml::shorten;

use super::{CarFollowing, SpeedFactor, VehicleClass, VehicleType};

/// Numbers that have no effect here, and the ranges outside of which SUMO refuses them.
const IDLE_NUMBERS: &[(&str, f64, f64)] = &[
    ("height", 0.0, f64::MAX),
    ("mass", 0.0, f64::MAX),
    ("personCapacity", 0.0, f64::MAX),
    ("containerCapacity", 0.0, f64::MAX),
    ("minGapLat", 0.0, f64::MAX),
    ("maxSpeedLat", f64::MIN_POSITIVE, f64::MAX),
    ("jmCrossingGap", 0.0, f64::MAX),
    ("jmDriveRedSpeed", 0.0, f64::MAX),
    ("jmIgnoreFoeProb", 0.0, f64::MAX),
    ("jmSigmaMinor", 0.0, 1.0),
    ("jmStoplineGap", 0.0, f64::MAX),
    ("jmAdvance", 0.0, f64::MAX),
    ("jmStopSignWait", 0.0, f64::MAX),
    ("jmAllwayStopWait", 0.0, f64::MAX),
    ("lcImpatience", 0.0, f64::MAX),
    ("lcSigma", 0.0, f64::MAX),
    ("lcMaxSpeedLatStanding", 0.0, f64::MAX),
    ("lcOvertakeDeltaSpeedFactor", -1.0, 1.0),
];

/// A `vType` as it stands in a file.
pub(super) struct TypeDefinition {
    pub vtype: VehicleType,
    /// Weight in a distribution.
    pub probability: f64,
    /// `scale`: how many vehicles each vehicle of the type stands for.
    pub scale: f64,
}

/// `default_deviation` is `default.speeddev`, which replaces the deviation that classes have by themselves.
pub(super) fn read_type(
    attributes: Attributes<'_>,
    default_deviation: Option<f64>,
    warnings: &mut Warnings,
) -> Result<TypeDefinition, InputError> {
    check_id(attributes)?;
    let class = read_class(attributes, warnings);
    let mut vtype = VehicleType::default_of(attributes.id()?, class);
    if let Some(deviation) = default_deviation {
        vtype.speed_factor.deviation = deviation;
    }
    read_dimensions(attributes, &mut vtype)?;
    read_decelerations(attributes, &mut vtype, warnings)?;
    read_speed_factor(attributes, &mut vtype.speed_factor)?;
    vtype.model = CarFollowing::read(attributes, warnings)?;
    read_lane_change(attributes, &mut vtype, warnings)?;
    check_attributes(attributes, warnings);
    for (key, min, max) in IDLE_NUMBERS {
        attributes.number_in(key, *min, *max)?;
    }
    Ok(TypeDefinition {
        vtype,
        probability: attributes.non_negative("probability")?.unwrap_or(1.0),
        scale: attributes.non_negative("scale")?.unwrap_or(1.0),
    })
}

/// Characters that SUMO takes in no id of a vehicle or type.
const NOT_IN_IDS: &[char] = &[' ', '\t', '\n', '\r', '|', '\\', '\'', '"', ';', ',', '<', '>', '&'];

/// Refuses ids that SUMO refuses for vehicles and types.
pub(super) fn check_id(attributes: Attributes<'_>) -> Result<(), InputError> {
    match attributes.id()?.chars().find(|c| NOT_IN_IDS.contains(c)) {
        Some(bad) => Err(attributes.error(format!("the id must not hold {bad:?}"))),
        None => Ok(()),
    }
}

/// SUMO goes on with a passenger car where it does not know the class.
fn read_class(attributes: Attributes<'_>, warnings: &mut Warnings) -> VehicleClass {
    let Some(name) = attributes.text("vClass") else { return VehicleClass::Passenger };
    if let Some(class) = VehicleClass::parse(name) {
        return class;
    }
    let class = VehicleClass::parse_deprecated(name).flatten();
    let (kind, class) = match class {
        Some(class) => (format!("vehicle class '{name}' is deprecated"), class),
        None => (format!("vehicle class '{}' is not known", shorten(name)), VehicleClass::Passenger),
    };
    warnings.add(kind, attributes.at(), format!("read as '{}'", class.name()));
    class
}

fn set(target: &mut f64, value: Option<f64>) {
    if let Some(value) = value {
        *target = value;
    }
}

fn read_dimensions(attributes: Attributes<'_>, vtype: &mut VehicleType) -> Result<(), InputError> {
    set(&mut vtype.length_m, attributes.positive("length")?);
    set(&mut vtype.min_gap_m, attributes.non_negative("minGap")?);
    set(&mut vtype.width_m, attributes.positive("width")?);
    set(&mut vtype.max_speed_mps, attributes.positive("maxSpeed")?);
    set(&mut vtype.desired_max_speed_mps, attributes.positive("desiredMaxSpeed")?);
    set(&mut vtype.accel_mps2, attributes.positive("accel")?);
    set(&mut vtype.sigma, attributes.number_in("sigma", 0.0, 1.0)?);
    set(&mut vtype.tau_s, attributes.positive("tau")?);
    set(&mut vtype.time_gap_minor_s, attributes.number("jmTimegapMinor")?);
    match attributes.text("impatience") {
        // SUMO: `off` switches impatience off for good, so that it does not even grow with waiting.
        Some("off") => vtype.impatience = f64::NEG_INFINITY,
        _ => set(&mut vtype.impatience, attributes.number("impatience")?),
    }
    Ok(())
}

fn read_decelerations(
    attributes: Attributes<'_>,
    vtype: &mut VehicleType,
    warnings: &mut Warnings,
) -> Result<(), InputError> {
    set(&mut vtype.decel_mps2, attributes.positive("decel")?);
    let emergency = attributes.positive("emergencyDecel")?;
    if emergency.is_some_and(|e| e < vtype.decel_mps2) {
        warnings.add(
            "emergencyDecel is lower than decel",
            attributes.at(),
            format!("decel ({}) is used as emergencyDecel", vtype.decel_mps2),
        );
    }
    vtype.emergency_decel_mps2 = emergency.unwrap_or(vtype.emergency_decel_mps2).max(vtype.decel_mps2);
    vtype.apparent_decel_mps2 = attributes.positive("apparentDecel")?.unwrap_or(vtype.decel_mps2);
    Ok(())
}

/// A plain number is the mean and keeps the deviation of the class; `speedDev` overrides every other deviation.
fn read_speed_factor(attributes: Attributes<'_>, factor: &mut SpeedFactor) -> Result<(), InputError> {
    if let Some(text) = attributes.text("speedFactor") {
        *factor = parse_distribution(text, *factor).ok_or_else(|| {
            attributes.bad("speedFactor", text, "a number, norm(mean,dev) or normc(mean,dev,min,max)")
        })?;
    }
    set(&mut factor.deviation, attributes.non_negative("speedDev")?);
    let &mut SpeedFactor { mean, deviation, min, max } = factor;
    if deviation > 0.0 && min > max {
        return Err(attributes.error(format!("the least speed factor {min} is above the greatest, {max}")));
    }
    // As in SUMO; a value within the bounds would hardly ever be drawn.
    let out_of_reach = |bound: f64, side: f64| deviation > 0.0 && (mean - bound) * side > MAX_DEVIATIONS * deviation;
    if out_of_reach(max, 1.0) || out_of_reach(min, -1.0) {
        let message = format!(
            "speed factors from {min} to {max} are more than {MAX_DEVIATIONS} deviations ({deviation}) away from their mean, {mean}"
        );
        return Err(attributes.error(message));
    }
    Ok(())
}

/// Farther than this from the mean a bound of the speed factor must not be, in standard deviations.
const MAX_DEVIATIONS: f64 = 3.0 + 1e-9;

/// A plain number is the mean of the default distribution.
pub(super) fn parse_distribution(text: &str, default: SpeedFactor) -> Option<SpeedFactor> {
    let text = text.trim();
    let Some((name, rest)) = text.split_once('(') else {
        let mean = text.parse::<f64>().ok().filter(|m| m.is_finite())?;
        return Some(SpeedFactor { mean, ..default });
    };
    let values = rest
        .strip_suffix(')')?
        .split(',')
        .map(|v| v.trim().parse::<f64>().ok().filter(|v| v.is_finite()))
        .collect::<Option<Vec<f64>>>()?;
    let whole = |mean, deviation| SpeedFactor { mean, deviation, min: f64::MIN, max: f64::MAX };
    Some(match (name.trim(), &values[..]) {
        ("norm", &[mean]) => whole(mean, 0.0),
        ("norm", &[mean, deviation]) => whole(mean, deviation),
        ("normc", &[mean]) => SpeedFactor { mean, deviation: 0.0, ..default },
        ("normc", &[mean, deviation]) => SpeedFactor { mean, deviation, ..default },
        ("normc", &[mean, deviation, min]) => SpeedFactor { mean, deviation, min, ..default },
        ("normc", &[mean, deviation, min, max]) => SpeedFactor { mean, deviation, min, max },
        _ => return None,
    })
}

fn read_lane_change(
    attributes: Attributes<'_>,
    vtype: &mut VehicleType,
    warnings: &mut Warnings,
) -> Result<(), InputError> {
    if let Some(model) = attributes.text("laneChangeModel")
        && !matches!(model, "LC2013" | "default")
    {
        if !matches!(model, "DK2008" | "LC2013_CC" | "SL2015") {
            return Err(attributes.error(format!("laneChangeModel '{}' is not known", shorten(model))));
        }
        warnings.add(
            format!("laneChangeModel '{}' is not supported", shorten(model)),
            attributes.at(),
            "the vehicles change lanes after LC2013",
        );
    }
    let lane_change = &mut vtype.lane_change;
    // Negative values switch the motive off, as 0 does.
    set(&mut lane_change.strategic, attributes.number("lcStrategic")?);
    set(&mut lane_change.cooperative, attributes.number("lcCooperative")?);
    set(&mut lane_change.speed_gain, attributes.number("lcSpeedGain")?);
    set(&mut lane_change.keep_right, attributes.number("lcKeepRight")?);
    set(&mut lane_change.assertive, attributes.non_negative("lcAssertive")?);
    set(&mut lane_change.lookahead_left, attributes.non_negative("lcLookaheadLeft")?);
    set(&mut lane_change.speed_gain_right, attributes.non_negative("lcSpeedGainRight")?);
    set(&mut lane_change.overtake_right, attributes.non_negative("lcOvertakeRight")?);
    Ok(())
}
