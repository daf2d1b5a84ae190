//! The patcher of **qfe**: reads update bundles, decides, and is the only code that changes a server.
//!
//! Layers, each a module and a folder; arrows run downward only:
//!
//! - [`cli`]: one file for each subcommand; the only place that prints.
//! - [`update`]: facts, plan, apply; journal, rollback, recovery, status. Decisions are pure functions of facts.
//! - [`host`]: the ports through which every effect passes, and their backends.
//! - [`bundle`]: container, signature, manifest: bytes in, verified values out.
//! - [`delta`]: decoders of deltas, pure.
//! - [`chain`], [`day`], [`digest`], [`exit`], [`image`], [`json`], [`name`], [`plain_text`], [`platform`], [`registry`], [`target_path`], [`timestamp`], [`version`]: small values all of them share.
//!
//! The formats are described in FORMAT.md, beside this crate's manifest.

pub mod bundle;
pub mod chain;
pub mod cli;
pub mod day;
pub mod delta;
pub mod digest;
pub mod exit;
pub mod host;
pub mod image;
pub mod json;
pub mod name;
pub mod plain_text;
pub mod platform;
pub mod registry;
pub mod target_path;
pub mod timestamp;
pub mod update;
pub mod version;
