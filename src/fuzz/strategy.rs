//! Where programs come from, and how they become smaller: a proptest strategy with a value tree.
//!
//! All chance comes from proptest's generator with the run's seed. Operators are dealt like cards: a
//! shuffled deck of every (operation, place, operator) is played to its end before it is shuffled
//! again, so that nothing waits long for its turn; payloads are drawn.

use proptest::prelude::Rng as _;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::dictionary::Dictionary;
use super::mutation::{self, Maker, Place, TABLE};
use super::operation::{Credential, Deviation, Kind, Operation, Person, Piece, Program};

/// Chance, by proptest's generator.
#[derive(Debug, Clone)]
pub struct Draw {
    rng: TestRng,
}

impl Draw {
    /// From a seed.
    pub fn new(seed: u64) -> Draw {
        let mut bytes = [0_u8; 32];
        for (chunk, salt) in bytes.chunks_mut(8).zip(1_u64..) {
            let word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt);
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Draw {
            rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
        }
    }

    /// The generator of a proptest runner.
    pub fn of(runner: &mut TestRunner) -> Draw {
        Draw {
            rng: runner.new_rng(),
        }
    }

    /// A number below this one; 0 for 0.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit <= 1 {
            return 0;
        }
        usize::try_from(self.rng.next_u64() % limit as u64).unwrap_or(0)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these texts.
    pub fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from.get(self.below(from.len()))
            .copied()
            .unwrap_or_default()
    }

    /// One of these texts, as a copy.
    pub fn pick_owned(&mut self, from: &[String]) -> Option<String> {
        from.get(self.below(from.len())).cloned()
    }

    /// One of these.
    ///
    /// # Panics
    /// Never for the tables of this module, which are not empty.
    #[expect(
        clippy::indexing_slicing,
        reason = "the tables of this module are not empty"
    )]
    pub fn among<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// A client that can be driven through a flow.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Its name in the target file.
    pub name: String,
    /// Whether it has a secret.
    pub secret: bool,
    /// Its first redirect URI in pieces: the URI, scheme, authority, path.
    pub redirect: [String; 4],
}

/// What can be done with this target.
#[derive(Debug, Clone, Default)]
pub struct Abilities {
    /// The kinds of operations, some more than once: more often means likelier.
    pub kinds: Vec<Kind>,
    /// Clients; the first is the usual one.
    pub actors: Vec<Actor>,
    /// How many resources there are.
    pub resources: usize,
    /// Whether there are resource indicators.
    pub indicators: bool,
    /// A valid authorization details text.
    pub details: Option<String>,
    /// Whether a person can deny.
    pub denies: bool,
}

impl Abilities {
    /// The places of an operation by this client.
    pub fn places(&self, kind: Kind, client: usize) -> Vec<Place> {
        let secret = self.actors.get(client).is_some_and(|actor| actor.secret);
        mutation::places(kind, self.details.is_some(), secret, self.indicators)
    }
}

/// A card: operation, place, operator (an index into the table), client.
type Card = (Kind, Place, usize, usize);

/// Makes programs.
pub struct Grammar {
    /// What the target can do.
    pub abilities: Abilities,
    /// The target's words.
    pub dictionary: Dictionary,
    draw: Draw,
    cards: Vec<Card>,
    deck: Vec<Card>,
}

/// The most operations of a program.
const LONGEST: usize = 8;

