//! The canonical encoding: equal values have equal bytes, different values
//! different ones.
//!
//! The encoding follows the JSON data model, so that a value and the
//! `serde_json::Value` made from it are encoded alike. Version 1, every number
//! little-endian:
//!
//! | value | bytes |
//! |---|---|
//! | null, unit, `None` | `n` |
//! | false, true | `f`, `t` |
//! | integer ≥ 0 | `+` and the value, 8 bytes |
//! | integer < 0 | `-` and its distance from zero, 8 bytes |
//! | integer beyond 64 bits | `P` or `M` and the distance from zero, 16 bytes |
//! | float | `d` and the IEEE 754 double, 8 bytes |
//! | text, char, unit variant | `s`, the length in bytes (8), UTF-8 |
//! | raw bytes | `b`, the length (8), the bytes |
//! | sequence, tuple | `[`, the elements, `]` |
//! | map, struct | `{`, key and value of each entry, `}`; keys as text, ascending by their bytes |
//! | variant with contents | a map of one entry, from its name to the contents |
//!
//! `Some(x)` and a newtype struct are as what they hold. Every element starts
//! with a tag that is neither `]` nor `}`, so no length is needed and a
//! sequence goes to the hasher as it comes, in pieces of some size; a map is
//! held back until its keys are sorted. All that waits lies in one piece of
//! memory, maps inside each other too: a project has a million small values.
//!
//! **The integer 1 and the float 1.0 are different values.** A task may well
//! treat them differently, and a needless rerun is better than a wrong reuse;
//! who wants them equal reads them into one type first. An `f32` is widened,
//! which loses nothing; every NaN is one NaN; 0.0 and −0.0 differ.

mod key;
mod out;

use std::fmt::Display;

use serde::Serialize;
use serde::Serializer;
use serde::ser;

use crate::digest::canonical::key::Key;
use crate::digest::canonical::out::Entry;
use crate::digest::canonical::out::Out;

/// Receives the bytes of an encoding in order.
pub trait ByteSink {
    /// Takes the next bytes.
    fn bytes(&mut self, bytes: &[u8]);
}

impl ByteSink for Vec<u8> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl ByteSink for blake3::Hasher {
    fn bytes(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// Writes the canonical encoding of `value` to `sink`.
///
/// # Errors
///
/// If the value's own `Serialize` refuses, or a map has a key that is not
/// text, an integer, a boolean or a char.
pub fn encode<T: Serialize + ?Sized>(
    value: &T,
    sink: &mut dyn ByteSink,
) -> Result<(), EncodeError> {
    let mut out = Out::new(sink);
    value.serialize(Encoder { out: &mut out })?;
    out.hand_over();
    Ok(())
}

/// Returns the canonical encoding of `value`.
///
/// # Errors
///
/// As [`encode`].
pub fn encoded<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes)?;
    Ok(bytes)
}

/// A value that has no canonical encoding.
#[derive(Debug, thiserror::Error)]
#[error("no canonical encoding: {reason}")]
pub struct EncodeError {
    /// What stood in the way.
    pub reason: String,
}

impl ser::Error for EncodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self {
            reason: message.to_string(),
        }
    }
}

struct Encoder<'a, 's> {
    out: &'a mut Out<'s>,
}

