//! What a ticket's QR code carries: its format, how it is signed, and how it is judged without a network.

mod base45;
mod code;
mod door;
mod key;

pub use code::{Claims, Code, PREFIX};
pub use door::{Digest, Door, Judgement, Verdict, digest};
pub use key::{PublicKey, SigningKey};
