//! The two functions that have no closed inverse, and their inverses.
//!
//! With `x = delta * interval`, the expected number of changes between two refreshes:
//!
//! - `G(x) = 1 - (1 + x) e^-x`, what a refresh gains for the share of fresh reads;
//! - `L(x) = x²/2 - G(x)`, what it gains for the lag.
//!
//! Written out they cancel near 0, where `G ~ x²/2` and `L ~ x³/3`, and `G` runs against 1
//! at the other end. So each is a power series near 0, `L` is inverted as a function of
//! `z = (3y)^(1/3)` and `G` by way of `x - ln(1 + x) = -ln(1 - y)`: both are close to
//! straight lines in `x`. Relative errors stay below 1e-10 over the whole range of a `f64`.
//!
//! Newton's iteration needs no bracket here. Both functions are convex for `x > 0`: from any
//! start the second iterate lies at or above the root, and from there they only fall.

/// Below this, both are summed as series.
const SMALL: f64 = 0.1;

/// From here on `e^-x` is nothing beside 1, and `x` is nothing beside `e^x`.
const FAR: f64 = 700.0;

/// Newton converges in four to six steps from the starts below.
const MOST_STEPS: usize = 20;

/// `G(x)`, for `x >= 0`; 1 where there is no end.
pub(super) fn gain(x: f64) -> f64 {
    if x < SMALL {
        x * x * (0.5 - x * series(x))
    } else if x < FAR {
        1.0 - (1.0 + x) * (-x).exp()
    } else {
        1.0
    }
}

/// `L(x) / x²`, for `x >= 0`: from 0 up to ½.
pub(super) fn lag_gain_over_square(x: f64) -> f64 {
    if x < SMALL {
        x * series(x)
    } else {
        0.5 - gain(x) / (x * x)
    }
}

/// `L(x) / x³`, for small `x`.
fn series(x: f64) -> f64 {
    // Coefficients (-1)^(k+1) (k-1)/k! of x^k, from k = 3.
    const TERMS: [f64; 8] = [
        1.0 / 3.0,
        -1.0 / 8.0,
        1.0 / 30.0,
        -1.0 / 144.0,
        1.0 / 840.0,
        -1.0 / 5_760.0,
        1.0 / 45_360.0,
        -1.0 / 403_200.0,
    ];
    polynomial(&TERMS, x)
}

/// An `x` that was looked for, and how it depends on the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root {
    /// Where the function takes the value asked for.
    pub(super) x: f64,
    /// `d ln x / d ln y`: how much it moves with the value, both in relative terms.
    pub(super) elasticity: f64,
}

/// The `x` with `G(x) = y`; `None` for `y >= 1`, which no `x` reaches.
pub(super) fn gain_inverse(y: f64) -> Option<Root> {
    // (1 + x) e^-x, exact where y is near 1.
    let rest = 1.0 - y;
    if rest <= 0.0 {
        return None;
    }
    let u = -(-y).ln_1p();
    let w = (2.0 * u).sqrt();
    let x = if w < 0.25 {
        // The inverse series of sqrt(2 (x - ln(1 + x))).
        const TERMS: [f64; 8] = [
            1.0,
            1.0 / 3.0,
            1.0 / 36.0,
            -1.0 / 270.0,
            1.0 / 4_320.0,
            1.0 / 17_010.0,
            -139.0 / 5_443_200.0,
            1.0 / 204_120.0,
        ];
        w * polynomial(&TERMS, w)
    } else {
        let start = if u < 1.2 {
            w + w * w / 3.0 + w * w * w / 36.0
        } else {
            u + (1.0 + u + (1.0 + u).ln()).ln()
        };
        newton(start, |x| (x - x.ln_1p() - u, x / (1.0 + x)))
    };
    // dy/dx = x e^-x = x rest / (1 + x).
    let elasticity = match x > 0.0 {
        true => y * (1.0 + x) / (x * x * rest),
        false => 0.5,
    };
    Some(Root { x, elasticity })
}

