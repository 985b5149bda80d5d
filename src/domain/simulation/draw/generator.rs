//! Random numbers that are a pure function of seed, sample and position.
//!
//! ChaCha with eight rounds (D. J. Bernstein, *ChaCha, a variant of Salsa20*, 2008) in counter mode: the seed is
//! the key, the number of the sample is the nonce, the position in the sample is the counter. So a sample can be
//! made by any thread at any time, and is the same.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Makes the numbers of one sample after the other, in any order of samples.
pub(super) struct Generator(ChaCha8Rng);

impl Generator {
    /// The generator of a seed: its eight bytes, least first, and zeros are the key.
    pub(super) fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Goes to the first number of a sample.
    pub(super) fn start(&mut self, sample: u64) {
        self.0.set_stream(sample);
    }

    /// The next number of the sample: every value of 64 bits is equally likely.
    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_published_stream() {
        // ChaCha8, key and nonce zero: J. Strombergson, draft-strombergson-chacha-test-vectors-01, TC1.
        let mut generator = Generator::new(0);
        generator.start(0);
        let bytes: Vec<u8> = (0..4).flat_map(|_| generator.next().to_le_bytes()).collect();
        assert_eq!(
            hex::encode(bytes),
            "3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e"
        );
    }

    #[test]
    fn samples_do_not_depend_on_their_order() {
        let mut generator = Generator::new(7);
        let mut sample = |number| {
            generator.start(number);
            [generator.next(), generator.next(), generator.next()]
        };
        let (first, second) = (sample(1), sample(2));
        assert_ne!(first, second);
        assert_eq!((sample(2), sample(1)), (second, first));
        let mut other = Generator::new(8);
        other.start(1);
        assert_ne!(other.next(), first[0]);
    }
}
