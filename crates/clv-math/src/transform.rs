//! Maps between a bounded parameter and the real line, with derivatives.
//!
//! A minimiser works on the whole line; a rate must stay positive and a probability in `(0, 1)`.

/// How a parameter is stretched onto the real line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// No change: the parameter may be any real number.
    Identity,
    /// `line = ln(value)`, for a positive value.
    Log,
    /// `line = ln(value / (1 − value))`, for a value in `(0, 1)`.
    Logit,
}

impl Transform {
    /// From the natural scale to the line.
    pub fn to_line(self, value: f64) -> f64 {
        match self {
            Self::Identity => value,
            Self::Log => value.ln(),
            Self::Logit => value.ln() - (-value).ln_1p(),
        }
    }

    /// From the line to the natural scale.
    pub fn to_value(self, line: f64) -> f64 {
        match self {
            Self::Identity => line,
            Self::Log => line.exp(),
            Self::Logit => 1.0 / (1.0 + (-line).exp()),
        }
    }

    /// `d value / d line`.
    pub fn slope(self, line: f64) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Log => line.exp(),
            Self::Logit => {
                let v = self.to_value(line);
                v * (1.0 - v)
            }
        }
    }

    /// `d² value / d line²`.
    pub fn bend(self, line: f64) -> f64 {
        match self {
            Self::Identity => 0.0,
            Self::Log => line.exp(),
            Self::Logit => {
                let v = self.to_value(line);
                v * (1.0 - v) * (1.0 - 2.0 * v)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_and_the_derivatives_of_the_function_itself() {
        for t in [Transform::Identity, Transform::Log, Transform::Logit] {
            for line in [-3.0, -0.2, 0.7, 2.5] {
                assert!((t.to_line(t.to_value(line)) - line).abs() < 1e-13);
                let h = 1e-5;
                let slope = (t.to_value(line + h) - t.to_value(line - h)) / (2.0 * h);
                assert!((slope - t.slope(line)).abs() < 1e-8 * (1.0 + slope.abs()));
                let bend = (t.slope(line + h) - t.slope(line - h)) / (2.0 * h);
                assert!((bend - t.bend(line)).abs() < 1e-8 * (1.0 + bend.abs()));
            }
        }
    }
}
