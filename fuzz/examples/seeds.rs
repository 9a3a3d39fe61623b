//! Writes a first corpus: frames that servers sent, in the form that each target takes.
//!
//! `cargo run --example seeds FOLDER` from the package's folder.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::Value;
use walferry::Timestamp;
use walferry::capture::{Context, Events, Reader, Writer};
use walferry::sink::json::Lines;
use walferry_fuzz::frames;

/// The frames of each captured stream, and whether its streaming was parallel.
type Streams = BTreeMap<String, (bool, Vec<Vec<u8>>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("which folder?")?;
    let streams = read_golden(&fs::read_to_string("../tests/golden_frames.jsonl")?)?;
    for (number, (parallel, frames)) in streams.values().enumerate() {
        let seed = |target: &str, bytes: &[u8]| {
            let folder = Path::new(&folder).join(target);
            fs::create_dir_all(&folder)?;
            let in_folder = fs::read_dir(&folder)?.count();
            fs::write(folder.join(format!("golden-{number:03}-{in_folder:03}")), bytes)
        };
        seed("decode", &frames::join(*parallel, frames))?;
        seed("capture", &capture(*parallel, frames)?)?;
        seed("capture", &blocks(*parallel, frames))?;
        seed("json", &json(*parallel, frames)?)?;
        // The others read an input as choices, of which any bytes are some.
        let bytes = frames.concat();
        for target in ["roundtrip", "assemble", "render", "quote"] {
            seed(target, &bytes[..bytes.len().min(4096)])?;
        }
    }
    Ok(())
}

fn read_golden(text: &str) -> Result<Streams, Box<dyn Error>> {
    let mut streams = Streams::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        let stream = format!("{} {} {} {}", line["server"], line["case"], line["proto"], line["opts"]);
        let parallel = line["opts"]["streaming"] == "parallel";
        let frame = unhex(line["copydata_hex"].as_str().ok_or("no frame")?)?;
        streams.entry(stream).or_insert((parallel, Vec::new())).1.push(frame);
    }
    Ok(streams)
}

fn unhex(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    (0..hex.len() / 2)
        .map(|index| {
            let digits = hex.get(2 * index..2 * index + 2).ok_or("not hexadecimal")?;
            Ok(u8::from_str_radix(digits, 16)?)
        })
        .collect()
}

/// Behind the eight bytes of a position to seek.
fn capture(parallel: bool, frames: &[Vec<u8>]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut context = Context::default();
    context.parallel_streaming = parallel;
    let mut writer = Writer::new(vec![0; 8], &context)?;
    for frame in frames {
        writer.append(Timestamp::from_micros(0), &frame.clone().into())?;
    }
    Ok(writer.finish()?)
}

/// The events as JSON Lines, as far as the frames are a whole stream.
fn json(parallel: bool, frames: &[Vec<u8>]) -> Result<Vec<u8>, Box<dyn Error>> {
    let capture = capture(parallel, frames)?;
    let (mut lines, mut json) = (Lines::default(), Vec::new());
    for event in Events::new(Reader::new(&capture[8..])?)?.map_while(Result::ok) {
        lines.event(&mut json, &event)?;
    }
    Ok(json)
}

/// The same, as the blocks of which the target makes a capture itself.
fn blocks(parallel: bool, frames: &[Vec<u8>]) -> Vec<u8> {
    let body = |frame: &Vec<u8>| {
        let length = u32::try_from(frame.len()).expect("captured frames are short");
        [b"F\0\0\0\0\0\0\0\0", &length.to_be_bytes()[..], frame].concat()
    };
    let bodies: Vec<_> = frames.iter().map(body).collect();
    [vec![0; 8], frames::join(parallel, &bodies)].concat()
}
