//! The session, fed by hand.
