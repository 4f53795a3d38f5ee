//! Where each number comes from.

use super::tool::Tool;

/// The formula and its source.
pub struct About {
    /// As it is computed.
    pub formula: &'static str,
    /// What it means and who found it.
    pub source: &'static str,
}

impl Tool {
    /// How it computes.
    pub const fn about(self) -> About {
        match self {
            Self::Size => About {
                formula: "n = (z₁₋α⁄₂ √(2 p̄ q̄) + z₁₋β √(p₁q₁ + p₂q₂))² / (p₂ − p₁)²",
                source: "Units in each arm, rounded up; p̄ is the mean of both rates. Fleiss, Levin, Paik, Statistical Methods for Rates and Proportions, 2003, section 4.2, without continuity correction. With several challengers the weakest comparison decides.",
            },
            Self::Effect => About {
                formula: "the p₂ > p₁ for which n = (z₁₋α⁄₂ √(2 p̄ q̄) + z₁₋β √(p₁q₁ + p₂q₂))² / (p₂ − p₁)²",
                source: "The sample size the other way round, found by bisection. Fleiss, Levin, Paik 2003, section 4.2.",
            },
            Self::Compare => About {
                formula: "z = (p₂ − p₁) / √(p̂ (1 − p̂) (1/n₁ + 1/n₂)), p = 2 Φ(−|z|)",
                source: "p̂ pools both arms. Difference: hybrid score interval (Newcombe 1998, method 10); each rate: Wilson 1927; relative lift: log risk ratio (Katz 1978). Where a cell expects fewer than 5, Fisher’s exact test decides instead.",
            },
            Self::AlwaysValid => About {
                formula: "half = se √N √(2 (Nρ² + 1) / (Nρ)² · ln(√(Nρ² + 1) / α))",
                source: "N units in all, se the unpooled standard error, ρ tuned for 5,000 units. An asymptotic confidence sequence: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv 2103.06476; the same as in GrowthBook’s gbstats.",
            },
            Self::Ratio => About {
                formula: "χ² = Σ (observed − expected)² / expected, with one degree of freedom less than there are arms",
                source: "The alarm is at p < 0.001, because it is looked at often and a false one stops an experiment. Fabijan et al., Diagnosing Sample Ratio Mismatch, KDD 2019.",
            },
            Self::Threshold => About {
                formula: "P(X₂ − X₁ ≥ n t), X₁ and X₂ ~ Bin(n, p)",
                source: "Exact, summed over two independent binomials: no approximation and no rule of thumb. It depends on your n, your rate and your threshold, which is why there is no universal figure.",
            },
            Self::Cache => About {
                formula: "worst = N · T · write; expected = (K (1 − e^(−N/K)) + Λ · TTFT) · T · (write − read)",
                source: "N requests in the time a prefix stays warm (five minutes, or an hour by breakpoints that say so), K prefixes, T tokens, Λ requests a second. A change behind the last breakpoint, or a prefix too short for the model to cache, costs nothing.",
            },
        }
    }
}
