//! `DucklingEntityExtractor`: asks a Duckling server for numbers, times, amounts
//! and their like. Nothing is learnt, and training asks nobody.
//!
//! ```text
//!   text, reference time ─▶ form ─▶ client ─▶ server
//!                Message ◀─ entities ◀─ JSON ◀──┘
//! ```
//!
//! Rasa 3.6: a server that is away, or answers something else, costs the message
//! its entities and nothing more; here the message is told why besides.

mod answer;
mod client;

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use self::answer::entities;
use self::client::Client;
use super::message::Message;
use crate::tokenize::OptionError;

/// The component's name, which its entities carry.
const EXTRACTOR: &str = "DucklingEntityExtractor";

/// What Duckling finds, by its own names.
pub const DIMENSIONS: &[&str] = &[
    "amount-of-money",
    "credit-card-number",
    "distance",
    "duration",
    "email",
    "number",
    "ordinal",
    "phone-number",
    "quantity",
    "temperature",
    "time",
    "time-grain",
    "url",
    "volume",
];

/// Options of the extractor: Rasa 3.6's names and defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DucklingOptions {
    /// What is looked for; all that the server knows when there are none.
    pub dimensions: Option<Vec<String>>,
    /// Where the server is, such as `http://localhost:8000`.
    pub url: Option<String>,
    /// Language and country, such as `en_GB`. By default the configuration's
    /// `language` twice, as Rasa 3.6 puts it: `en_EN`.
    pub locale: Option<String>,
    /// Such as `Europe/Berlin`; the server's own when there is none.
    pub timezone: Option<String>,
    /// Seconds that an answer may take.
    ///
    /// Differs from Rasa: from the beginning to the end, not between two pieces.
    pub timeout: f64,
}

impl Default for DucklingOptions {
    fn default() -> Self {
        Self {
            dimensions: None,
            url: None,
            locale: None,
            timezone: None,
            timeout: 3.0,
        }
    }
}

/// The longest time that a server may take, in seconds: a day.
const LONGEST: f64 = 86_400.0;

impl DucklingOptions {
    /// Returns what no server can be asked with.
    ///
    /// # Errors
    ///
    /// The first option that cannot be.
    pub fn check(&self) -> Result<(), OptionError> {
        if let Some(url) = &self.url {
            client::check(url).map_err(|reason| OptionError::new("url", reason))?;
        }
        match self.timeout > 0.0 && self.timeout <= LONGEST {
            true => Ok(()),
            false => {
                let reason = "it must be more than 0 seconds, and a day at most";
                Err(OptionError::new("timeout", reason))
            }
        }
    }

    /// Gives the locale of a language where none was written.
    pub fn with_language(mut self, language: Option<&str>) -> Self {
        let of = |language: &str| format!("{language}_{}", language.to_uppercase());
        let written = self.locale.take().filter(|locale| !locale.is_empty());
        self.locale = written.or_else(|| language.map(of));
        self
    }

    /// Returns what a server is asked.
    fn form(&self, text: &str, reference_ms: u64) -> Vec<(&'static str, String)> {
        let mut form = vec![("text", text.to_owned())];
        form.extend(self.locale.clone().map(|locale| ("locale", locale)));
        form.extend(self.timezone.clone().map(|zone| ("tz", zone)));
        form.push(("dims", json!(self.dimensions).to_string()));
        form.push(("reftime", reference_ms.to_string()));
        form
    }
}

/// A `DucklingEntityExtractor` that is ready to work on messages.
#[derive(Clone, Debug)]
pub struct DucklingExtractor {
    options: DucklingOptions,
    client: Client,
}

impl DucklingExtractor {
    /// Returns an extractor; nobody is asked before there is a message.
    ///
    /// # Errors
    ///
    /// If [`DucklingOptions::check`] refuses the options.
    pub fn new(options: DucklingOptions) -> Result<Self, OptionError> {
        options.check()?;
        let client = Client::new(Duration::from_secs_f64(options.timeout));
        Ok(Self { options, client })
    }

    /// Asks the server at `url` from now on, as Rasa does when the environment
    /// variable `RASA_DUCKLING_HTTP_URL` is set.
    ///
    /// # Errors
    ///
    /// If it is not the address of a server.
    pub fn ask_at(&mut self, url: &str) -> Result<(), OptionError> {
        client::check(url).map_err(|reason| {
            let reason = format!("`{}`: {reason}", client::shown(url));
            OptionError::new("url", reason)
        })?;
        self.options.url = Some(url.to_owned());
        Ok(())
    }

    /// Adds what the server finds in the message, of which relative times are meant
    /// from now on.
    pub fn process(&self, message: &mut Message) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // Rasa counts in whole seconds.
        let reference_ms = now.map_or(0, |now| now.as_secs() * 1000);
        self.process_at(message, reference_ms);
    }

    /// Adds what the server finds in a message written at a time, in milliseconds
    /// since 1970.
    pub fn process_at(&self, message: &mut Message, reference_ms: u64) {
        match self.ask(&message.text, reference_ms) {
            Ok(found) => message.entities.extend(found),
            Err(reason) => {
                let warning = format!("`{EXTRACTOR}` finds nothing: {reason}");
                message.warnings.push(warning);
            }
        }
    }

    fn ask(&self, text: &str, reference_ms: u64) -> Result<Vec<super::Entity>, String> {
        let Some(url) = &self.options.url else {
            let reason = "it has no `url`, and `RASA_DUCKLING_HTTP_URL` is not set";
            return Err(reason.to_owned());
        };
        let url = client::parse_url(url);
        let answer = self
            .client
            .post(&url, &self.options.form(text, reference_ms))?;
        let wanted = self.options.dimensions.as_deref().unwrap_or_default();
        let found = entities(&answer, text.chars().count(), wanted);
        found.map_err(|reason| {
            let url = client::shown(&url);
            format!("{url} answers what is not Duckling's: {reason}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_rasas() {
        let options = DucklingOptions {
            dimensions: Some(vec!["time".into(), "number".into()]),
            timezone: Some("Europe/Rome".into()),
            ..DucklingOptions::default()
        };
        let form = options.with_language(Some("it")).form("alle 5", 1_500_000);
        let shown: Vec<String> = form.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            shown,
            [
                "text=alle 5",
                "locale=it_IT",
                "tz=Europe/Rome",
                "dims=[\"time\",\"number\"]",
                "reftime=1500000"
            ]
        );
        let bare = DucklingOptions::default().with_language(None).form("x", 0);
        assert_eq!(bare[1], ("dims", "null".to_owned()));
    }

    #[test]
    fn options_that_reach_no_server_are_refused() {
        let check = |url: &str, timeout: f64| {
            let options = DucklingOptions {
                url: Some(url.into()),
                timeout,
                ..DucklingOptions::default()
            };
            options.check().map_err(|error| error.option)
        };
        assert_eq!(check("http://duckling:8000/", 0.5), Ok(()));
        for url in [
            "https://duckling",
            "duckling:8000",
            "ftp://x",
            "http://",
            "",
        ] {
            assert_eq!(check(url, 3.0), Err("url".to_owned()), "{url}");
        }
        for timeout in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(check("http://x", timeout), Err("timeout".to_owned()));
        }
    }
}
