//! Signatures as a receiver computes them, from SHA-256 alone.

use sha2::{Digest, Sha256};

use super::receiver::Message;

/// HMAC-SHA256 as RFC 2104 defines it.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64, "premise: the key fits a block");
    let padded = |with: u8| -> Vec<u8> {
        let mut block = [with; 64];
        block
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        block.to_vec()
    };
    let inner = Sha256::digest([padded(0x36), message.to_vec()].concat());
    Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}

/// Base64 as RFC 4648 defines it.
fn base64(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| {
            bits << 8 | u32::from(*group.get(at).unwrap_or(&0))
        });
        for at in 0..4 {
            let letter = letters[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() {
                letter as char
            } else {
                '='
            });
        }
    }
    text
}

/// Whether a message was signed with `key`.
pub(super) fn is_signed(message: &Message, key: &[u8]) -> bool {
    let start = format!(
        "{}.{}.",
        message.header("webhook-id"),
        message.header("webhook-timestamp")
    );
    let signed = [start.as_bytes(), &message.body].concat();
    message.header("webhook-signature") == format!("v1,{}", base64(&hmac(key, &signed)))
}
