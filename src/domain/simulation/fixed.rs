//! Logarithm, exponential, square root and the normal distribution in integers, with stated error bounds.
//!
//! What a distribution or an entropy index needs is not rational. Nothing here decides an amount: it
//! makes samples of uncertain statistics and indices for reading. Integers are used all the same, so that every
//! machine gives the same bytes.

/// Binary places after the point of a [`Fixed`].
pub const PLACES: u32 = 56;

/// A number in multiples of 2^-56.
pub type Fixed = i128;

/// One.
pub const ONE: Fixed = 1 << PLACES;

/// ln 2 in multiples of 2^-120, rounded to the nearest.
const LN_2: i128 = 921_350_637_599_661_305_226_344_307_672_478_455;
/// Places of [`LN_2`].
const LN_2_PLACES: u32 = 120;

/// A product, rounded down; the factors are below 2^(127 - 56) together with their places.
const fn times(a: Fixed, b: Fixed) -> Fixed {
    (a * b) >> PLACES
}

/// The natural logarithm of a whole number of one or more (of 1 for zero), within 2^-54.
///
/// Of `2^k m` with `m` from 1/√2 to √2 it is `k ln 2 + 2 artanh((m - 1) / (m + 1))`, the latter by its series
/// up to the 27th power: what is left out is below 2^-73 (*Digital Library of Mathematical Functions*, 4.6.4).
pub fn ln(whole: u128) -> Fixed {
    const UNIT: u32 = 62;
    /// √2 in multiples of 2^-63.
    const ROOT_2: u128 = 13_043_817_825_332_782_212;
    let whole = whole.max(1);
    let mut power = i128::from(whole.ilog2());
    let mantissa = (whole << whole.leading_zeros()) >> 64;
    let mut one = 1_u128 << 63;
    if mantissa > ROOT_2 {
        // Half of it, without losing its last digit: one counts twice instead.
        power += 1;
        one <<= 1;
    }
    let (mantissa, one) = (mantissa as i128, one as i128);
    let z = ((mantissa - one) << UNIT) / (mantissa + one);
    let square = (z * z) >> UNIT;
    let series = (0..14).rev().fold(0_i128, |sum, term| {
        (1 << UNIT) / (2 * term + 1) + ((sum * square) >> UNIT)
    });
    let artanh = (z * series) >> UNIT;
    ((power * (LN_2 >> (LN_2_PLACES - 64 - 40))) >> (64 + 40 - PLACES)) + ((2 * artanh) >> (UNIT - PLACES))
}

/// e to the power of `-y`, for `y` from 0 to 64 (0 beyond), within 2^-53.
///
/// Of `y = k ln 2 + r` with `r` from 0 to ln 2 it is `2^-k e^-r`, the latter by its series up to the 18th
/// power, of which the rest is below 2^-66 (*Digital Library of Mathematical Functions*, 4.2.19).
pub fn exp_minus(y: Fixed) -> Fixed {
    let ln_2 = LN_2 >> (LN_2_PLACES - PLACES);
    if !(0..64 * ONE).contains(&y) {
        return 0;
    }
    let (halvings, rest) = (y / ln_2, y % ln_2);
    let series = (1..=18)
        .rev()
        .fold(ONE, |sum, term| ONE - times(sum, rest) / term);
    series >> halvings
}

/// The square root of a number of zero or more, rounded down to a multiple of 2^-56.
pub fn root(square: Fixed) -> Fixed {
    root_of_product(square, ONE)
}

/// The square root of a product of numbers of zero or more, rounded down; the product is below 2^14.
pub fn root_of_product(a: Fixed, b: Fixed) -> Fixed {
    a.saturating_mul(b).max(0).unsigned_abs().isqrt() as i128
}

/// A polynomial by Horner's rule, coefficients of the highest power first.
fn polynomial(coefficients: &[i128], x: Fixed, places: u32) -> i128 {
    coefficients
        .iter()
        .fold(0, |sum, coefficient| ((sum * x) >> places) + coefficient)
}

/// Coefficients of a rational function in multiples of 2^-56, highest power first.
struct Rational {
    numerator: [i128; 8],
    denominator: [i128; 8],
}

impl Rational {
    fn at(&self, x: Fixed) -> (i128, i128) {
        (
            polynomial(&self.numerator, x, PLACES),
            polynomial(&self.denominator, x, PLACES),
        )
    }
}