impl<'a, 's> Encoder<'a, 's> {
    fn tagged(self, tag: u8, bytes: &[u8]) -> Result<(), EncodeError> {
        self.out.bytes.push(tag);
        self.out.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sized(self, tag: u8, bytes: &[u8]) -> Result<(), EncodeError> {
        self.out.sized(tag, bytes);
        Ok(())
    }

    fn sequence(self, variant: bool) -> Sequence<'a, 's> {
        self.out.bytes.push(b'[');
        let out = self.out;
        Sequence { out, variant }
    }

    /// Opens the map of one entry that stands for a variant with contents.
    fn variant(self, name: &str) -> &'a mut Out<'s> {
        self.out.bytes.push(b'{');
        self.out.sized(b's', name.as_bytes());
        self.out
    }

    fn map(self, variant: bool) -> Map<'a, 's> {
        self.out.bytes.push(b'{');
        self.out.open += 1;
        Map {
            first: self.out.entries.len(),
            key: None,
            out: self.out,
            variant,
        }
    }
}

impl<'a, 's> Serializer for Encoder<'a, 's> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Sequence<'a, 's>;
    type SerializeTuple = Sequence<'a, 's>;
    type SerializeTupleStruct = Sequence<'a, 's>;
    type SerializeTupleVariant = Sequence<'a, 's>;
    type SerializeMap = Map<'a, 's>;
    type SerializeStruct = Map<'a, 's>;
    type SerializeStructVariant = Map<'a, 's>;

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.tagged(if value { b't' } else { b'f' }, &[])
    }

    fn serialize_i8(self, value: i8) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), EncodeError> {
        let tag = if value < 0 { b'-' } else { b'+' };
        self.tagged(tag, &value.unsigned_abs().to_le_bytes())
    }

    fn serialize_i128(self, value: i128) -> Result<(), EncodeError> {
        if let Ok(value) = i64::try_from(value) {
            return self.serialize_i64(value);
        }
        if value >= 0 {
            return self.serialize_u128(value.unsigned_abs());
        }
        match u64::try_from(value.unsigned_abs()) {
            Ok(size) => self.tagged(b'-', &size.to_le_bytes()),
            Err(_) => self.tagged(b'M', &value.unsigned_abs().to_le_bytes()),
        }
    }

    fn serialize_u8(self, value: u8) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), EncodeError> {
        self.tagged(b'+', &value.to_le_bytes())
    }

    fn serialize_u128(self, value: u128) -> Result<(), EncodeError> {
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => self.tagged(b'P', &value.to_le_bytes()),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        let value = if value.is_nan() { f64::NAN } else { value };
        self.tagged(b'd', &value.to_bits().to_le_bytes())
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        self.sized(b's', value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodeError> {
        self.sized(b'b', value)
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.tagged(b'n', &[])
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        let out = self.variant(variant);
        value.serialize(Encoder { out: &mut *out })?;
        out.bytes.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence<'a, 's>, EncodeError> {
        Ok(self.sequence(false))
    }

    fn serialize_tuple(self, _: usize) -> Result<Sequence<'a, 's>, EncodeError> {
        Ok(self.sequence(false))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Sequence<'a, 's>, EncodeError> {
        Ok(self.sequence(false))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence<'a, 's>, EncodeError> {
        let out = self.variant(variant);
        Ok(Encoder { out }.sequence(true))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a, 's>, EncodeError> {
        Ok(self.map(false))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Map<'a, 's>, EncodeError> {
        Ok(self.map(false))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Map<'a, 's>, EncodeError> {
        let out = self.variant(variant);
        Ok(Encoder { out }.map(true))
    }
}

/// A sequence under way.
struct Sequence<'a, 's> {
    out: &'a mut Out<'s>,
    /// Whether the map of a variant has to be closed too.
    variant: bool,
}

impl Sequence<'_, '_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(Encoder { out: self.out })?;
        self.out.flow();
        Ok(())
    }

    fn close(self) -> Result<(), EncodeError> {
        let end: &[u8] = if self.variant { b"]}" } else { b"]" };
        self.out.bytes.extend_from_slice(end);
        Ok(())
    }
}

/// A map under way.
struct Map<'a, 's> {
    out: &'a mut Out<'s>,
    /// How many entries outer maps have.
    first: usize,
    /// Where the key starts whose value has not come yet.
    key: Option<usize>,
    /// Whether the map of a variant has to be closed too.
    variant: bool,
}

impl Map<'_, '_> {
    /// Adds the value of the key that starts at byte `start`.
    fn value<T: Serialize + ?Sized>(&mut self, start: usize, value: &T) -> Result<(), EncodeError> {
        let at = self.out.bytes.len();
        value.serialize(Encoder { out: self.out })?;
        self.out.entries.push(Entry {
            start,
            value: at,
            end: self.out.bytes.len(),
        });
        Ok(())
    }

    fn close(self) -> Result<(), EncodeError> {
        self.out.sort(self.first);
        self.out.entries.truncate(self.first);
        let end: &[u8] = if self.variant { b"}}" } else { b"}" };
        self.out.bytes.extend_from_slice(end);
        self.out.open -= 1;
        self.out.flow();
        Ok(())
    }
}

macro_rules! sequence_like {
    ($($trait:ident $method:ident),*) => {$(
        impl ser::$trait for Sequence<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                self.element(value)
            }

            fn end(self) -> Result<(), EncodeError> {
                self.close()
            }
        }
    )*};
}

sequence_like!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! struct_like {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Map<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                let start = self.out.bytes.len();
                self.out.sized(b's', key.as_bytes());
                self.value(start, value)
            }

            fn end(self) -> Result<(), EncodeError> {
                self.close()
            }
        }
    )*};
}

