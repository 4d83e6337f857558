//! Buffers on loan: a connection has some while it moves bytes, and none while it is idle.

use std::sync::{Mutex, PoisonError};

use crate::session::Outputs;

/// What a connection needs to move bytes.
#[derive(Debug, Default)]
pub(super) struct Loan {
    /// What was read.
    pub input: Vec<u8>,
    /// What is to be written.
    pub out: Outputs,
}

/// Loans that nobody has now.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    // Boxed, so that a connection without a loan has but a pointer's worth of room for it.
    #[expect(clippy::vec_box)]
    free: Mutex<Vec<Box<Loan>>>,
}

/// How much is read at once.
pub(super) const READ_LEN: usize = 64 * 1024;

impl Buffers {
    /// Lends buffers, all empty.
    #[expect(clippy::unnecessary_box_returns)]
    pub fn lend(&self) -> Box<Loan> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop().unwrap_or_default()
    }

    /// Takes them back.
    pub fn give_back(&self, mut loan: Box<Loan>) {
        let Loan { input, out: Outputs { to_client, to_backend } } = &mut *loan;
        for buffer in [input, to_client, to_backend] {
            buffer.clear();
            if buffer.capacity() > MAX_KEPT_LEN {
                *buffer = Vec::new();
            }
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_FREE {
            free.push(loan);
        }
    }
}

/// A buffer that one large packet made longer than this is not kept.
const MAX_KEPT_LEN: usize = 4 * READ_LEN;

/// More loans than this are only needed at once when many peers are slow.
const MAX_FREE: usize = 32;