/// For probabilities from 0.075 to 0.925; argument 0.180625 - (p - 1/2)².
const MIDDLE: Rational = Rational {
    numerator: [
        180_798_334_970_742_376_003,
        2_408_926_843_856_459_129_388,
        4_847_009_614_106_648_455_243,
        3_309_025_513_828_049_357_911,
        989_472_814_808_226_755_214,
        142_068_100_306_042_034_780,
        9_593_868_254_478_823_265,
        244_068_645_500_481_189,
    ],
    denominator: [
        376_608_675_044_725_958_138,
        2_070_148_797_025_477_967_217,
        2_832_432_398_048_253_059_695,
        1_528_614_977_787_835_913_414,
        388_692_787_072_830_738_342,
        49_517_042_414_001_251_821,
        3_048_996_806_088_550_912,
        ONE,
    ],
};

/// For probabilities down to e^-25; argument √(-ln p) - 1.6.
const TAIL: Rational = Rational {
    numerator: [
        55_811_850_202_970,
        1_637_425_597_217_562,
        17_422_137_341_032_558,
        91_546_164_997_348_125,
        262_855_173_697_722_501,
        415_736_088_586_967_710,
        333_651_004_776_801_959,
        102_569_453_464_921_766,
    ],
    denominator: [
        75_714_522,
        39_458_292_350_542,
        1_095_179_345_158_904,
        10_672_016_208_814_208,
        49_702_974_604_979_784,
        120_796_257_544_725_300,
        147_948_048_714_336_531,
        ONE,
    ],
};

/// For probabilities below; argument √(-ln p) - 5.
const FAR_TAIL: Rational = Rational {
    numerator: [
        14_485_986_002,
        1_953_881_703_838,
        89_543_158_073_677,
        1_911_845_741_843_386,
        21_369_441_292_474_173,
        128_610_306_241_479_759,
        393_707_195_039_219_905,
        479_752_589_944_637_856,
    ],
    denominator: [
        147,
        10_243_071_720,
        1_330_412_557_879,
        56_699_896_413_068,
        1_071_882_745_063_621,
        9_866_837_771_192_310,
        43_222_465_630_878_709,
        ONE,
    ],
};

/// The standard normal quantile of the probability `(fraction + 1/2) / 2^64`, within 2^-46.
///
/// M. J. Wichura, *Algorithm AS 241: The Percentage Points of the Normal Distribution*, Applied
/// Statistics 37 (1988) 477-484, procedure PPND16, whose own error is about one part in 10^16.
pub fn normal_quantile(fraction: u64) -> Fixed {
    // In multiples of 2^-65 the probability is odd, so it is never 0, 1/2 or 1.
    let probability = 2 * u128::from(fraction) + 1;
    let half = 1_u128 << 64;
    let lower = probability < half;
    let distance = (probability.abs_diff(half) >> (65 - PLACES)) as i128;
    let size = if distance <= 425 * ONE / 1_000 {
        let (numerator, denominator) = MIDDLE.at(180_625 * ONE / 1_000_000 - times(distance, distance));
        numerator * distance / denominator
    } else {
        let outer = if lower {
            probability
        } else {
            2 * half - probability
        };
        let depth = root(((65 * (LN_2 >> 8)) >> (LN_2_PLACES - 8 - PLACES)) - ln(outer));
        let (numerator, denominator) = if depth <= 5 * ONE {
            TAIL.at(depth - 16 * ONE / 10)
        } else {
            FAR_TAIL.at(depth - 5 * ONE)
        };
        (numerator << PLACES) / denominator
    };
    if lower { -size } else { size }
}

