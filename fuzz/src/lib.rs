//! What the fuzz targets share: frames in a file, arbitrary messages, and readers of quoted text that share no code
//! with what wrote it.

pub mod frames;
pub mod generate;
pub mod unquote;
pub mod value;