impl Grammar {
    /// With this seed.
    pub fn new(abilities: Abilities, dictionary: Dictionary, seed: u64) -> Grammar {
        let mut cards = Vec::new();
        let mut kinds = abilities.kinds.clone();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            // The usual client, and a confidential one where the difference matters.
            let confidential = abilities.actors.iter().position(|actor| actor.secret);
            let mut clients = vec![0];
            if matches!(kind, Kind::Exchange | Kind::Refresh | Kind::Revoke) {
                clients.extend(confidential.filter(|at| *at != 0));
            }
            for client in clients {
                for place in abilities.places(kind, client) {
                    for (at, operator) in TABLE.iter().enumerate() {
                        if operator.fits(place) {
                            cards.push((kind, place, at, client));
                        }
                    }
                }
            }
        }
        Grammar {
            abilities,
            dictionary,
            draw: Draw::new(seed),
            cards,
            deck: Vec::new(),
        }
    }

    /// How many cards the deck has.
    pub fn cards(&self) -> usize {
        self.cards.len()
    }

    fn deal(&mut self) -> Option<Card> {
        if self.deck.is_empty() {
            self.deck = self.cards.clone();
            self.draw.shuffle(&mut self.deck);
        }
        self.deck.pop()
    }

    /// The next new program.
    pub fn fresh(&mut self) -> Program {
        let mut operations = Vec::new();
        let mode = self.draw.below(16);
        if mode == 0 && !self.abilities.kinds.is_empty() {
            operations.extend(self.crossing());
        } else {
            // Most programs try one card, some several: what one deviation does is seen best alone.
            let count = match mode {
                1..=9 => 1,
                10..=13 => 2,
                _ => 3,
            };
            for _ in 0..count {
                operations.extend(self.carded());
            }
        }
        if operations.len() > 1 || self.draw.one_in(6) {
            operations.extend(self.aftermath());
        }
        operations.truncate(LONGEST);
        Program { operations }
    }

    /// An operation with one card, seldom two or three.
    fn carded(&mut self) -> Option<Operation> {
        let (kind, place, operator, client) = self.deal()?;
        let mut operation = Operation {
            client,
            ..Operation::plain(kind)
        };
        if self.abilities.resources > 1 && self.draw.one_in(4) {
            operation.resource = self.draw.below(self.abilities.resources);
        }
        let deviation = self.deviation(place, operator, client);
        operation.deviations.push(deviation);
        let more = match self.draw.below(12) {
            0 | 1 => 1,
            2 => 2,
            _ => 0,
        };
        for _ in 0..more {
            if let Some(deviation) = self.another(&operation) {
                operation.deviations.push(deviation);
            }
        }
        if matches!(kind, Kind::Exchange | Kind::Refresh) && self.draw.one_in(24) {
            operation.copies = self.draw.among(&[2, 3, 8]);
        }
        if self.draw.one_in(20) {
            operation.credential =
                self.draw
                    .among(&[Credential::Spent, Credential::Foreign, Credential::Kind]);
        }
        Some(operation)
    }

    /// A further deviation for an operation.
    fn another(&mut self, operation: &Operation) -> Option<Deviation> {
        let places = self.abilities.places(operation.kind, operation.client);
        let place = *places.get(self.draw.below(places.len()))?;
        let fitting: Vec<usize> = TABLE
            .iter()
            .enumerate()
            .filter(|(_, operator)| operator.fits(place))
            .map(|(at, _)| at)
            .collect();
        let operator = *fitting.get(self.draw.below(fitting.len()))?;
        Some(self.deviation(place, operator, operation.client))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the number is brought within the table"
    )]
    fn deviation(&mut self, place: Place, operator: usize, client: usize) -> Deviation {
        let none = [const { String::new() }; 4];
        let redirect = self
            .abilities
            .actors
            .get(client)
            .map_or(&none, |actor| &actor.redirect);
        let [uri, scheme, authority, path] = redirect;
        let mut maker = Maker {
            draw: &mut self.draw,
            dictionary: &self.dictionary,
            place,
            redirect: [uri, scheme, authority, path],
            json: self.abilities.details.as_deref().unwrap_or("[]"),
        };
        let operator = &TABLE[operator.min(TABLE.len() - 1)];
        operator.apply(&mut maker)
    }

    /// Correct requests with credentials that do not belong there.
    fn crossing(&mut self) -> Vec<Operation> {
        let has = |kind: Kind| self.abilities.kinds.contains(&kind);
        let mut kinds: Vec<Kind> = [
            Kind::Exchange,
            Kind::Refresh,
            Kind::Revoke,
            Kind::Introspect,
            Kind::Call,
        ]
        .into_iter()
        .filter(|kind| has(*kind))
        .collect();
        if has(Kind::Authorize) {
            kinds.push(Kind::Authorize);
        }
        let Some(kind) = kinds.get(self.draw.below(kinds.len())).copied() else {
            return Vec::new();
        };
        let mut operation = Operation::plain(kind);
        match kind {
            Kind::Authorize => {
                operation.person = if self.abilities.denies && self.draw.one_in(2) {
                    Person::Deny
                } else {
                    Person::Absent
                };
            }
            _ if matches!(kind, Kind::Exchange | Kind::Refresh) && self.draw.one_in(3) => {
                operation.copies = self.draw.among(&[2, 3, 8, 20]);
            }
            _ => {
                operation.credential =
                    self.draw
                        .among(&[Credential::Spent, Credential::Foreign, Credential::Kind]);
                operation.client = self.draw.below(self.abilities.actors.len());
            }
        }
        if self.abilities.resources > 1 {
            operation.resource = self.draw.below(self.abilities.resources);
        }
        if self.draw.one_in(2)
            && let Some(deviation) = self.another(&operation)
        {
            operation.deviations.push(deviation);
        }
        vec![operation]
    }

    /// Correct operations after the others: what was not attacked must go on working.
    fn aftermath(&mut self) -> Vec<Operation> {
        let kinds: Vec<Kind> = self
            .abilities
            .kinds
            .iter()
            .copied()
            .filter(|kind| matches!(kind, Kind::Exchange | Kind::Refresh | Kind::Call))
            .collect();
        (0..=self.draw.below(2))
            .filter_map(|_| kinds.get(self.draw.below(kinds.len())).copied())
            .map(Operation::plain)
            .collect()
    }

    /// A program near one that led to something new: another deviation at the same operation, or the
    /// payload drawn anew.
    pub fn near(&mut self, parent: &Program) -> Program {
        let mut program = parent.clone();
        let deviating: Vec<usize> = program
            .operations
            .iter()
            .enumerate()
            .filter(|(_, operation)| !operation.deviations.is_empty())
            .map(|(at, _)| at)
            .collect();
        let Some(at) = deviating.get(self.draw.below(deviating.len())).copied() else {
            return self.fresh();
        };
        let Some(mut operation) = program.operations.get(at).cloned() else {
            return self.fresh();
        };
        match self.draw.below(8) {
            0 => {
                // The same operators, other payloads.
                for deviation in &mut operation.deviations {
                    let places = self.abilities.places(operation.kind, operation.client);
                    let place = places
                        .into_iter()
                        .find(|place| place.name == deviation.parameter);
                    let found = place.and_then(|place| {
                        let at = TABLE.iter().position(|operator| {
                            operator.name == deviation.operator && operator.fits(place)
                        })?;
                        Some((place, at))
                    });
                    if let Some((place, operator)) = found {
                        *deviation = self.deviation(place, operator, operation.client);
                    }
                }
            }
            1 if matches!(operation.kind, Kind::Exchange | Kind::Refresh) => {
                operation.copies = self.draw.among(&[2, 3, 8]);
            }
            2 => operation.credential = self.draw.among(&[Credential::Spent, Credential::Foreign]),
            _ => {
                if operation.deviations.len() >= 3 {
                    operation.deviations.remove(0);
                }
                if let Some(deviation) = self.another(&operation) {
                    operation.deviations.push(deviation);
                }
            }
        }
        if let Some(slot) = program.operations.get_mut(at) {
            *slot = operation;
        }
        program
    }

    /// One of so many, by this grammar's chance.
    pub fn below(&mut self, limit: usize) -> usize {
        self.draw.below(limit)
    }
}

