//! The symbolic program that a sample file is linked from.
//!
//! A program is functions made of basic operations, and data; both refer to each other by identity, never by
//! address. One program is encoded for both platforms, which makes their files twins, and an edited program
//! is linked anew, which moves addresses and references as a rebuild does. Nothing here knows an instruction
//! set or a file format, and nothing ever runs: operations are chosen to look like a program, not to compute.
//!
//! Invariant: every `Target` names a function, label, datum or import that the program holds.

mod author;
mod edit;
mod words;

pub(crate) use author::{Exports, write_program};
pub(crate) use edit::{Extent, revise};
pub(crate) use words::catalogue;

/// The identity of a function; it survives edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FunctionId(pub(crate) u32);

impl FunctionId {
    /// How many parameters the function takes: part of what it is, so that callers and callee agree.
    pub(crate) fn parameters(self) -> u32 {
        match self.0 % 8 {
            0 | 2 | 7 => 1,
            1 | 5 => 2,
            3 => 3,
            6 => 4,
            _ => 0,
        }
    }

    /// Who removes the arguments from the stack, where they are passed there.
    pub(crate) fn cleanup(self) -> Cleanup {
        if self.0.is_multiple_of(3) { Cleanup::Caller } else { Cleanup::Callee }
    }
}

/// Who removes the arguments of a call from the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleanup {
    Caller,
    Callee,
}

/// The identity of a datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DatumId(pub(crate) u32);

/// The identity of an imported function: its place in [`Program::imports`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ImportId(pub(crate) u32);

/// A place inside one function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label(pub(crate) u32);

/// What a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Function(FunctionId),
    Label(FunctionId, Label),
    Datum(DatumId),
    /// The slot of the import address table.
    Import(ImportId),
}

/// A register of the symbolic machine: the first three are scratch, the others are kept across calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reg {
    Result,
    ScratchA,
    ScratchB,
    KeptA,
    KeptB,
    KeptC,
}

/// The kept registers, in the order in which functions begin to use them.
pub(crate) const KEPT: [Reg; 3] = [Reg::KeptA, Reg::KeptB, Reg::KeptC];

/// The width of a memory access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Byte,
    Word,
    Long,
}

/// A computation with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compute {
    Add,
    Subtract,
    And,
    Or,
    ExclusiveOr,
    Multiply,
    ShiftLeft,
    ShiftRight,
}

/// A comparison that a branch tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Greater, unsigned.
    Above,
    /// Less, unsigned.
    Below,
}

/// The right-hand side of a computation or comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    Reg(Reg),
    Const(u32),
}

/// An argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    Reg(Reg),
    Const(u32),
    Address(Target),
    Local(u32),
    AddressOfLocal(u32),
}

/// One basic operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Label(Label),
    /// Reads a parameter; only at the start of a function, before any call.
    Parameter {
        to: Reg,
        index: u32,
    },
    Const {
        to: Reg,
        value: u32,
    },
    Move {
        to: Reg,
        from: Reg,
    },
    Compute {
        compute: Compute,
        to: Reg,
        by: Operand,
    },
    Load {
        to: Reg,
        base: Reg,
        offset: u32,
        width: Width,
    },
    Store {
        base: Reg,
        offset: u32,
        from: Reg,
        width: Width,
    },
    StoreConst {
        base: Reg,
        offset: u32,
        value: u32,
    },
    LoadLocal {
        to: Reg,
        slot: u32,
    },
    StoreLocal {
        slot: u32,
        from: Reg,
    },
    AddressOfLocal {
        to: Reg,
        slot: u32,
    },
    AddressOf {
        to: Reg,
        target: Target,
    },
    LoadFrom {
        to: Reg,
        target: Target,
        addend: u32,
    },
    StoreTo {
        target: Target,
        addend: u32,
        from: Reg,
    },
    Call {
        callee: FunctionId,
        arguments: Vec<Argument>,
    },
    CallImport {
        import: ImportId,
        arguments: Vec<Argument>,
    },
    /// Calls through a table of functions: its address is in `table`, the object is the first argument.
    CallThrough {
        table: Reg,
        offset: u32,
        arguments: Vec<Argument>,
    },
    Branch {
        test: Test,
        left: Reg,
        right: Operand,
        to: Label,
    },
    Jump(Label),
    /// Jumps through a table of labels.
    Switch {
        index: Reg,
        table: DatumId,
    },
    Return,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) id: FunctionId,
    /// How many kept registers it uses.
    pub(crate) kept: u32,
    /// How many four-byte slots it has on the stack.
    pub(crate) locals: u32,
    pub(crate) ops: Vec<Op>,
    /// Labels below this number are in use.
    pub(crate) labels: u32,
}

impl Function {
    fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }
}

/// Which part of the image a datum lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    ReadOnly,
    Writable,
    /// Writable, zero at the start, without bytes in the file.
    Zeroed,
}

/// What a datum holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contents {
    /// A zero-terminated string.
    Text(String),
    Words(Vec<u32>),
    Pointers(Vec<Target>),
    Zeros(u32),
}

/// One datum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Datum {
    pub(crate) id: DatumId,
    pub(crate) storage: Storage,
    pub(crate) contents: Contents,
}

/// A function of another image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) library: &'static str,
    pub(crate) name: &'static str,
}

/// A whole program, in link order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) functions: Vec<Function>,
    pub(crate) data: Vec<Datum>,
    /// Grouped by library.
    pub(crate) imports: Vec<Import>,
    /// Sorted by name.
    pub(crate) exports: Vec<(String, FunctionId)>,
    pub(crate) entry: FunctionId,
    next_function: u32,
    next_datum: u32,
}
