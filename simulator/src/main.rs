//! The program `simulator`.
fn main() {}
