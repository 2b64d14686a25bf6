//! Opens files and tells on stderr how many nanoseconds one open took: `bench-opener COUNT FILE…`, in turn.

#![allow(clippy::print_stderr, reason = "this program reports")]

use std::fs::File;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((Ok(count), files)) = words.split_first().map(|(count, files)| (count.parse::<u32>(), files))
    else {
        eprintln!("usage: bench-opener COUNT FILE\u{2026}");
        return ExitCode::from(64);
    };
    if files.is_empty() || count == 0 {
        return ExitCode::from(64);
    }
    let begin = Instant::now();
    for file in files.iter().cycle().take(count as usize) {
        if let Err(error) = File::open(file) {
            eprintln!("{file}: {error}");
            return ExitCode::FAILURE;
        }
    }
    eprintln!("{}", begin.elapsed().as_nanos() / u128::from(count));
    ExitCode::SUCCESS
}
