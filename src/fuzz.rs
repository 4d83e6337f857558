//! The fuzz targets by name, for the crate in `fuzz/`, and ordinary tests that run them on its corpus.
//!
//! A target is a function of bytes that panics where the code is wrong. It stands beside the code that it exercises;
//! here it only gets what is made once.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

pub use crate::wire::{fuzz_compression as compression, fuzz_packets as packets};
use crate::{
    cli::rules::load,
    session::{
        RsaKey,
        fuzz::{Fixtures, fuzz_handshake, fuzz_response, fuzz_session},
    },
};

/// A target: takes any bytes, and panics where the code is wrong.
pub type Target = fn(&[u8]);

/// Every target, by the name that it has in `fuzz/`.
pub const TARGETS: [(&str, Target); 5] = [
    ("compression", compression),
    ("handshake", handshake),
    ("packets", packets),
    ("response", response),
    ("session", session),
];

/// The connection phase.
pub fn handshake(data: &[u8]) {
    fuzz_handshake(&FIXTURES, data);
}

/// The answer to a command.
pub fn response(data: &[u8]) {
    fuzz_response(&FIXTURES, data);
}

/// Both directions interleaved.
pub fn session(data: &[u8]) {
    fuzz_session(&FIXTURES, data);
}

static FIXTURES: LazyLock<Fixtures> = LazyLock::new(|| {
    let rules = || match load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/good")) {
        Ok(rules) => Arc::new(rules),
        Err(error) => panic!("{}", error.render()),
    };
    let key = Arc::new(RsaKey::generate().expect("a key"));
    Fixtures { rules: rules(), rules_again: rules(), key }
});

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::{
        collection::vec,
        prelude::any,
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    };

    use super::TARGETS;

    /// How many changed inputs each target gets.
    const CASES: u32 = 300;

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        files.into_iter().map(|file| fs::read(file).expect("a file")).collect()
    }

    #[test]
    fn every_target_runs_on_its_corpus() {
        for (name, target) in TARGETS {
            let corpus = corpus(name);
            assert!(!corpus.is_empty(), "{name} has no corpus");
            for data in &corpus {
                target(data);
            }
        }
    }

    #[test]
    fn every_target_runs_on_changed_inputs() {
        for (name, target) in TARGETS {
            let corpus = corpus(name);
            let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
            let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
            let edits = vec((any::<u16>(), any::<u8>()), 0..8);
            let tail = vec(any::<u8>(), 0..64);
            let outcome = runner.run(&(0..corpus.len(), edits, tail), |(index, edits, tail)| {
                let mut data = corpus[index].clone();
                for (at, byte) in edits {
                    let len = data.len().max(1);
                    if let Some(changed) = data.get_mut(usize::from(at) % len) {
                        *changed = byte;
                    }
                }
                data.extend(tail);
                target(&data);
                Ok(())
            });
            if let Err(error) = outcome {
                panic!("{name}: {error}");
            }
        }
    }
}
