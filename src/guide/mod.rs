//! Long answers to questions that the reference can't answer in one place.

#[cfg(feature = "net")]
#[doc = include_str!("delivery.md")]
pub mod delivery {}
#[doc = include_str!("fidelity.md")]
pub mod fidelity {}
#[cfg(feature = "postgres")]
#[doc = include_str!("migration.md")]
pub mod migration {}
#[doc = include_str!("museum.md")]
pub mod museum {}
