//! footman