/// The standard normal probability of not exceeding `z`, in multiples of 2^-64, within 2^-40.
///
/// G. West, *Better Approximations to Cumulative Normal Functions*, Wilmott Magazine, May 2005, after J. F. Hart,
/// *Computer Approximations* (1968), algorithm 5666; beyond ±7.07 it stays where it is there, at 8·10^-13.
pub fn normal_probability(z: Fixed) -> u64 {
    /// Places of the coefficients: with more, the sums would not fit.
    const UNIT: u32 = 50;
    const NUMERATOR: [i128; 7] = [
        39_702_041_636_856,
        788_561_227_011_300,
        7_176_443_451_174_691,
        38_182_492_758_417_803,
        126_190_063_856_440_259,
        249_064_367_320_047_158,
        247_930_892_068_650_147,
    ];
    const DENOMINATOR: [i128; 8] = [
        99_516_432_383_215,
        1_976_705_495_473_988,
        18_086_656_039_932_530,
        97_706_418_303_031_715,
        333_901_660_073_887_725,
        717_573_878_448_896_901,
        893_769_196_495_414_548,
        495_861_784_137_300_293,
    ];
    let size = z.abs().min(707 * ONE / 100);
    let x = size >> (PLACES - UNIT);
    let numerator = polynomial(&NUMERATOR, x, UNIT);
    let denominator = polynomial(&DENOMINATOR, x, UNIT);
    let upper = (exp_minus(times(size, size) / 2) * numerator / denominator) << (64 - PLACES);
    // One half, or what little more the rounding made of it, has no upper twin of its own.
    let upper = upper.clamp(0, 1 << 63);
    if z > 0 {
        u64::try_from((1_i128 << 64) - upper).unwrap_or(u64::MAX)
    } else {
        u64::try_from(upper).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: i128, expected: i128, places: u32, within: u32) {
        let most = 1_i128 << (places - within);
        assert!((found - expected).abs() <= most, "{found} for {expected}");
    }

    // The expected values were computed to 300 binary digits with mpmath.

    #[test]
    fn logarithms() {
        for (whole, expected) in [
            (1, 0),
            (2, 49_946_518_145_322_874),
            (3, 79_163_358_301_925_545),
            (7, 140_217_603_554_911_605),
            (10, 165_918_741_868_749_488),
            (12_345, 678_855_054_728_131_555),
            (1_000_000_000_000_000_000, 2_986_537_353_637_490_790),
            (u128::from(u64::MAX), 3_196_577_161_300_663_915),
            ((1 << 127) + 12_345, 6_343_207_804_456_004_956),
            (u128::MAX, 6_393_154_322_601_327_830),
        ] {
            near(ln(whole), expected, PLACES, 54);
        }
    }

    #[test]
    fn exponentials_undo_logarithms() {
        for whole in [1_u128, 2, 3, 5, 11, 999, 1_000_003, 1 << 40] {
            // e^-ln n is 1 / n, and an error in the logarithm is as small in the result.
            near(exp_minus(ln(whole)), ONE / whole as i128, PLACES, 52);
        }
        assert_eq!(exp_minus(0), ONE);
        assert_eq!(exp_minus(64 * ONE), 0);
    }

    #[test]
    fn roots() {
        assert_eq!(root(4 * ONE), 2 * ONE);
        assert_eq!(root(2 * ONE), 101_904_826_760_412_361);
        assert_eq!(root_of_product(2 * ONE, 8 * ONE), 4 * ONE);
        assert_eq!(root(-ONE), 0);
    }

    #[test]
    fn quantiles_of_the_normal_distribution() {
        for (fraction, expected) in [
            (0, -659_708_441_970_182_701),
            (1, -651_106_572_150_057_938),
            (1 << 20, -534_951_236_585_635_715),
            (1 << 40, -381_523_637_497_405_385),
            (1 << 50, -276_840_281_657_754_873),
            (1 << 59, -134_223_976_704_180_762),
            (1_383_505_805_528_216_370, -103_729_174_337_704_513),
            ((1 << 63) - 1, 0),
            (1 << 63, 0),
            (u64::MAX, 659_708_441_970_182_701),
            (17_293_822_569_102_704_640, 110_545_035_390_200_801),
            (12_345_678_901_234_567_890, 31_552_028_912_731_716),
        ] {
            near(normal_quantile(fraction), expected, PLACES, 46);
        }
    }

    #[test]
    fn probabilities_of_the_normal_distribution() {
        for (thousandths, expected) in [
            (-8_000, 11_476),
            (-7_000, 23_608_374),
            (-3_290, 9_240_655_045_679_123),
            (-1_960, 461_129_774_180_648_047),
            (-1_000, 2_926_672_865_222_989_403),
            (-500, 5_691_513_014_010_530_061),
            (-1, 9_216_012_851_934_559_346),
            (0, 9_223_372_036_854_775_808),
            (1, 9_230_731_221_774_992_270),
            (250, 11_044_182_365_183_893_928),
            (1_645, 17_524_685_313_680_832_831),
            (4_000, 18_446_159_842_416_959_489),
            (7_000, 18_446_744_073_685_943_242),
        ] {
            near(
                normal_probability(thousandths * ONE / 1_000).into(),
                expected,
                64,
                40,
            );
        }
    }

    #[test]
    fn probability_and_quantile_undo_each_other_and_rise() {
        let mut before = (i128::MIN, 0);
        for step in 0..2_000_u64 {
            let fraction = step * (u64::MAX / 2_000);
            let quantile = normal_quantile(fraction);
            let back = normal_probability(quantile);
            near(back.into(), fraction.into(), 64, 40);
            assert!(quantile > before.0 && back >= before.1, "{step}");
            before = (quantile, back);
        }
    }
}
