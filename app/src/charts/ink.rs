//! Colours of charts. plotters writes literal colours, and a drawing has to be crisp in both
//! themes: every role is drawn in a colour nobody would choose and that is then replaced by the
//! role's custom property.

use plotters::style::RGBColor;

/// What a stroke or a letter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Words that are read.
    Text,
    /// Ticks and what stands beside.
    Quiet,
    /// Lines that only guide the eye.
    Grid,
    /// No difference.
    Zero,
    /// A limit that matters.
    Limit,
    /// A series: 0 is the control, challengers follow in order.
    Series(u8),
}

/// Series with a colour of their own.
pub const N_SERIES: u8 = 6;

const ROLES: [(Ink, &str); 11] = [
    (Ink::Text, "--ink"),
    (Ink::Quiet, "--ink-3"),
    (Ink::Grid, "--line"),
    (Ink::Zero, "--ink-2"),
    (Ink::Limit, "--warn"),
    (Ink::Series(0), "--series-0"),
    (Ink::Series(1), "--series-1"),
    (Ink::Series(2), "--series-2"),
    (Ink::Series(3), "--series-3"),
    (Ink::Series(4), "--series-4"),
    (Ink::Series(5), "--series-5"),
];

impl Ink {
    /// The series at a position: the control is neutral, challengers go round.
    pub fn series(position: usize) -> Self {
        let n_challengers = usize::from(N_SERIES - 1);
        let index = match position {
            0 => 0,
            position => 1 + (position - 1) % n_challengers,
        };
        Self::Series(u8::try_from(index).unwrap_or_default())
    }

    /// What plotters is told.
    pub const fn color(self) -> RGBColor {
        let number = match self {
            Self::Text => 1,
            Self::Quiet => 2,
            Self::Grid => 3,
            Self::Zero => 4,
            Self::Limit => 5,
            Self::Series(index) => 16 + index,
        };
        RGBColor(254, 1, number)
    }
}

/// Puts the custom properties where the stand-ins are.
pub fn themed(svg: &str) -> String {
    let mut themed = svg.to_owned();
    for (ink, property) in ROLES {
        let RGBColor(r, g, b) = ink.color();
        let literal = format!("\"#{r:02X}{g:02X}{b:02X}\"");
        themed = themed.replace(&literal, &format!("\"var({property})\""));
    }
    themed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_become_properties() {
        let RGBColor(r, g, b) = Ink::series(7).color();
        let drawn = format!("<line stroke=\"#{r:02X}{g:02X}{b:02X}\"/>");
        assert_eq!(themed(&drawn), "<line stroke=\"var(--series-2)\"/>");
    }
}
