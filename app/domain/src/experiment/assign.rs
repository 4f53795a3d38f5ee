//! Who gets which arm: a pure function of the salt and the unit, the same in server, command line
//! and any client. Byte for byte: h(x) is the first 8 bytes of SHA-256 over the UTF-8 of
//! `salt + ":" + x + ":" + unit`, read as a big-endian unsigned 64-bit number, as a double,
//! divided by 2⁶⁴. A unit takes part when h("traffic") < traffic. In a layer it takes part when
//! from ≤ h("traffic") < from + traffic, added up as doubles, where this one h has the layer's name
//! in place of the salt. Its arm is the first whose cumulative weight (added up in order) divided by
//! the sum of all weights exceeds h("arm"), and the last one if none does; h("arm") always has the
//! experiment's own salt, so that arms of different experiments are independent. Test vectors are
//! in `tests/golden/assignment.json`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Arm, Slice, Unit};
use crate::{id::ExperimentId, prompt::PromptName};

/// All that assigning takes: what the stream sends when an experiment starts or changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ExperimentRules))]
pub struct Rules {
    /// The experiment.
    pub id: ExperimentId,
    /// The prompt.
    pub prompt: PromptName,
    /// The environment.
    pub environment: String,
    /// Whom a coin is tossed for.
    pub unit: Unit,
    /// What is hashed with the unit.
    pub salt: String,
    /// What is hashed in its place to say who takes part; none: the salt.
    #[serde(default)]
    pub layer: Option<String>,
    /// From which draw on units take part.
    #[serde(default)]
    pub traffic_from: f64,
    /// The share of units that take part.
    pub traffic: f64,
    /// Control first.
    pub arms: Vec<Arm>,
}

/// What a unit gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// The arm at this position.
    Arm(usize),
    /// It does not take part: it gets the control and is not counted.
    LeftOut,
}

impl Rules {
    /// What the unit gets. Raising `traffic` lets more units in and moves none between arms,
    /// because the two draws are independent.
    #[must_use]
    pub fn assign(&self, unit: &str) -> Assignment {
        let slice = Slice {
            from: self.traffic_from,
            traffic: self.traffic,
        };
        assign(&self.salt, self.layer.as_deref(), slice, &self.arms, unit)
    }
}

/// The same from its parts.
#[must_use]
pub fn assign(
    salt: &str,
    layer: Option<&str>,
    slice: Slice,
    arms: &[Arm],
    unit: &str,
) -> Assignment {
    if !slice.holds(draw(layer.unwrap_or(salt), "traffic", unit)) {
        return Assignment::LeftOut;
    }
    let at = draw(salt, "arm", unit);
    let total: f64 = arms.iter().map(|arm| arm.weight).sum();
    let mut cumulative = 0.0;
    for (position, arm) in arms.iter().enumerate() {
        cumulative += arm.weight;
        if cumulative / total > at {
            return Assignment::Arm(position);
        }
    }
    Assignment::Arm(arms.len().saturating_sub(1))
}

/// h(x) of the module's description, from 0 to 1.
#[must_use]
pub fn draw(salt: &str, what: &str, unit: &str) -> f64 {
    let mut hash = Sha256::new();
    for part in [salt, ":", what, ":", unit] {
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    #[expect(clippy::cast_precision_loss, reason = "as the contract says: a double")]
    let number = number as f64;
    number / 18_446_744_073_709_551_616.0
}
