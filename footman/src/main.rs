//! The program `footman`.
fn main() {}
