//! How programs become smaller: operations go first, then deviations, then payloads.

use proptest::strategy::ValueTree;

use super::operation::{Credential, Person, Piece, Program};

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
    use super::super::operation::{Deviation, Edit, Kind, Operation, Text};
    use super::*;

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
