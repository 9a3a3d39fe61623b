//! Long answers to questions that the reference can't answer in one place.

#[doc = include_str!("fidelity.md")]
pub mod fidelity {}
