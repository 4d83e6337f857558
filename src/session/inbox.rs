//! Bytes of one peer that have arrived and are not yet dealt with.
//!
//! What goes on unchanged is only marked; it moves to the other side in one piece, and where that is the whole
//! buffer, the buffer itself moves. So a large result is never copied here.

/// A buffer with a mark: `bytes[run..at]` goes on unchanged, `bytes[at..]` is not yet dealt with.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    run: usize,
    at: usize,
    /// The buffer is the caller's, and goes back to it.
    is_lent: bool,
}

impl Inbox {
    /// Takes the caller's bytes. [`Inbox::settle`] must follow, with the same buffer.
    pub fn feed(&mut self, input: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            std::mem::swap(&mut self.bytes, input);
            self.is_lent = true;
        } else {
            self.bytes.append(input);
        }
    }

    /// Gives the caller's buffer back, empty; what is not dealt with stays. Everything marked must have moved.
    pub fn settle(&mut self, input: &mut Vec<u8>) {
        debug_assert_eq!(self.run, self.at, "what is marked must have moved");
        if self.is_lent {
            let rest = self.bytes[self.at..].to_vec();
            *input = std::mem::replace(&mut self.bytes, rest);
        } else if self.at == self.bytes.len() {
            // An idle connection holds no memory here.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..self.at);
        }
        input.clear();
        (self.run, self.at, self.is_lent) = (0, 0, false);
    }

    /// What is not yet dealt with.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// The same, when nothing more is dealt with here.
    pub fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.at);
        self.bytes
    }

    /// The same, to be patched in place.
    pub fn rest_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.at..]
    }

    /// Marks the next `len` bytes as going on unchanged.
    pub fn relay(&mut self, len: usize) {
        self.at += len;
    }

    /// Drops the next `len` bytes, after moving what is marked before them.
    pub fn skip(&mut self, len: usize, out: &mut Vec<u8>) {
        self.flush(out);
        self.at += len;
        self.run = self.at;
    }

    /// Moves what is marked.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if self.run == self.at {
            return;
        }
        if self.run == 0 && self.at == self.bytes.len() && out.is_empty() {
            std::mem::swap(&mut self.bytes, out);
            self.at = 0;
        } else {
            out.extend_from_slice(&self.bytes[self.run..self.at]);
        }
        self.run = self.at;
    }
}

#[cfg(test)]
mod tests {
    use super::Inbox;

    #[test]
    fn a_buffer_that_goes_on_whole_is_not_copied() {
        let (mut inbox, mut out) = (Inbox::default(), Vec::new());
        let mut input = b"rows".to_vec();
        let address = input.as_ptr();
        inbox.feed(&mut input);
        inbox.relay(4);
        inbox.flush(&mut out);
        inbox.settle(&mut input);
        assert_eq!((out.as_slice(), out.as_ptr()), (&b"rows"[..], address));
        assert!(input.is_empty() && inbox.rest().is_empty());
    }

    #[test]
    fn the_rest_waits_for_more() {
        let (mut inbox, mut out) = (Inbox::default(), Vec::new());
        let mut input = b"abcde".to_vec();
        inbox.feed(&mut input);
        inbox.relay(2);
        inbox.skip(1, &mut out);
        inbox.settle(&mut input);
        assert_eq!((out.as_slice(), inbox.rest()), (&b"ab"[..], &b"de"[..]));
        assert!(input.capacity() >= 5, "the caller has its buffer back");
        input.extend_from_slice(b"f");
        inbox.feed(&mut input);
        inbox.relay(3);
        inbox.flush(&mut out);
        inbox.settle(&mut input);
        assert_eq!(out, b"abdef");
    }
}
