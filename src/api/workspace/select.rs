//! Which assistants a user's words mean.

use std::sync::Arc;

use crate::api::TrainError;
use crate::api::task_name::takes;
use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::UnknownName;
use crate::api::workspace::WorkspaceError;
use crate::data::Member;
use crate::diagnostic::did_you_mean;

impl OpenWorkspace {
    /// Returns the assistants that words mean, in the order of the workspace, each
    /// once; all if there is no word. A word is the name of an assistant, which
    /// means all its variants, of one variant, or a pattern with `*` and `?`.
    ///
    /// # Errors
    ///
    /// If a word means none.
    pub fn select(&self, words: &[String]) -> Result<Vec<Arc<Member>>, TrainError> {
        let members = self.members();
        if words.is_empty() {
            return Ok(members.to_vec());
        }
        let mut is_meant = vec![false; members.len()];
        let mut unknown = Vec::new();
        for word in words {
            let mut is_known = false;
            for (member, is_meant) in members.iter().zip(&mut is_meant) {
                let fits = means(word, member);
                *is_meant |= fits;
                is_known |= fits;
            }
            if !is_known {
                unknown.push(self.unknown(word));
            }
        }
        if !unknown.is_empty() {
            let names = members.iter().map(|member| member.name.clone());
            return Err(WorkspaceError::Unknown {
                words: unknown,
                names: names.collect(),
            }
            .into());
        }
        let meant = members
            .iter()
            .zip(is_meant)
            .filter(|(_, is_meant)| *is_meant);
        Ok(meant.map(|(member, _)| Arc::clone(member)).collect())
    }

    fn unknown(&self, word: &str) -> UnknownName {
        let members = self.members().iter();
        let names = members.flat_map(|member| [member.name.as_str(), member.assistant.as_str()]);
        UnknownName {
            word: word.to_owned(),
            meant: did_you_mean(word, names).map(str::to_owned),
        }
    }
}

fn means(word: &str, member: &Member) -> bool {
    let names = [&member.name, &member.assistant];
    match word.contains(['*', '?']) {
        true => names.iter().any(|name| takes(word, name)),
        false => names.iter().any(|name| *name == word),
    }
}
