//! Where programs come from: a proptest strategy (how they become smaller: [`super::shrink`]).
//!
//! All chance comes from proptest's generator with the run's seed. Operators are dealt like cards: a
//! shuffled deck of every (operation, place, operator) is played to its end before it is shuffled
//! again, so that nothing waits long for its turn; those with many payloads follow once more for
//! each, and a payload that was dealt already is drawn again.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use proptest::prelude::Rng as _;
use proptest::strategy::{NewTree, Strategy};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::dictionary::Dictionary;
use super::mutation::{Maker, TABLE};
use super::operation::{Credential, Deviation, Edit, Kind, Operation, Person, Program, Text};
use super::place::{self, Place, Role};
use super::shrink::ProgramTree;

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
    /// Whether an authorization request may be posted (RFC 6749 §3.1 leaves that open).
    pub posts: bool,
}

impl Abilities {
    /// The places of an operation by this client.
    pub fn places(&self, kind: Kind, client: usize) -> Vec<Place> {
        let secret = self.actors.get(client).is_some_and(|actor| actor.secret);
        place::places(kind, self.details.is_some(), secret, self.indicators)
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
    /// Cards with many payloads come up again in the second half of a deck.
    extra: Vec<Card>,
    deck: Vec<Card>,
    /// So many at the bottom of the deck come again.
    again: usize,
    /// Hashes of what was dealt.
    dealt: HashSet<u64>,
    /// Places and operators of which nothing new comes any more.
    exhausted: HashSet<(Place, usize, usize)>,
}

/// Draws for a payload that was not dealt before.
const REDRAWS: usize = 24;
/// Payloads remembered.
const MOST_DEALT: usize = 200_000;

/// Operations that neither need a login of their own nor use anything up.
fn cheap(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Introspect | Kind::Call | Kind::Register | Kind::Discover | Kind::Direct
    )
}

/// Cheap operations of one program.
const BUNDLE: usize = 5;

/// The authorization request is posted, as the operator `by-post` has it. Where a correct one works so, nothing else may
/// change with it.
pub fn posted() -> Deviation {
    Deviation {
        operator: "by-post".into(),
        parameter: "request".into(),
        equivalent: true,
        edits: vec![Edit::With("@method".into(), vec![Text::plain("POST")])],
    }
}