/// Programs as proptest sees them.
#[derive(Debug)]
pub struct Programs(pub std::cell::RefCell<GrammarCell>);

/// A grammar that can be shown.
pub struct GrammarCell(pub Grammar);

impl std::fmt::Debug for GrammarCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a grammar of {} cards", self.0.cards())
    }
}

impl Strategy for Programs {
    type Tree = ProgramTree;
    type Value = Program;

    fn new_tree(&self, _runner: &mut TestRunner) -> NewTree<Self> {
        Ok(ProgramTree::new(self.0.borrow_mut().0.fresh()))
    }
}

/// A program that can become smaller: operations go first, then deviations, then payloads shrink.
#[derive(Debug, Clone)]
pub struct ProgramTree {
    current: Program,
    before: Option<Program>,
    step: Step,
}

/// What is tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Operation(usize),
    Deviation(usize, usize),
    Plainer(usize, u8),
    Edit(usize, usize, usize),
    Payload(usize, usize, usize, u8),
    Done,
}

impl ProgramTree {
    /// The root: nothing shrunk yet.
    pub fn new(program: Program) -> ProgramTree {
        ProgramTree {
            current: program,
            before: None,
            step: Step::Operation(0),
        }
    }

    fn try_step(&self) -> Option<Program> {
        let mut program = self.current.clone();
        match self.step {
            Step::Operation(at) => {
                // From the end: what came last is needed least often.
                let index = program.operations.len().checked_sub(at + 1)?;
                if program.operations.len() < 2 {
                    return None;
                }
                program.operations.remove(index);
            }
            Step::Deviation(at, index) => {
                let operation = program.operations.get_mut(at)?;
                if index >= operation.deviations.len() {
                    return None;
                }
                operation.deviations.remove(index);
            }
            Step::Plainer(at, which) => {
                let operation = program.operations.get_mut(at)?;
                let before = operation.clone();
                match which {
                    0 => operation.copies = 1,
                    1 => operation.credential = Credential::Live,
                    2 => operation.person = Person::Approve,
                    3 => operation.resource = 0,
                    _ => operation.client = 0,
                }
                if *operation == before {
                    return None;
                }
            }
            Step::Edit(at, index, edit) => {
                let edits = &mut program
                    .operations
                    .get_mut(at)?
                    .deviations
                    .get_mut(index)?
                    .edits;
                if edits.len() < 2 || edit >= edits.len() {
                    return None;
                }
                edits.remove(edit);
            }
            Step::Payload(at, index, edit, half) => {
                let edits = &mut program
                    .operations
                    .get_mut(at)?
                    .deviations
                    .get_mut(index)?
                    .edits;
                let values = edits.get_mut(edit)?.values_mut();
                let mut changed = false;
                for piece in values.iter_mut().flat_map(|value| &mut value.0) {
                    changed |= shorten(piece, half);
                }
                if !changed {
                    return None;
                }
            }
            Step::Done => return None,
        }
        Some(program)
    }

