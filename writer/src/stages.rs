//! Stages of the writer that are its own business, for benches that measure each of them.
//!
//! Hidden, since it is no interface. Decoding, mapping and encoding are public as they are.

/// What is sent of the lines of a batch.
///
/// # Errors
/// None that a buffer in memory could give.
pub fn compress(body: &[u8]) -> std::io::Result<Vec<u8>> {
    crate::influxdb::compress(body)
}
