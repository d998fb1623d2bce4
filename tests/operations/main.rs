//! What operators are promised beside the running programs: documents, supply chain, examples.

mod documents;
mod supply_chain;
