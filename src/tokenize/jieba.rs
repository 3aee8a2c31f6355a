//! `JiebaTokenizer`: Chinese text to words, by a dictionary and words of one's own.

use std::sync::Arc;
use std::sync::LazyLock;

use jieba_rs::Jieba;
use regex::Regex;
use serde::Deserialize;
use serde::Serialize;

use super::token::Token;
use super::tokenizer::TokenizerOptions;

/// Options of the tokenizer: Rasa 3.6's names and defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JiebaOptions {
    /// Those of every tokenizer.
    #[serde(flatten)]
    pub tokenizer: TokenizerOptions,
    /// A folder of dictionaries, or a single one, relative to the project.
    ///
    /// Differs from Rasa: there it is a folder.
    pub dictionary_path: Option<String>,
}

/// A word that a user adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserWord {
    /// The word.
    pub word: String,
    /// How frequent it is; none for frequent enough to be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<usize>,
}

/// Words of one's own, in the order in which they are added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserWords(pub Vec<UserWord>);

/// The largest frequency that counts: ten times that of all words together.
const MOST_FREQUENT: usize = 1_000_000_000;

impl UserWords {
    /// Adds the words of a dictionary: one a line, with a frequency and a part of
    /// speech, both of which may be missing.
    ///
    /// # Source
    ///
    /// jieba 0.42 `load_userdict`; no word depends on the part of speech.
    pub fn read(&mut self, text: &str) {
        static LINE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new("^(.+?)(?: ([0-9]+))?(?: [a-z]+)?$").expect("our own expression is one")
        });
        for line in text.trim_start_matches('\u{feff}').lines() {
            let Some(found) = LINE.captures(line.trim()) else {
                continue;
            };
            let frequency = found.get(2).map(|digits| {
                let number = digits.as_str().parse().unwrap_or(MOST_FREQUENT);
                number.min(MOST_FREQUENT)
            });
            self.0.push(UserWord {
                word: found[1].to_owned(),
                frequency,
            });
        }
    }
}

/// Splits by the dictionary that comes with jieba and the words of a user. Loading
/// it takes a while, so it is done when it is first needed.
#[derive(Clone)]
pub(super) struct Words(Arc<LazyLock<Jieba, Load>>);

type Load = Box<dyn FnOnce() -> Jieba + Send>;

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Words")
    }
}

impl Words {
    /// Returns the words of the dictionary and some more.
    pub fn with(words: UserWords) -> Self {
        let load = move || {
            let mut jieba = Jieba::new();
            for word in words.0 {
                jieba.add_word(&word.word, word.frequency, None);
            }
            jieba
        };
        Self(Arc::new(LazyLock::new(Box::new(load))))
    }

    /// Splits a text; what stands between words is a token, too.
    ///
    /// # Source
    ///
    /// jieba 0.42 `tokenize`, with its guesses at words that no dictionary has.
    pub fn split(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        for found in self.0.cut(text, true) {
            let word = found.word;
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
            match word.bytes().all(is_plain) || self.0.has_word(word) {
                true => tokens.push(Token::new(word, found.start)),
                false => split_further(word, found.start, &mut tokens),
            }
        }
        tokens
    }
}

/// Splits what is no word into runs of letters and digits and what is between.
///
/// # Source
///
/// jieba 0.42 `finalseg`: a run may have digits behind a point, and a `%` at the
/// end. The library takes whole addresses and the like for one word.
fn split_further(word: &str, start: usize, tokens: &mut Vec<Token>) {
    static RUN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("[a-zA-Z0-9]+(?:[.][0-9]+)?%?").expect("our own expression is one")
    });
    let (mut done, mut next) = (0, start);
    let mut push = |piece: &str| {
        if !piece.is_empty() {
            tokens.push(Token::new(piece, next));
            next += piece.chars().count();
        }
    };
    for run in RUN.find_iter(word) {
        push(&word[done..run.start()]);
        push(run.as_str());
        done = run.end();
    }
    push(&word[done..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &Words, text: &str, want: &str) {
        let tokens = words.split(text);
        let shown: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(shown.join("|"), want);
        let mut next = 0;
        for token in &tokens {
            assert_eq!(token.start, next, "{text}");
            next = token.end;
        }
        assert_eq!(next, text.chars().count());
    }

    /// Recorded from jieba 0.42.1 for Python.
    #[test]
    fn words_are_those_of_jieba() {
        let plain = Words::with(UserWords::default());
        check(
            &plain,
            "我想订一张明天去北京的机票",
            "我想订|一张|明天|去|北京|的|机票",
        );
        check(
            &plain,
            "小明硕士毕业于中国科学院计算所，后在日本京都大学深造",
            "小明|硕士|毕业|于|中国科学院|计算所|，|后|在|日本京都大学|深造",
        );
        check(
            &plain,
            "Hello 世界, 3.14 is π!",
            "Hello| |世界|,| |3.14| |is| |π|!",
        );
        check(&plain, "今天 天气\n怎么样？", "今天| |天气|\n|怎么样|？");
        check(&plain, "他来到了网易杭研大厦", "他|来到|了|网易|杭研|大厦");
        check(&plain, "emoji👍测试", "emoji|👍|测试");
        check(&plain, "我要C++和a.b@c.org", "我要|C++|和|a|.|b|@|c|.|org");
        check(&plain, "", "");
        for want in [
            "v1.2|.|3|-|beta|_|x",
            "50%|-|60%",
            "3.14%",
            "C++|11",
            "x|--|y",
            "foo|.|bar|.",
            "www|.|例子|.|com",
            "1|.|a",
            "1.5|a",
            "a1.5",
            "T恤",
            "AT&T",
            "#|tag",
            "卡拉|OK|.|x",
        ] {
            check(&plain, &want.replace('|', ""), want);
        }
    }

    /// Recorded from jieba 0.42.1 for Python.
    #[test]
    fn words_of_a_user_are_found() {
        let mut words = UserWords::default();
        words.read("\u{feff}云计算 5\r\n创新办 3 i\n凱特琳 nz\n\n台中\n杭研大厦\n");
        assert_eq!(words.0.len(), 5);
        assert_eq!(
            (words.0[1].word.as_str(), words.0[1].frequency),
            ("创新办", Some(3))
        );
        assert_eq!(
            (words.0[2].word.as_str(), words.0[2].frequency),
            ("凱特琳", None)
        );
        let own = Words::with(words);
        check(
            &own,
            "李小福是创新办主任也是云计算方面的专家",
            "李小福|是|创新办|主任|也|是|云计算|方面|的|专家",
        );
        check(&own, "他来到了网易杭研大厦", "他|来到|了|网易|杭研大厦");
        check(&own, "台中凱特琳", "台中|凱特琳");
    }

    #[test]
    fn no_line_is_too_strange_for_a_dictionary() {
        let mut words = UserWords::default();
        words.read("a b 99999999999999999999999 n\n 7\nx 1 2 3\n\t\n");
        assert_eq!(words.0[0].frequency, Some(MOST_FREQUENT));
        check(&Words::with(words), "a b 7", "a| |b| |7");
    }
}
