//! What of an encoding waits: bytes that are gathered for the sink, and maps until their
//! keys are sorted.

use crate::digest::canonical::ByteSink;

/// Bytes that go to the sink at once: so many that BLAKE3 hashes several pieces
/// of them side by side.
const GATHERED: usize = 16 << 10;

/// Bytes that most values fit into.
const SMALL: usize = 512;

/// An encoding under way.
pub(super) struct Out<'s> {
    sink: &'s mut dyn ByteSink,
    /// What the sink has not got yet.
    pub(super) bytes: Vec<u8>,
    /// The entries of all open maps, those of an inner one last.
    pub(super) entries: Vec<Entry>,
    /// Maps that were not closed yet: what is in one cannot go to the sink.
    pub(super) open: usize,
    /// Where the entries of a map are brought into order.
    sorted: Vec<u8>,
}

/// Where an entry of a map stands among the bytes that wait.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// Where its key starts, with tag and length.
    pub(super) start: usize,
    /// Where its value starts.
    pub(super) value: usize,
    /// Where that ends.
    pub(super) end: usize,
}

/// Bytes of a text's tag and length.
const HEAD: usize = 9;

impl Entry {
    /// Returns what entries are sorted by.
    fn order<'b>(&self, bytes: &'b [u8]) -> (&'b [u8], &'b [u8]) {
        let key = &bytes[self.start + HEAD..self.value];
        (key, &bytes[self.value..self.end])
    }
}

impl<'s> Out<'s> {
    /// Returns an encoding that goes to `sink`.
    pub(super) fn new(sink: &'s mut dyn ByteSink) -> Self {
        Self {
            sink,
            bytes: Vec::with_capacity(SMALL),
            entries: Vec::new(),
            open: 0,
            sorted: Vec::new(),
        }
    }

    /// Adds a piece with its tag and length.
    pub(super) fn sized(&mut self, tag: u8, bytes: &[u8]) {
        let mut head = [tag; HEAD];
        head[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(&head);
        if self.open == 0 && bytes.len() > GATHERED {
            self.hand_over();
            self.sink.bytes(bytes);
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Hands what waits to the sink if it may go and is enough.
    pub(super) fn flow(&mut self) {
        if self.open == 0 && self.bytes.len() >= GATHERED {
            self.hand_over();
        }
    }

    /// Hands all that waits to the sink.
    pub(super) fn hand_over(&mut self) {
        self.sink.bytes(&self.bytes);
        self.bytes.clear();
    }

    /// Sorts the entries from `first` on, which are those of the innermost map.
    pub(super) fn sort(&mut self, first: usize) {
        let bytes = &self.bytes;
        let entries = &mut self.entries[first..];
        if entries.is_sorted_by(|a, b| a.order(bytes) <= b.order(bytes)) {
            return;
        }
        let start = entries[0].start;
        entries.sort_by(|a, b| a.order(bytes).cmp(&b.order(bytes)));
        self.sorted.clear();
        self.sorted.reserve(bytes.len() - start);
        for entry in entries.iter() {
            self.sorted
                .extend_from_slice(&bytes[entry.start..entry.end]);
        }
        self.bytes.truncate(start);
        self.bytes.extend_from_slice(&self.sorted);
    }
}
