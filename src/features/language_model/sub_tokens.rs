//! Tokens to the sub-tokens that a model knows.

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenizers::AddedToken;
use tokenizers::ModelWrapper;
use tokenizers::Tokenizer;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use crate::features::language_model::Architecture;

/// Texts that every tokenizer must be able to split, be it into what stands for the
/// unknown.
const PROBES: [&str; 3] = ["a", "\u{e000}", "1,"];

/// The sub-tokens of WordPiece that are no words.
const SPECIAL: [&str; 5] = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"];

/// Splits tokens as a model was trained to.
pub struct SubTokens {
    tokenizer: Tokenizer,
    /// What marks sub-tokens inside or at the beginning of a word. One that is only the
    /// mark is left out, as Rasa does.
    mark: &'static str,
    /// The special sub-tokens that a text stands between.
    pub around: (u32, u32),
}

/// What `tokenizer_config.json` says, with BERT's defaults.
#[derive(Deserialize)]
#[serde(default)]
struct Written {
    do_lower_case: bool,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: bool,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            do_lower_case: true,
            strip_accents: None,
            tokenize_chinese_chars: true,
        }
    }
}

impl SubTokens {
    /// Reads `tokenizer.json`. What it says of padding and of cutting is not done.
    ///
    /// # Errors
    ///
    /// Why it is none that a model of this kind and this many sub-tokens can be read
    /// with.
    pub fn of_json(
        bytes: &[u8],
        architecture: Architecture,
        vocabulary: usize,
    ) -> Result<Self, String> {
        let mut tokenizer = read(bytes)?;
        tokenizer.with_padding(None);
        let uncut = tokenizer.with_truncation(None);
        uncut.map_err(|error| error.to_string())?;
        Self::new(tokenizer, architecture, vocabulary)
    }

    /// Reads `vocab.txt`, WordPiece's sub-tokens one a line, and `tokenizer_config.json`
    /// if there is one.
    ///
    /// # Errors
    ///
    /// As [`SubTokens::of_json`].
    pub fn of_words(
        bytes: &[u8],
        config: Option<&[u8]>,
        architecture: Architecture,
        vocabulary: usize,
    ) -> Result<Self, String> {
        let written: Written = match config {
            Some(config) => serde_json::from_slice(config).map_err(|error| error.to_string())?,
            None => Written::default(),
        };
        let words = WordPiece::read_bytes(bytes).map_err(|error| error.to_string())?;
        let pieces = WordPiece::builder()
            .vocab(words)
            .unk_token("[UNK]".to_owned());
        let pieces = pieces.build().map_err(|error| error.to_string())?;
        let mut tokenizer = Tokenizer::new(pieces);
        let normalizer = BertNormalizer::new(
            true,
            written.tokenize_chinese_chars,
            written.strip_accents,
            written.do_lower_case,
        );
        let told = |error: tokenizers::Error| error.to_string();
        tokenizer.with_normalizer(Some(normalizer)).map_err(told)?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        let special = SPECIAL.into_iter();
        let special = special.filter(|name| tokenizer.token_to_id(name).is_some());
        let special: Vec<AddedToken> = special.map(|name| AddedToken::from(name, true)).collect();
        tokenizer.add_special_tokens(special).map_err(told)?;
        Self::new(tokenizer, architecture, vocabulary)
    }

    fn new(
        tokenizer: Tokenizer,
        architecture: Architecture,
        vocabulary: usize,
    ) -> Result<Self, String> {
        if let ModelWrapper::BPE(pairs) = tokenizer.get_model()
            && pairs.dropout.is_some_and(|dropout| dropout > 0.0)
        {
            return Err("it has a `dropout`, so that it splits by chance".to_owned());
        }
        let known = tokenizer.get_vocab(true);
        let beyond = known.iter().filter(|(_, id)| **id as usize >= vocabulary);
        if let Some((name, id)) = beyond.min_by_key(|(_, id)| **id) {
            return Err(format!(
                "its sub-token `{name}` is number {id}, and the model has {vocabulary}"
            ));
        }
        if let ModelWrapper::WordPiece(pieces) = tokenizer.get_model()
            && !known.contains_key(&pieces.unk_token)
        {
            return Err(format!(
                "it has no sub-token `{}` for what it does not know",
                pieces.unk_token
            ));
        }
        let (first, last) = special_tokens(architecture);
        let special = |name: &str| {
            let missing = || format!("it has no sub-token `{name}`");
            known.get(name).copied().ok_or_else(missing)
        };
        let around = (special(first)?, special(last)?);
        for probe in PROBES {
            let split = tokenizer.encode(probe, false);
            split.map_err(|error| format!("it cannot split every text: {error}"))?;
        }
        Ok(Self {
            mark: mark(architecture, &tokenizer),
            tokenizer,
            around,
        })
    }

    /// Appends the sub-tokens of a token, and returns how many they are.
    ///
    /// # Source
    ///
    /// Rasa 3.6: each token is split by itself, and sub-tokens that are nothing but a
    /// mark are left out.
    pub fn split(&self, token: &str, ids: &mut Vec<u32>) -> usize {
        let Ok(split) = self.tokenizer.encode(token, false) else {
            return 0;
        };
        let before = ids.len();
        let split = split.get_ids().iter().zip(split.get_tokens());
        let kept = split.filter(|(_, name)| !name.replace(self.mark, "").is_empty());
        ids.extend(kept.map(|(id, _)| id));
        ids.len() - before
    }
}

/// Reads a tokenizer. The library panics where the file is no JSON, and where some of what
/// it holds is damaged: the first is found before, the second is caught.
fn read(bytes: &[u8]) -> Result<Tokenizer, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())?;
    match std::panic::catch_unwind(|| Tokenizer::from_bytes(text)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("it is damaged".to_owned()),
    }
}

/// Returns the special sub-tokens before and behind a text.
///
/// Differs from Rasa: it writes the numbers 101 and 102 for BERT, 0 and 2 for RoBERTa,
/// whatever the vocabulary; they are these sub-tokens in all models it was made for.
fn special_tokens(architecture: Architecture) -> (&'static str, &'static str) {
    match architecture {
        Architecture::Bert | Architecture::Distilbert => ("[CLS]", "[SEP]"),
        Architecture::Roberta | Architecture::Camembert => ("<s>", "</s>"),
    }
}

/// Returns what marks sub-tokens: XLM-RoBERTa, which Rasa does not read, is marked as
/// CamemBERT.
fn mark(architecture: Architecture, tokenizer: &Tokenizer) -> &'static str {
    match (architecture, tokenizer.get_model()) {
        (Architecture::Bert | Architecture::Distilbert, _) => "##",
        (Architecture::Camembert, _) | (_, ModelWrapper::Unigram(_)) => "▁",
        _ => "Ġ",
    }
}
