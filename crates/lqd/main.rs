//! lqd
fn main() {}
