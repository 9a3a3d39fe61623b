//! What the fuzz targets share: frames in a file, arbitrary messages, laws, and readers of quoted text that share no
//! code with what wrote it.

pub mod frames;
pub mod generate;
pub mod laws;
pub mod unquote;
pub mod value;