    /// The step after the present one when the present one cannot be taken or was refused.
    fn next_step(&self) -> Step {
        let operations = &self.current.operations;
        let deviations = |at: usize| {
            operations
                .get(at)
                .map_or(0, |operation| operation.deviations.len())
        };
        let edits = |at: usize, index: usize| {
            operations
                .get(at)
                .and_then(|operation| operation.deviations.get(index))
                .map_or(0, |deviation| deviation.edits.len())
        };
        match self.step {
            Step::Operation(at) if at + 1 < operations.len() => Step::Operation(at + 1),
            Step::Operation(_) => Step::Deviation(0, 0),
            Step::Deviation(at, index) if index + 1 < deviations(at) => {
                Step::Deviation(at, index + 1)
            }
            Step::Deviation(at, _) if at + 1 < operations.len() => Step::Deviation(at + 1, 0),
            Step::Deviation(..) => Step::Plainer(0, 0),
            Step::Plainer(at, which) if which < 4 => Step::Plainer(at, which + 1),
            Step::Plainer(at, _) if at + 1 < operations.len() => Step::Plainer(at + 1, 0),
            Step::Plainer(..) => Step::Edit(0, 0, 0),
            Step::Edit(at, index, edit) if edit + 1 < edits(at, index) => {
                Step::Edit(at, index, edit + 1)
            }
            Step::Edit(at, index, _) if index + 1 < deviations(at) => Step::Edit(at, index + 1, 0),
            Step::Edit(at, ..) if at + 1 < operations.len() => Step::Edit(at + 1, 0, 0),
            Step::Edit(..) => Step::Payload(0, 0, 0, 0),
            Step::Payload(at, index, edit, half) if half < 3 => {
                Step::Payload(at, index, edit, half + 1)
            }
            Step::Payload(at, index, edit, _) if edit + 1 < edits(at, index) => {
                Step::Payload(at, index, edit + 1, 0)
            }
            Step::Payload(at, index, ..) if index + 1 < deviations(at) => {
                Step::Payload(at, index + 1, 0, 0)
            }
            Step::Payload(at, ..) if at + 1 < operations.len() => Step::Payload(at + 1, 0, 0, 0),
            Step::Payload(..) | Step::Done => Step::Done,
        }
    }
}

