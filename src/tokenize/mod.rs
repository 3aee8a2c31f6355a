//! Splits text into tokens.
//!
//! ```text
//!   data::Example ──▶ [tokenize] ──▶ Document ──▶ features, nlu
//! ```
//!
//! A tokenizer never changes the text it is given; a [`Token`] is a piece of
//! it. Lower-casing and the like belong to `features`. Python's regular
//! expressions and sets of characters live here, for this room needs them first.

mod characters;
mod document;
mod options;
pub mod python_case;
mod python_regex;
mod python_syntax;
mod token;
mod tokenizer;
mod whitespace;
mod jieba;

pub use characters::Characters;
pub use characters::is_space;
pub use characters::is_word;
pub use document::Attribute;
pub use document::Document;
pub use jieba::JiebaOptions;
pub use jieba::UserWord;
pub use jieba::UserWords;
pub use options::OptionError;
pub use options::read_options;
pub use options::unknown_options;
pub use python_regex::CaseSensitivity;
pub use python_regex::PythonRegex;
pub use python_regex::RegexError;
pub use token::CodePoints;
pub use token::Token;
pub use tokenizer::Tokenizer;
pub use tokenizer::TokenizerOptions;
pub use whitespace::whitespace;