/// The `x` with `L(x) = z³/3`.
pub(super) fn lag_gain_inverse(z: f64) -> Root {
    if z < 0.3 {
        // The inverse series of (3 L(x))^(1/3).
        const TERMS: [f64; 8] = [
            1.0,
            1.0 / 8.0,
            13.0 / 960.0,
            13.0 / 23_040.0,
            -599.0 / 3_225_600.0,
            -2_683.0 / 51_609_600.0,
            -611.0 / 132_710_400.0,
            144_251.0 / 148_635_648_000.0,
        ];
        let x = z * polynomial(&TERMS, z);
        // dL/dx = x (1 - e^-x) = x² (1 - x/2 + …), and y = z³/3.
        let elasticity = match x > 0.0 {
            true => z * z * z / (3.0 * x * x * -(-x).exp_m1()),
            false => 1.0 / 3.0,
        };
        return Root { x, elasticity };
    }
    let y = z * z * z / 3.0;
    if y > FAR {
        return Root {
            x: (2.0 * (y + 1.0)).sqrt(),
            elasticity: y / (2.0 * (y + 1.0)),
        };
    }
    let start = if y < 1.5 {
        z * (1.0 + z / 8.0)
    } else {
        (2.0 * (y + 1.0)).sqrt()
    };
    let x = newton(start, |x| {
        let faded = (-x).exp();
        (x * x / 2.0 - 1.0 + (1.0 + x) * faded - y, x * (1.0 - faded))
    });
    Root {
        x,
        elasticity: y / (x * x * (1.0 - (-x).exp())),
    }
}

/// Newton's iteration on a convex function; `f` answers its value and its slope.
fn newton(start: f64, f: impl Fn(f64) -> (f64, f64)) -> f64 {
    let mut x = start;
    for _ in 0..MOST_STEPS {
        let (value, slope) = f(x);
        let step = value / slope;
        x -= step;
        // Convergence is quadratic, so the next step would be below what a f64 can hold.
        if step.abs() <= 1e-8 * x {
            break;
        }
    }
    x
}

/// `terms[0] + terms[1] x + …`
fn polynomial(terms: &[f64], x: f64) -> f64 {
    terms.iter().rev().fold(0.0, |sum, term| sum * x + term)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1e-12 to 1e12 and further, in steps that meet no switch between two forms exactly.
    fn many() -> impl Iterator<Item = f64> {
        (-1_200..=1_200).map(|nth| (f64::from(nth) * 0.0231).exp())
    }

    #[test]
    fn the_inverse_of_the_lag_gain_undoes_it() {
        for x in many() {
            let z = (3.0 * x * x * lag_gain_over_square(x)).cbrt();
            let found = lag_gain_inverse(z).x;
            assert!((found / x - 1.0).abs() < 1e-10, "{x}: {found}");
        }
    }

    #[test]
    fn the_inverse_of_the_gain_undoes_it_as_far_as_its_digits_go() {
        for x in many().filter(|x| *x < 12.0) {
            let found = gain_inverse(gain(x)).unwrap().x;
            assert!((found / x - 1.0).abs() < 1e-9, "{x}: {found}");
        }
        assert!(gain_inverse(1.0).is_none());
    }

    #[test]
    fn elasticities_are_the_slopes_that_differences_show() {
        for y in many().filter(|y| *y < 0.99) {
            let (less, more) = (y * (1.0 - 1e-6), y * (1.0 + 1e-6));
            let of = |x: f64, y: f64| (x / y).ln() / 2e-6;
            let gain = gain_inverse(y).unwrap().elasticity;
            let seen = of(gain_inverse(more).unwrap().x, gain_inverse(less).unwrap().x);
            assert!((gain / seen - 1.0).abs() < 1e-3, "gain {y}: {gain} {seen}");
            let z = |y: f64| (3.0 * y).cbrt();
            let lag = lag_gain_inverse(z(y)).elasticity;
            let seen = of(lag_gain_inverse(z(more)).x, lag_gain_inverse(z(less)).x);
            assert!((lag / seen - 1.0).abs() < 1e-3, "lag {y}: {lag} {seen}");
        }
    }
}
