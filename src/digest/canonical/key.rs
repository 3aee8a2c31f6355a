//! Keys of maps: text, and what JSON has a text for.

use serde::Serialize;
use serde::Serializer;
use serde::ser::Impossible;

use crate::digest::canonical::EncodeError;
use crate::digest::canonical::out::Out;

/// Adds a map key as the text that JSON would have for it.
pub(super) struct Key<'a, 's> {
    /// Where it goes.
    pub(super) out: &'a mut Out<'s>,
}

fn no_key<T>(what: &str) -> Result<T, EncodeError> {
    Err(EncodeError {
        reason: format!("a map key is {what}, not text"),
    })
}

macro_rules! key_shown {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<(), EncodeError> {
            self.serialize_str(&value.to_string())
        }
    )*};
}

impl Serializer for Key<'_, '_> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Impossible<(), EncodeError>;
    type SerializeTuple = Impossible<(), EncodeError>;
    type SerializeTupleStruct = Impossible<(), EncodeError>;
    type SerializeTupleVariant = Impossible<(), EncodeError>;
    type SerializeMap = Impossible<(), EncodeError>;
    type SerializeStruct = Impossible<(), EncodeError>;
    type SerializeStructVariant = Impossible<(), EncodeError>;

    key_shown!(
        serialize_bool bool,
        serialize_i8 i8,
        serialize_i16 i16,
        serialize_i32 i32,
        serialize_i64 i64,
        serialize_i128 i128,
        serialize_u8 u8,
        serialize_u16 u16,
        serialize_u32 u32,
        serialize_u64 u64,
        serialize_u128 u128,
        serialize_char char
    );

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        self.out.sized(b's', value.as_bytes());
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), EncodeError> {
        no_key("a float")
    }

    fn serialize_f64(self, _: f64) -> Result<(), EncodeError> {
        no_key("a float")
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), EncodeError> {
        no_key("raw bytes")
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        no_key("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        no_key("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        no_key("null")
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
        _: &'static str,
        _: &T,
    ) -> Result<(), EncodeError> {
        no_key("a variant with contents")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, EncodeError> {
        no_key("a sequence")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, EncodeError> {
        no_key("a sequence")
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, EncodeError> {
        no_key("a sequence")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, EncodeError> {
        no_key("a sequence")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, EncodeError> {
        no_key("a map")
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, EncodeError> {
        no_key("a struct")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, EncodeError> {
        no_key("a struct")
    }
}
