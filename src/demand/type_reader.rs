//! Reads one `vType`: the defaults of its class, changed by its attributes.

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::xml::shorten;

use super::{CarFollowing, Idm, SpeedFactor, VehicleClass, VehicleType};

/// Attributes that are taken.
const TAKEN: &[&str] = &[
    "id",
    "vClass",
    "length",
    "minGap",
    "maxSpeed",
    "desiredMaxSpeed",
    "width",
    "accel",
    "decel",
    "emergencyDecel",
    "apparentDecel",
    "sigma",
    "tau",
    "speedFactor",
    "speedDev",
    "carFollowModel",
    "delta",
    "stepping",
    "laneChangeModel",
    "lcStrategic",
    "lcCooperative",
    "lcSpeedGain",
    "lcKeepRight",
    "lcAssertive",
    "lcLookaheadLeft",
    "lcSpeedGainRight",
    "impatience",
    "jmTimegapMinor",
    "probability",
    "scale",
];

/// Attributes that change looks, emissions or passengers, or that only the sublane model reads: no effect on traffic here.
const WITHOUT_EFFECT: &[&str] = &[
    "color",
    "guiShape",
    "imgFile",
    "osgFile",
    "emissionClass",
    "height",
    "mass",
    "personCapacity",
    "containerCapacity",
    "boardingDuration",
    "loadingDuration",
    "locomotiveLength",
    "carriageLength",
    "carriageGap",
    "carriageDoors",
    "frontSeatPos",
    "seatingWidth",
    "carriageImages",
    "parkingBadges",
    "latAlignment",
    "minGapLat",
    "maxSpeedLat",
    "lcSublane",
    "lcPushy",
    "lcPushyGap",
    "lcAccelLat",
    "lcTurnAlignmentDistance",
    "lcMaxSpeedLatStanding",
    "lcMaxSpeedLatFactor",
    "lcLaneDiscipline",
    "maneuverAngleTimes",
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
    let class = match attributes.text("vClass") {
        None => VehicleClass::Passenger,
        Some(name) => VehicleClass::parse(name)
            .ok_or_else(|| attributes.error(format!("vClass '{}' is not known", shorten(name))))?,
    };
    let mut vtype = VehicleType::default_of(attributes.id()?, class);
    if let Some(deviation) = default_deviation {
        vtype.speed_factor.deviation = deviation;
    }
    read_dimensions(attributes, &mut vtype)?;
    read_decelerations(attributes, &mut vtype, warnings)?;
    read_speed_factor(attributes, &mut vtype.speed_factor)?;
    vtype.model = read_model(attributes, warnings)?;
    read_lane_change(attributes, &mut vtype, warnings)?;
    for (key, _) in attributes.element().attributes() {
        if !TAKEN.contains(&key) && !WITHOUT_EFFECT.contains(&key) && !key.contains(':') {
            warnings.add(
                format!("attribute '{key}' of vType is not supported"),
                attributes.at(),
                "the attribute has no effect",
            );
        }
    }
    Ok(TypeDefinition {
        vtype,
        probability: attributes.non_negative("probability")?.unwrap_or(1.0),
        scale: attributes.non_negative("scale")?.unwrap_or(1.0),
    })
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
    set(&mut vtype.tau_s, attributes.non_negative("tau")?);
    set(&mut vtype.time_gap_minor_s, attributes.non_negative("jmTimegapMinor")?);
    match attributes.text("impatience") {
        // SUMO: `off` switches impatience off for good, so that it does not even grow with waiting.
        Some("off") => vtype.impatience = f64::NEG_INFINITY,
        _ => set(&mut vtype.impatience, attributes.number_in("impatience", f64::MIN, 1.0)?),
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
        *factor = parse_speed_factor(text, *factor).ok_or_else(|| {
            attributes.bad("speedFactor", text, "a positive number, norm(mean,dev) or normc(mean,dev,min,max)")
        })?;
    }
    set(&mut factor.deviation, attributes.non_negative("speedDev")?);
    Ok(())
}