struct_like!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Map<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.key = Some(self.out.bytes.len());
        key.serialize(Key { out: self.out })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let start = self.key.take().ok_or_else(|| EncodeError {
            reason: "a map gave a value before its key".to_owned(),
        })?;
        self.value(start, value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::digest::Digest;

    fn hex(value: &Value) -> String {
        let bytes = encoded(value).unwrap();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        assert_eq!(hex(&json!(null)), "6e");
        assert_eq!(hex(&json!(true)), "74");
        assert_eq!(hex(&json!(1)), "2b0100000000000000");
        assert_eq!(hex(&json!(-1)), "2d0100000000000000");
        assert_eq!(hex(&json!(1.0)), "64000000000000f03f");
        assert_eq!(hex(&json!("é")), "730200000000000000c3a9");
        assert_eq!(hex(&json!([[]])), "5b5b5d5d");
        assert_eq!(
            hex(&json!({"b": 0, "a": null})),
            format!(
                "7b{}6e{}2b00000000000000007d",
                hex(&json!("a")),
                hex(&json!("b"))
            )
        );
    }

    /// A digest that changes retrains every model of every user.
    #[test]
    fn digests_of_values_never_change() {
        let value = json!({"b": [1, -2, 3.5, null, true], "a": {"text": "é"}});
        let digest = Digest::of_value(&value).to_string();
        expect_test::expect!["8c4fc8879523b50549b8918124952849d8f6ae4de3f7ffb504a00d38fd20af35"]
            .assert_eq(&digest);
        let other = Digest::of_value_in("another context", &value).to_string();
        assert_ne!(digest, other);
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Tuple(u8, f32),
        Struct { b: Option<u8>, a: char },
    }

    #[derive(Serialize)]
    struct Everything {
        shapes: Vec<Shape>,
        by_number: BTreeMap<i32, ()>,
        nothing: Option<u8>,
        big: u64,
    }

    #[test]
    fn a_struct_and_its_json_are_encoded_alike() {
        let value = Everything {
            shapes: vec![
                Shape::Unit,
                Shape::New(1),
                Shape::Tuple(2, 0.1),
                Shape::Struct { b: Some(3), a: 'x' },
            ],
            by_number: BTreeMap::from([(-1, ()), (10, ()), (9, ())]),
            nothing: None,
            big: u64::MAX,
        };
        let json = serde_json::to_value(&value).unwrap();
        assert_eq!(encoded(&value).unwrap(), encoded(&json).unwrap());
    }

    #[test]
    fn numbers_beyond_64_bits_have_one_encoding_each() {
        let wide: Vec<Vec<u8>> = [
            i128::MIN,
            i64::MIN.into(),
            -1,
            0,
            u64::MAX.into(),
            i128::MAX,
        ]
        .iter()
        .map(|number| encoded(number).unwrap())
        .collect();
        let different: HashSet<&Vec<u8>> = wide.iter().collect();
        assert_eq!(different.len(), wide.len());
        assert_eq!(
            encoded(&u128::from(u64::MAX)).unwrap(),
            encoded(&u64::MAX).unwrap()
        );
        assert_eq!(
            encoded(&i128::from(i64::MIN)).unwrap(),
            encoded(&i64::MIN).unwrap()
        );
    }

    #[test]
    fn a_map_key_that_is_not_text_is_refused() {
        let map = BTreeMap::from([((1, 2), 3)]);
        let error = encoded(&map).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no canonical encoding: a map key is a sequence, not text"
        );
    }

    #[test]
    fn values_that_look_alike_differ() {
        let near = [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(-0.0),
            json!("0"),
            json!(""),
            json!([]),
            json!({}),
            json!([null]),
            json!([[]]),
            json!([[], []]),
            json!([[[]]]),
            json!({"": null}),
            json!({"a": "b"}),
            json!(["a", "b"]),
            json!([["a", "b"]]),
            json!(["ab"]),
            json!(["a", "b", ""]),
            json!(["", "ab"]),
            json!({"a": {"b": null}}),
            json!({"a": null, "b": null}),
            json!([{"a": null}, {"b": null}]),
            json!("]"),
            json!("[]"),
            json!("s"),
            json!([1, [2]]),
            json!([[1], 2]),
            json!([1, 2]),
        ];
        let digests: HashSet<Digest> = near.iter().map(Digest::of_value).collect();
        assert_eq!(digests.len(), near.len());
    }

    /// Random JSON; integers and floats from small sets, so that near values
    /// are common.
    fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-2..3i64).prop_map(Value::from),
            prop::sample::select(vec![0.0, 1.0, -1.0, 0.5]).prop_map(Value::from),
            "[ab\\]}\u{0}]{0,3}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab]{0,2}", inner, 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    /// Serialises a map in the opposite of the usual order, at every depth.
    struct Backwards<'a>(&'a Value);

    impl Serialize for Backwards<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                Value::Object(map) => {
                    serializer.collect_map(map.iter().rev().map(|(k, v)| (k, Backwards(v))))
                }
                Value::Array(items) => serializer.collect_seq(items.iter().map(Backwards)),
                other => other.serialize(serializer),
            }
        }
    }

    /// Returns the documented encoding of a JSON value, made one piece after the other.
    fn plainly(value: &Value) -> Vec<u8> {
        let text = |text: &str| {
            let size = (text.len() as u64).to_le_bytes();
            [&b"s"[..], &size, text.as_bytes()].concat()
        };
        match value {
            Value::Null => b"n".to_vec(),
            Value::Bool(flag) => if *flag { b"t" } else { b"f" }.to_vec(),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => [&b"+"[..], &number.to_le_bytes()].concat(),
                (_, Some(number), _) => [&b"-"[..], &number.unsigned_abs().to_le_bytes()].concat(),
                (_, _, number) => [&b"d"[..], &number.unwrap().to_le_bytes()].concat(),
            },
            Value::String(letters) => text(letters),
            Value::Array(items) => {
                let items: Vec<Vec<u8>> = items.iter().map(plainly).collect();
                [b"[", items.concat().as_slice(), b"]"].concat()
            }
            Value::Object(map) => {
                let map: BTreeMap<&[u8], Vec<u8>> = map
                    .iter()
                    .map(|(key, value)| (key.as_bytes(), [text(key), plainly(value)].concat()))
                    .collect();
                let entries: Vec<Vec<u8>> = map.into_values().collect();
                [b"{", entries.concat().as_slice(), b"}"].concat()
            }
        }
    }

    #[test]
    fn what_is_long_or_many_goes_to_the_sink_in_pieces_and_in_order() {
        struct Pieces(Vec<Vec<u8>>);
        impl ByteSink for Pieces {
            fn bytes(&mut self, bytes: &[u8]) {
                self.0.push(bytes.to_vec());
            }
        }
        let long = "long ".repeat(10_000);
        let map = json!({"b": {"d": long, "c": [1, {"z": 1, "y": long}]}, "a": long});
        let many: Value = (0..5_000).map(|n| json!({"n": n, "m": [n]})).collect();
        let value = json!([1, long, map, "x", many, [[long]], map]);
        let mut pieces = Pieces(Vec::new());
        encode(&value, &mut pieces).unwrap();
        assert!(pieces.0.len() > 10, "{} pieces", pieces.0.len());
        assert!(pieces.0.concat() == plainly(&value));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_order_of_map_keys_does_not_matter(value in value()) {
            prop_assert_eq!(encoded(&value).unwrap(), encoded(&Backwards(&value)).unwrap());
        }

        #[test]
        fn values_are_encoded_as_documented(value in value()) {
            prop_assert_eq!(encoded(&value).unwrap(), plainly(&value));
            let twice = encoded(&[&value, &value]).unwrap();
            prop_assert_eq!(twice, plainly(&json!([value, value])));
        }

        #[test]
        fn different_values_have_different_encodings(a in value(), b in value()) {
            prop_assert_eq!(a == b, encoded(&a).unwrap() == encoded(&b).unwrap());
        }

        #[test]
        fn no_encoding_is_the_beginning_of_another(a in value(), b in value()) {
            let (a_bytes, b_bytes) = (encoded(&a).unwrap(), encoded(&b).unwrap());
            prop_assert!(a == b || !a_bytes.starts_with(&b_bytes));
        }
    }
}
