//! The edit script: what a new version of a program changes.
//!
//! Functions get statements, lose operations, test other constants; some functions are new and one or two are
//! gone, with every reference to them turned to a neighbour; strings change and appear. All else stays, in
//! the same order, as it does when a developer fixes something and builds again.

use std::collections::BTreeMap;

use super::author::{Author, Shelf};
use super::words::sentence;
use super::{Argument, Contents, FunctionId, Op, Operand, Program, Target};
use crate::bytes::count;
use crate::prng::Prng;

/// How much a new version changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A numbered fix: a few source files.
    Fix,
    /// A service pack: months of work, everywhere.
    ServicePack,
}

impl Extent {
    /// How many of `all` are changed, for a share in thousandths of a fix; never none.
    fn of(self, all: u32, thousandths: u32) -> u32 {
        let share = match self {
            Self::Fix => thousandths,
            Self::ServicePack => thousandths * 5,
        };
        (all * share / 1000).max(2)
    }
}

/// Where in a program the edits fall.
///
/// What one source file defines lies together in the image, and a fix touches few files. So all edits fall
/// near a few places, the same for functions and data, and most of the image only moves.
#[derive(Debug)]
struct Focus {
    /// In thousandths of a list's length; none: anywhere.
    places: Vec<usize>,
    /// How far from a place edits fall.
    reach: usize,
}

impl Focus {
    fn new(extent: Extent, population: u32, prng: &mut Prng) -> Self {
        let places = match extent {
            Extent::Fix => (0..=prng.skewed(3)).map(|_| prng.index(1000)).collect(),
            Extent::ServicePack => Vec::new(),
        };
        let reach = usize::try_from(population / 20).expect("u32 fits usize");
        Self { places, reach }
    }

    /// An index of a list of that length.
    fn index(&self, length: usize, prng: &mut Prng) -> usize {
        if self.places.is_empty() {
            return prng.index(length);
        }
        let place = prng.pick(&self.places);
        (place * length / 1000 + prng.index(self.reach)).min(length.saturating_sub(1))
    }
}

/// Applies an edit script to the program; `narrow` is as for `write_program`.
pub(crate) fn revise(program: &mut Program, extent: Extent, narrow: u32, mut prng: Prng) {
    let population = count(&program.functions);
    let focus = Focus::new(extent, population, &mut prng);
    for _ in 0..extent.of(population, 20) {
        change_function(program, narrow, &focus, &mut prng);
    }
    for _ in 0..extent.of(population, 2) {
        insert_function(program, narrow, &focus, &mut prng);
    }
    remove_functions(program, 1 + prng.skewed(2), &focus, &mut prng);
    change_strings(program, extent.of(count(&program.data), 3), &focus, &mut prng);
}

fn callees(program: &Program) -> Vec<FunctionId> {
    // By identity: neighbours are found by it, and new functions are few.
    let mut callees: Vec<FunctionId> = program.functions.iter().map(|function| function.id).collect();
    callees.sort();
    callees
}

fn change_function(program: &mut Program, narrow: u32, focus: &Focus, prng: &mut Prng) {
    let chosen = focus.index(program.functions.len(), prng);
    let Some(mut function) = program.functions.get(chosen).cloned() else { return };
    let callees = callees(program);
    let shelf = Shelf::Before(focus.index(program.data.len(), prng));
    let mut author = Author { prng: prng.clone(), program, callees: &callees, narrow, shelf };
    for _ in 0..=author.prng.skewed(3) {
        // Parameters are read first and the return comes last; an edit lies between them.
        let first = function.ops.iter().take_while(|op| matches!(op, Op::Parameter { .. })).count();
        let end = function.ops.iter().rposition(|op| matches!(op, Op::Label(_))).unwrap_or(first);
        let Some(&Op::Label(exit)) = function.ops.get(end) else { continue };
        let at = first + author.prng.index(end - first);
        if author.prng.chance(55) {
            let mut ops = Vec::new();
            author.statement(&mut function, exit, 2, &mut ops);
            function.ops.splice(at..at, ops);
        } else {
            let constant = author.constant();
            match function.ops.get_mut(at) {
                Some(Op::Const { value, .. } | Op::StoreConst { value, .. }) => *value = constant,
                Some(Op::Branch { right, .. }) => *right = Operand::Const(constant),
                Some(Op::Load { offset, .. } | Op::Store { offset, .. }) => *offset += 4,
                // A label stays, others may refer to it; so does a switch, its cases follow.
                Some(Op::Label(_) | Op::Switch { .. }) | None => {}
                Some(_) => drop(function.ops.remove(at)),
            }
        }
    }
    *prng = author.prng;
    if let Some(place) = program.functions.get_mut(chosen) {
        *place = function;
    }
}

