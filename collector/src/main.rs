//! The program `collector`.

fn main() {}
