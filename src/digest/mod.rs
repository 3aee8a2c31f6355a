//! Names bytes by what they contain.
//!
//! A [`Digest`] is the BLAKE3 hash of some bytes. Values are hashed through
//! their canonical encoding, in which equal values have equal bytes whatever
//! the order of map keys.
//!
//! [`Digest`]: crate::digest::Digest

mod canonical;
mod reader;

pub use canonical::ByteSink;
pub use canonical::EncodeError;
pub use canonical::encode;
pub use canonical::encoded;
pub use reader::HashingReader;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

/// The context of [`Digest::of_value`].
const VALUE_CONTEXT: &str = "tabella canonical value v1";

/// The BLAKE3 hash of some bytes: 32 bytes, shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Returns the digest of `value`'s canonical encoding ([`encode`]).
    ///
    /// Equal values have equal digests whatever the order of their map keys,
    /// and a value has the digest of the `serde_json::Value` made from it. It
    /// is never the digest of some plain bytes: the hash has a context of its
    /// own.
    ///
    /// # Panics
    ///
    /// If `value` has no canonical encoding: its `Serialize` refuses, or a map
    /// key is not text, an integer, a boolean or a char.
    pub fn of_value<T: Serialize + ?Sized>(value: &T) -> Self {
        // A million values have one context: it is hashed once.
        static IN_CONTEXT: LazyLock<blake3::Hasher> =
            LazyLock::new(|| blake3::Hasher::new_derive_key(VALUE_CONTEXT));
        Self::finished(IN_CONTEXT.clone(), value)
    }

    /// Returns the place of the digest on a circle of 2⁶⁴: two values are near each
    /// other by chance alone.
    pub fn on_circle(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    /// Returns the digest of `value`'s canonical encoding in `context`: the
    /// same value has unrelated digests in different contexts.
    ///
    /// A context is a constant of the program that names what is hashed and
    /// the version of its layout (BLAKE3's key derivation).
    ///
    /// # Panics
    ///
    /// As [`Digest::of_value`].
    pub fn of_value_in<T: Serialize + ?Sized>(context: &str, value: &T) -> Self {
        Self::finished(blake3::Hasher::new_derive_key(context), value)
    }

    fn finished<T: Serialize + ?Sized>(mut hasher: blake3::Hasher, value: &T) -> Self {
        encode(value, &mut hasher).expect("values that are hashed have a canonical encoding");
        Self(*hasher.finalize().as_bytes())
    }

    /// Returns the digest that these 32 bytes are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Text that is not 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("not a digest (64 hex digits): `{text}`")]
pub struct ParseDigestError {
    /// The text that was given.
    pub text: String,
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match blake3::Hash::from_hex(text) {
            Ok(hash) => Ok(Self(*hash.as_bytes())),
            Err(_) => Err(ParseDigestError {
                text: text.to_owned(),
            }),
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