fn insert_function(program: &mut Program, narrow: u32, focus: &Focus, prng: &mut Prng) {
    let id = FunctionId(program.next_function);
    program.next_function += 1;
    let callees = callees(program);
    let shelf = Shelf::Before(focus.index(program.data.len(), prng));
    let mut author = Author { prng: prng.clone(), program, callees: &callees, narrow, shelf };
    let function = author.function(id);
    *prng = author.prng;
    let at = 1 + focus.index(program.functions.len(), prng);
    // The function before it calls it, so that it has a purpose.
    if let Some(caller) = program.functions.get_mut(at - 1) {
        let arguments = (0..id.parameters()).map(Argument::Const).collect();
        let end = caller.ops.iter().rposition(|op| matches!(op, Op::Label(_))).unwrap_or(0);
        caller.ops.insert(end, Op::Call { callee: id, arguments });
    }
    program.functions.insert(at, function);
}

fn remove_functions(program: &mut Program, number: u32, focus: &Focus, prng: &mut Prng) {
    let mut heirs = BTreeMap::new();
    for _ in 0..number {
        let at = focus.index(program.functions.len(), prng);
        let named = |id| id == program.entry || program.exports.iter().any(|(_, export)| *export == id);
        let (Some(lost), Some(heir)) = (program.functions.get(at), program.functions.get(at + 1)) else {
            continue;
        };
        if named(lost.id) || heirs.values().any(|known| *known == lost.id) || heirs.contains_key(&heir.id) {
            continue;
        }
        heirs.insert(lost.id, heir.id);
        program.functions.remove(at);
    }
    // A table of a lost function's labels goes with it.
    program.data.retain(|datum| match &datum.contents {
        Contents::Pointers(targets) => {
            !targets.iter().any(|target| matches!(target, Target::Label(id, _) if heirs.contains_key(id)))
        }
        Contents::Text(_) | Contents::Words(_) | Contents::Zeros(_) => true,
    });
    for datum in &mut program.data {
        let Contents::Pointers(targets) = &mut datum.contents else { continue };
        for target in targets {
            inherit(target, &heirs);
        }
    }
    for op in program.functions.iter_mut().flat_map(|function| &mut function.ops) {
        if let Op::Call { callee, arguments } = op
            && let Some(heir) = heirs.get(callee)
        {
            arguments.resize(usize::try_from(heir.parameters()).expect("at most four"), Argument::Const(0));
            *callee = *heir;
        }
        match op {
            Op::Call { arguments, .. }
            | Op::CallImport { arguments, .. }
            | Op::CallThrough { arguments, .. } => {
                for argument in arguments {
                    if let Argument::Address(target) = argument {
                        inherit(target, &heirs);
                    }
                }
            }
            Op::AddressOf { target, .. } => inherit(target, &heirs),
            _ => {}
        }
    }
}

fn inherit(target: &mut Target, heirs: &BTreeMap<FunctionId, FunctionId>) {
    if let Target::Function(id) = target
        && let Some(heir) = heirs.get(id)
    {
        *id = *heir;
    }
}

fn change_strings(program: &mut Program, number: u32, focus: &Focus, prng: &mut Prng) {
    for _ in 0..number {
        let start = focus.index(program.data.len(), prng);
        let text = program.data.iter_mut().skip(start).find_map(|datum| match &mut datum.contents {
            Contents::Text(text) => Some(text),
            Contents::Words(_) | Contents::Pointers(_) | Contents::Zeros(_) => None,
        });
        let Some(text) = text else { continue };
        if prng.chance(50) {
            text.push(' ');
            text.push_str(&sentence(prng));
        } else {
            *text = sentence(prng);
        }
    }
}
