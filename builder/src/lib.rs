//! The builder of **qfe**: writes the bundles that the patcher reads.
//!
//! A release engineer's recipe (`update.toml`), the new files and known old states of them become one signed,
//! self-contained bundle. Arrows run downward only:
//!
//! - [`cli`]: one file for each subcommand; the only place that prints.
//! - [`build`]: recipe and payload held against each other, deltas, manifest, signatures, proof.
//! - [`lint`]: what a reviewer asks of recipes and their files before they are built.
//! - [`inspect`], [`compare`]: what a bundle holds, and how two differ; [`report`]: the same as pages for a browser.
//! - [`article`]: articles of the Knowledge Base, read into recipes and written from manifests.
//! - [`container`], [`delta`], [`sign`]: the writers, each the counterpart of one of the patcher's readers.
//! - [`recipe`], [`profile`], [`sources`]: what is read.
//! - [`cache`]: deltas that earlier builds have made.
//! - [`output`]: the finished file, under its name only when it is whole.
//!
//! Same inputs, same bytes: outside [`cli`] nothing asks for the time, and randomness makes new keys only.

#![forbid(unsafe_code)]

pub mod article;
pub mod build;
pub mod cache;
pub mod cli;
pub mod compare;
pub mod container;
pub mod delta;
pub mod file_key;
pub mod inspect;
pub mod lint;
pub mod output;
pub mod profile;
pub mod progress;
pub mod recipe;
pub mod report;
pub mod ring;
mod shown;
pub mod sign;
pub mod sources;
mod written;
