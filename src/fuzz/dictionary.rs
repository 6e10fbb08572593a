//! Words taken from the target: its metadata, its forms, its answers.

use std::collections::BTreeSet;

use crate::flow::World;

/// Words that are this target's own.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    /// Values and names from metadata, forms and earlier answers.
    pub words: Vec<String>,
    /// Parameter and member names seen.
    pub names: Vec<String>,
}

/// The most words that are kept.
const MOST_WORDS: usize = 400;

impl Dictionary {
    /// What the metadata and the target file give.
    pub fn of(world: &World) -> Dictionary {
        let mut words = BTreeSet::new();
        let mut names = BTreeSet::new();
        if let Some(metadata) = &world.metadata {
            for (name, value) in metadata {
                names.insert(name.clone());
                let texts = value
                    .as_array()
                    .map(Vec::as_slice)
                    .unwrap_or(std::slice::from_ref(value));
                for text in texts.iter().filter_map(serde_json::Value::as_str) {
                    if text.len() <= 64 && !text.contains("://") {
                        words.insert(text.to_owned());
                    }
                }
            }
        }
        for resource in &world.target.resources {
            words.extend(
                resource
                    .scope
                    .iter()
                    .flat_map(|scope| scope.split_whitespace().map(str::to_owned)),
            );
        }
        for step in &world.target.login.steps {
            names.extend(step.fill.iter().map(|(name, _)| name.clone()));
        }
        Dictionary {
            words: words.into_iter().collect(),
            names: names.into_iter().collect(),
        }
    }

    /// Learns a name from an answer; tells whether it was new.
    pub fn learn_name(&mut self, name: &str) -> bool {
        let fits = (2..=40).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let room = self.names.len() < MOST_WORDS;
        if !fits || !room || self.names.iter().any(|known| known == name) {
            return false;
        }
        self.names.push(name.to_owned());
        true
    }
}