/// Smallest factor that is ever drawn; SUMO has the same bound.
pub(super) const MIN_SPEED_FACTOR: f64 = 0.2;

fn parse_speed_factor(text: &str, default: SpeedFactor) -> Option<SpeedFactor> {
    let text = text.trim();
    let Some((name, rest)) = text.split_once('(') else {
        let mean = text.parse::<f64>().ok().filter(|m| m.is_finite() && *m > 0.0)?;
        // A mean outside of the default bounds would be drawn forever.
        return Some(SpeedFactor { mean, max: default.max.max(2.0 * mean), min: default.min.min(mean), ..default });
    };
    let values = rest
        .strip_suffix(')')?
        .split(',')
        .map(|v| v.trim().parse::<f64>().ok().filter(|v| v.is_finite()))
        .collect::<Option<Vec<f64>>>()?;
    let factor = match (name.trim(), &values[..]) {
        ("norm", &[mean, deviation]) => SpeedFactor { mean, deviation, min: MIN_SPEED_FACTOR, max: f64::MAX },
        ("normc", &[mean, deviation]) => SpeedFactor { mean, deviation, ..default },
        ("normc", &[mean, deviation, min, max]) if min <= max => SpeedFactor { mean, deviation, min, max },
        _ => return None,
    };
    (factor.mean > 0.0 && factor.deviation >= 0.0).then_some(factor)
}

fn read_model(attributes: Attributes<'_>, warnings: &mut Warnings) -> Result<CarFollowing, InputError> {
    let Some(name) = attributes.text("carFollowModel") else { return Ok(CarFollowing::Krauss) };
    let idm = || -> Result<CarFollowing, InputError> {
        Ok(CarFollowing::Idm(Idm {
            delta: attributes.positive("delta")?.unwrap_or(4.0),
            stepping_s: attributes.positive("stepping")?.unwrap_or(0.25),
        }))
    };
    // Files carry the models with and without the prefix of the old nested form.
    let short = name.strip_prefix("carFollowing-").unwrap_or(name);
    match short {
        "IDM" => idm(),
        "Krauss" => Ok(CarFollowing::Krauss),
        "IDMM" => {
            warnings.add(
                "carFollowModel 'IDMM' is not supported",
                attributes.at(),
                "the vehicles follow IDM, without memory",
            );
            idm()
        }
        other => {
            let other = shorten(other);
            warnings.add(
                format!("carFollowModel '{other}' is not supported"),
                attributes.at(),
                "the vehicles follow Krauss",
            );
            Ok(CarFollowing::Krauss)
        }
    }
}

fn read_lane_change(
    attributes: Attributes<'_>,
    vtype: &mut VehicleType,
    warnings: &mut Warnings,
) -> Result<(), InputError> {
    if let Some(model) = attributes.text("laneChangeModel")
        && !matches!(model, "LC2013" | "default")
    {
        warnings.add(
            format!("laneChangeModel '{}' is not supported", shorten(model)),
            attributes.at(),
            "the vehicles change lanes after LC2013",
        );
    }
    let lane_change = &mut vtype.lane_change;
    // A negative lcStrategic switches strategic changes off.
    set(&mut lane_change.strategic, attributes.number("lcStrategic")?);
    set(&mut lane_change.cooperative, attributes.number_in("lcCooperative", -1.0, 1.0)?);
    set(&mut lane_change.speed_gain, attributes.non_negative("lcSpeedGain")?);
    set(&mut lane_change.keep_right, attributes.non_negative("lcKeepRight")?);
    set(&mut lane_change.assertive, attributes.positive("lcAssertive")?);
    set(&mut lane_change.lookahead_left, attributes.non_negative("lcLookaheadLeft")?);
    set(&mut lane_change.speed_gain_right, attributes.non_negative("lcSpeedGainRight")?);
    Ok(())
}
