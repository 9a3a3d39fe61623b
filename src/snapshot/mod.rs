//! What the published tables held when a slot was made: copied once, beside which the stream goes on.
