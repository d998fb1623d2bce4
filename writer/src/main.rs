//! The program `writer`.

fn main() {}