/// So few payloads come all at every parameter.
const FEW: usize = 16;
/// The most copies of a card with more.
const MOST_COPIES: usize = 20;
/// Draws without a new payload after which those of a card are counted.
const SAMPLE: usize = 40;
/// The most that are counted.
const MOST_SAMPLED: usize = 150;
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
        let mut grammar = Grammar {
            abilities,
            dictionary,
            draw: Draw::new(seed),
            cards,
            extra: Vec::new(),
            deck: Vec::new(),
            again: 0,
            dealt: HashSet::new(),
            exhausted: HashSet::new(),
        };
        grammar.extra = grammar.extras();
        grammar
    }

    /// How many cards the deck has.
    pub fn cards(&self) -> usize {
        self.cards.len()
    }

    /// The next card, and whether it comes for the first time.
    fn deal(&mut self) -> Option<(Card, bool)> {
        if self.deck.is_empty() {
            // Dealt from the end: every card once, then those with several payloads again, the cheap ones first.
            let mut once = self.cards.clone();
            let extra = self.extra.iter().copied();
            let (mut light, mut heavy): (Vec<Card>, Vec<Card>) =
                extra.partition(|card| cheap(card.0));
            self.draw.shuffle(&mut heavy);
            self.draw.shuffle(&mut light);
            self.draw.shuffle(&mut once);
            self.deck = heavy;
            self.deck.append(&mut light);
            self.again = self.deck.len();
            self.deck.append(&mut once);
        }
        self.take(self.deck.len().checked_sub(1)?)
    }

    fn take(&mut self, at: usize) -> Option<(Card, bool)> {
        let first = at >= self.again;
        self.again -= usize::from(!first);
        (at < self.deck.len()).then(|| (self.deck.remove(at), first))
    }

    /// The next card of a kind, when there is one nearby.
    fn deal_like(&mut self, kind: Kind) -> Option<(Card, bool)> {
        let at = self.deck.iter().rposition(|card| card.0 == kind)?;
        self.take(at)
    }

    /// More copies of the cards with several payloads: all of them where a try costs one request, where the place is the
    /// request, of which there is one, and where they are few; else fewer, since they come at every parameter.
    fn extras(&mut self) -> Vec<Card> {
        let chance = std::mem::replace(&mut self.draw, Draw::new(SAMPLE as u64));
        let mut extra = Vec::new();
        for card in self.cards.clone() {
            let (kind, place, operator, client) = card;
            // Where two clients have the same card for a parameter, each gets half of its copies. What a request as a whole
            // brings about may depend on whose it is.
            let whole = place.role == Role::Request;
            let same = |other: &&Card| (other.0, other.1, other.2) == (kind, place, operator);
            let mut twins = self.cards.iter().filter(same).copied();
            if !whole && twins.next() != Some(card) {
                continue;
            }
            let twin = twins.next().filter(|_| !whole).unwrap_or(card);
            let all = cheap(kind) || whole;
            let enough = if all { MOST_SAMPLED } else { 2 * MOST_COPIES };
            let (mut payloads, mut nothing_new) = (HashSet::new(), 0);
            while nothing_new < SAMPLE && payloads.len() < enough {
                let new = payloads.insert(self.deviation(place, operator, client).edits);
                nothing_new = if new { 0 } else { nothing_new + 1 };
            }
            let copies = if all || payloads.len() <= FEW {
                payloads.len()
            } else {
                payloads.len().div_ceil(2).min(MOST_COPIES)
            };
            extra.extend((1..copies).map(|copy| if copy % 2 == 1 { twin } else { card }));
        }
        self.draw = chance;
        extra
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
                let Some((card, first)) = self.deal() else {
                    break;
                };
                operations.push(self.carded(card, first));
                // What is cheap comes in bundles: one grant is enough for all of them.
                if cheap(card.0) && count == 1 {
                    for _ in 1..BUNDLE {
                        if let Some((card, first)) = self.deal_like(card.0) {
                            operations.push(self.carded(card, first));
                        }
                    }
                }
            }
        }
        let kinds: HashSet<Kind> = operations.iter().map(|operation| operation.kind).collect();
        if kinds.len() > 1 || self.draw.one_in(6) {
            operations.extend(self.aftermath());
        }
        operations.truncate(LONGEST);
        Program { operations }
    }

    /// An operation with one card: alone when the card comes for the first time, later seldom with another one or two.
    fn carded(&mut self, card: Card, first: bool) -> Operation {
        let (kind, place, operator, client) = card;
        let mut operation = Operation {
            client,
            ..Operation::plain(kind)
        };
        if self.abilities.resources > 1 && self.draw.one_in(4) {
            operation.resource = self.draw.below(self.abilities.resources);
        }
        let deviation = self.unseen(place, operator, client);
        operation.deviations.push(deviation);
        if first {
            return operation;
        }
        // Some servers read a posted authorization request by other code: each way gets half of them.
        if kind == Kind::Authorize && self.abilities.posts && self.draw.one_in(2) {
            operation.deviations.push(posted());
        }
        // What a header changes may be seen in errors only: half of the odd ones come with a request that is refused.
        let header = TABLE.get(operator).is_some_and(|one| one.group == "header");
        if header && place.role == Role::Request && self.draw.one_in(2) {
            operation.deviations.extend(self.refused(kind, client));
        }
        // What one deviation does is seen best alone: others may make the request fail before it counts.
        let more = match self.draw.below(16) {
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
        operation
    }

    /// A deviation whose payload has not been dealt at this place before, as long as a few draws give one.
    fn unseen(&mut self, place: Place, operator: usize, client: usize) -> Deviation {
        let mut deviation = self.deviation(place, operator, client);
        let whose = if place.role == Role::Request {
            client
        } else {
            0
        };
        if self.exhausted.contains(&(place, operator, whose)) {
            return deviation;
        }
        for _ in 0..REDRAWS {
            let mut hasher = DefaultHasher::new();
            (place, operator, whose, &deviation.edits).hash(&mut hasher);
            if self.dealt.len() >= MOST_DEALT || self.dealt.insert(hasher.finish()) {
                return deviation;
            }
            deviation = self.deviation(place, operator, client);
        }
        self.exhausted.insert((place, operator, whose));
        deviation
    }

    /// The first parameter of an operation is left out, without which it cannot succeed.
    fn refused(&mut self, kind: Kind, client: usize) -> Option<Deviation> {
        let place = *self.abilities.places(kind, client).first()?;
        let omits = |name| matches!(name, "omitted" | "bearer-none" | "member-omitted");
        let mut operators = TABLE.iter();
        let at = operators.position(|one| omits(one.name) && one.fits(place))?;
        Some(self.deviation(place, at, client))
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

#[cfg(test)]
mod tests {
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
            posts: true,
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
            let ((kind, place, operator, client), first) = grammar.deal().unwrap();
            assert!(first);
            seen.insert((kind, place.name, operator, client));
        }
        assert_eq!(seen.len(), grammar.cards());
    }
}
