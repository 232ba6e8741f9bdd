//! Car-following models as a `vType` names them, with their parameters. A new model is a variant of [`CarFollowing`] with its reader
//! here, and a variant with a file of its own in the kernel's `models::car_following`.

use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::xml::shorten;

/// Models that SUMO knows and that are replaced by Krauss.
const NOT_SUPPORTED: &[&str] = &[
    "KraussOrig1",
    "KraussPS",
    "KraussX",
    "SmartSK",
    "Daniel1",
    "PWagner2009",
    "BKerner",
    "EIDM",
    "Wiedemann",
    "W99",
    "Rail",
    "CC",
];

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum CarFollowing {
    /// Krauss (1998) with dawdling: SUMO's default.
    Krauss,
    Idm(Idm),
    Acc(Acc),
    Cacc(Cacc),
}

/// Parameters of the IDM (Treiber, Hennecke, Helbing 2000).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Idm {
    /// Exponent of the free-road term (`delta`).
    pub delta: f64,
    /// Sub-steps within one step (`stepping`), seconds each.
    pub stepping_s: f64,
}

/// Parameters of adaptive cruise control (Milanés, Shladover 2014; Xiao, Wang, van Arem 2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acc {
    /// Answer to the difference to the desired speed (`speedControlGain`, of the opposite sign), 1/s.
    pub speed_gain: f64,
    pub gap_closing: Gains,
    pub gap_control: Gains,
    pub collision_avoidance: Gains,
    /// Greatest speed above Krauss' safe speed (`collisionAvoidanceOverride`).
    pub override_mps: f64,
}

/// Parameters of cooperative adaptive cruise control (the same sources).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cacc {
    /// Answer to the difference to the desired speed (`speedControlGainCACC`, of the opposite sign), 1/s.
    pub speed_gain: f64,
    pub gap_closing: Gains,
    pub gap_control: Gains,
    pub collision_avoidance: Gains,
    /// The speed is kept only where the gap is by more than this greater than the desired one (`speedControlMinGap`).
    pub speed_control_min_gap_m: f64,
    /// Control behind vehicles that do not send their speed.
    pub acc: Acc,
    /// Headway behind these (`tauCACCToACC`).
    pub acc_headway_s: f64,
}

/// How strongly a controller answers to deviations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gains {
    /// To the difference between the gap and the desired one: 1/s² (ACC), 1/s (CACC).
    pub gap: f64,
    /// To the rate of that difference: 1/s (ACC), without unit (CACC).
    pub rate: f64,
}

impl Idm {
    fn read(attributes: Attributes<'_>) -> Result<Self, InputError> {
        Ok(Self {
            delta: attributes.number("delta")?.unwrap_or(4.0).max(0.0),
            stepping_s: attributes.positive("stepping")?.unwrap_or(0.25),
        })
    }
}

impl Default for Acc {
    /// SUMO's defaults.
    fn default() -> Self {
        Self {
            speed_gain: 0.4,
            gap_closing: Gains { gap: 0.04, rate: 0.8 },
            gap_control: Gains { gap: 0.23, rate: 0.07 },
            collision_avoidance: Gains { gap: 0.8, rate: 0.23 },
            override_mps: 2.0,
        }
    }
}

impl Acc {
    fn read(attributes: Attributes<'_>) -> Result<Self, InputError> {
        let standard = Self::default();
        let gains = |mode: &str, standard| Gains::read(attributes, [mode, "GainSpace"], [mode, "GainSpeed"], standard);
        Ok(Self {
            speed_gain: -attributes.number("speedControlGain")?.unwrap_or(-standard.speed_gain),
            gap_closing: gains("gapClosingControl", standard.gap_closing)?,
            gap_control: gains("gapControl", standard.gap_control)?,
            collision_avoidance: gains("collisionAvoidance", standard.collision_avoidance)?,
            override_mps: attributes.number("collisionAvoidanceOverride")?.unwrap_or(standard.override_mps),
        })
    }
}

impl Default for Cacc {
    /// SUMO's defaults.
    fn default() -> Self {
        Self {
            speed_gain: 0.4,
            gap_closing: Gains { gap: 0.005, rate: 0.05 },
            gap_control: Gains { gap: 0.45, rate: 0.0125 },
            collision_avoidance: Gains { gap: 0.45, rate: 0.05 },
            speed_control_min_gap_m: 1.66,
            acc: Acc::default(),
            acc_headway_s: 1.0,
        }
    }
}

impl Cacc {
    fn read(attributes: Attributes<'_>) -> Result<Self, InputError> {
        let standard = Self::default();
        let gains = |mode: &str, standard| Gains::read(attributes, [mode, "GainGap"], [mode, "GainGapDot"], standard);
        let min_gap_m = attributes.number("speedControlMinGap")?;
        Ok(Self {
            speed_gain: -attributes.number("speedControlGainCACC")?.unwrap_or(-standard.speed_gain),
            gap_closing: gains("gapClosingControl", standard.gap_closing)?,
            gap_control: gains("gapControl", standard.gap_control)?,
            collision_avoidance: gains("collisionAvoidance", standard.collision_avoidance)?,
            speed_control_min_gap_m: min_gap_m.unwrap_or(standard.speed_control_min_gap_m),
            acc: Acc::read(attributes)?,
            acc_headway_s: attributes.non_negative("tauCACCToACC")?.unwrap_or(standard.acc_headway_s),
        })
    }
}

impl Gains {
    /// `gap` and `rate` are the parts of the attributes' names.
    fn read(attributes: Attributes<'_>, gap: [&str; 2], rate: [&str; 2], standard: Self) -> Result<Self, InputError> {
        Ok(Self {
            gap: attributes.number(&gap.concat())?.unwrap_or(standard.gap),
            rate: attributes.number(&rate.concat())?.unwrap_or(standard.rate),
        })
    }
}

impl CarFollowing {
    /// Reads `carFollowModel` and the parameters of the model. Files carry the models with and without the prefix of the old
    /// nested form.
    ///
    /// # Errors
    /// On a model that SUMO does not know, and on parameters that are no numbers.
    pub(super) fn read(attributes: Attributes<'_>, warnings: &mut Warnings) -> Result<Self, InputError> {
        let Some(name) = attributes.text("carFollowModel") else { return Ok(Self::Krauss) };
        match name.strip_prefix("carFollowing-").unwrap_or(name) {
            "Krauss" => Ok(Self::Krauss),
            "IDM" => Idm::read(attributes).map(Self::Idm),
            "ACC" => Acc::read(attributes).map(Self::Acc),
            "CACC" => Cacc::read(attributes).map(Self::Cacc),
            "IDMM" => {
                warnings.add(
                    "carFollowModel 'IDMM' is not supported",
                    attributes.at(),
                    "the vehicles follow IDM, without memory",
                );
                Idm::read(attributes).map(Self::Idm)
            }
            other if !NOT_SUPPORTED.contains(&other) => {
                Err(attributes.error(format!("carFollowModel '{}' is not known", shorten(other))))
            }
            other => {
                let kind = format!("carFollowModel '{other}' is not supported");
                warnings.add(kind, attributes.at(), "the vehicles follow Krauss");
                Ok(Self::Krauss)
            }
        }
    }
}