/// Makes a piece shorter: its second half goes, its first half, its last character, its first.
fn shorten(piece: &mut Piece, half: u8) -> bool {
    match piece {
        Piece::Repeat(_, times) if *times > 1 => {
            *times = match half {
                0 => *times / 2,
                1 => *times - (*times / 4).max(1),
                2 => *times - (*times / 16).max(1),
                _ => *times - 1,
            };
            true
        }
        Piece::Text(text) if text.chars().count() > 1 => {
            let count = text.chars().count();
            let (from, to) = match half {
                0 => (0, count / 2),
                1 => (count / 2, count),
                2 => (0, count - 1),
                _ => (1, count),
            };
            *text = text.chars().skip(from).take(to - from).collect();
            true
        }
        _ => false,
    }
}

impl ValueTree for ProgramTree {
    type Value = Program;

    fn current(&self) -> Program {
        self.current.clone()
    }

    fn simplify(&mut self) -> bool {
        // The step that was just accepted is taken again: one more operation, one half more.
        while self.step != Step::Done {
            match self.try_step() {
                Some(smaller) => {
                    self.before = Some(std::mem::replace(&mut self.current, smaller));
                    return true;
                }
                None => self.step = self.next_step(),
            }
        }
        false
    }

    fn complicate(&mut self) -> bool {
        match self.before.take() {
            Some(before) => {
                self.current = before;
                self.step = self.next_step();
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::operation::{Edit, Text};
    use super::*;

    fn abilities() -> Abilities {
        Abilities {
            kinds: Kind::ALL.to_vec(),
            actors: vec![Actor {
                name: "a".into(),
                secret: false,
                redirect: ["https://a.example/cb", "https", "a.example", "/cb"].map(str::to_owned),
            }],
            resources: 2,
            indicators: true,
            details: Some(r#"[{"type":"pay"}]"#.into()),
            denies: true,
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_programs_and_another_seed_others() {
        let make = |seed| {
            let mut grammar = Grammar::new(abilities(), Dictionary::default(), seed);
            (0..200).map(|_| grammar.fresh()).collect::<Vec<_>>()
        };
        assert_eq!(make(3), make(3));
        assert_ne!(make(3), make(4));
        assert!(
            make(3)
                .iter()
                .all(|program| (1..=8).contains(&program.operations.len()))
        );
    }

    #[test]
    fn every_card_is_played_before_the_deck_is_shuffled_again() {
        let mut grammar = Grammar::new(abilities(), Dictionary::default(), 1);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..grammar.cards() {
            let (kind, place, operator, client) = grammar.deal().unwrap();
            seen.insert((kind, place.name, operator, client));
        }
        assert_eq!(seen.len(), grammar.cards());
    }

    /// Shrinking ends at the smallest program for which the predicate holds.
    #[test]
    fn operations_go_first_then_deviations_then_payloads() {
        let deviation = |name: &str, text: &str| Deviation {
            operator: name.into(),
            parameter: "state".into(),
            equivalent: false,
            edits: vec![Edit::With("state".into(), vec![Text::plain(text)])],
        };
        let mut bad = Operation::plain(Kind::Authorize);
        bad.deviations = vec![
            deviation("one", "harmless"),
            deviation("two", "some text with a ! inside of it"),
            deviation("three", "harmless"),
        ];
        let program = Program {
            operations: vec![
                Operation::plain(Kind::Call),
                bad,
                Operation::plain(Kind::Refresh),
            ],
        };
        let fails = |program: &Program| {
            program
                .operations
                .iter()
                .flat_map(|operation| &operation.deviations)
                .any(|deviation| {
                    deviation.edits.iter().flat_map(Edit::values).any(|value| {
                        value
                            .0
                            .iter()
                            .any(|piece| matches!(piece, Piece::Text(text) if text.contains('!')))
                    })
                })
        };
        let mut tree = ProgramTree::new(program);
        let mut steps = 0;
        while tree.simplify() {
            steps += 1;
            if !fails(&tree.current()) {
                tree.complicate();
            }
        }
        let smallest = tree.current();
        assert_eq!(smallest.operations.len(), 1);
        assert_eq!(smallest.deviations(), 1);
        assert_eq!(
            smallest.operations[0].deviations[0].edits[0].values()[0],
            Text::plain("!")
        );
        assert!(steps < 60, "{steps}");
    }
}
