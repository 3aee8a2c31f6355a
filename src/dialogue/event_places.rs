//! Where the events of a conversation are written: there are millions of them, and
//! hardly ever in more than one file.

use std::sync::Arc;

use crate::data::Place;

/// Places by index; all that were not set are unknown.
#[derive(Clone, Debug, Default)]
pub struct EventPlaces {
    /// File, line and column of each, from the first one on.
    places: Vec<(u32, u32, u32)>,
    /// The files, in order of first use.
    files: Vec<Arc<str>>,
}

impl EventPlaces {
    /// Makes room for so many more, and no more.
    pub fn reserve(&mut self, count: usize) {
        self.places.reserve_exact(count);
    }

    /// Sets the place of an index behind all others.
    pub fn set(&mut self, index: usize, place: Place) {
        let Place { file, line, column } = place;
        let is_known = |known: &Arc<str>| Arc::ptr_eq(known, &file) || *known == file;
        let at = self.files.iter().rposition(is_known).unwrap_or_else(|| {
            self.files.reserve_exact(1);
            self.files.push(Arc::clone(&file));
            self.files.len() - 1
        });
        self.places.resize(index, (u32::MAX, 0, 0));
        self.places.push((at as u32, line, column));
    }

    /// Returns the place of an index.
    pub fn get(&self, index: usize) -> Place {
        let Some(&(file, line, column)) = self.places.get(index) else {
            return Place::default();
        };
        match self.files.get(file as usize) {
            Some(file) => Place {
                file: Arc::clone(file),
                line,
                column,
            },
            None => Place::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_again_and_others_are_unknown() {
        let place = |file: &str, line| Place {
            file: file.into(),
            line,
            column: 7,
        };
        let mut places = EventPlaces::default();
        places.set(0, place("a.yml", 1));
        places.set(2, place("b.yml", 2));
        places.set(3, place("a.yml", 3));
        let shown: Vec<String> = (0..5).map(|index| places.get(index).to_string()).collect();
        assert_eq!(
            shown,
            ["a.yml:1:7", ":0:0", "b.yml:2:7", "a.yml:3:7", ":0:0"]
        );
    }
}
