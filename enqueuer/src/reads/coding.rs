//! Content codings: which one a reader gets, and how a body is put into it.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::HeaderValue;

/// Bodies below this size are sent as they are: they fit one packet either way.
pub(super) const SMALLEST: usize = 600;

/// Brotli's quality: a 2 KB answer takes some 50 µs, and each answer is compressed once.
const BROTLI_QUALITY: i32 = 5;

/// Log of brotli's window, 4 MiB, in which a long list finds its own repetitions.
const BROTLI_WINDOW: i32 = 22;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Brotli,
}

impl Coding {
    /// What a reader's `Accept-Encoding` makes of it (RFC 9110, section 12.5.3): the coding
    /// with the highest weight, of equal ones the smallest body.
    pub(super) fn wanted(value: &HeaderValue) -> Self {
        let Ok(value) = value.to_str() else {
            return Self::Identity;
        };
        let (mut identity, mut gzip, mut brotli, mut any) = (None, None, None, None);
        for part in value.split(',') {
            let mut fields = part.split(';');
            let name = fields.next().unwrap_or_default().trim();
            let weight = weight(fields);
            if name.eq_ignore_ascii_case("br") {
                brotli = Some(weight);
            } else if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                gzip = Some(weight);
            } else if name.eq_ignore_ascii_case("identity") {
                identity = Some(weight);
            } else if name == "*" {
                any = Some(weight);
            }
        }
        let any_or_not = any.unwrap_or(0);
        let brotli = brotli.unwrap_or(any_or_not);
        let gzip = gzip.unwrap_or(any_or_not);
        // Acceptable unless it is ruled out, but nobody's wish unless it is named.
        let identity = identity.unwrap_or(0);
        if brotli > 0 && brotli >= gzip && brotli >= identity {
            Self::Brotli
        } else if gzip > 0 && gzip >= identity {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// Its name in `Content-Encoding`.
    pub(super) fn name(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Brotli => Some(HeaderValue::from_static("br")),
        }
    }

    /// A body in this coding; `None` if that does not make it smaller.
    pub(super) fn compress(self, body: &[u8]) -> Option<Bytes> {
        let mut coded = Vec::with_capacity(body.len() / 3);
        let done = match self {
            Self::Identity => return None,
            Self::Gzip => {
                let level = flate2::Compression::new(6);
                let mut writer = flate2::write::GzEncoder::new(&mut coded, level);
                writer.write_all(body).and_then(|()| writer.try_finish())
            }
            Self::Brotli => {
                let parameters = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: BROTLI_WINDOW,
                    size_hint: body.len(),
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut &body[..], &mut coded, &parameters).map(drop)
            }
        };
        // Writing to memory does not fail; an error would only cost the compression.
        (done.is_ok() && coded.len() < body.len()).then(|| Bytes::from(coded))
    }
}

/// A weight of at most three decimals in thousandths; 1000 without one.
fn weight<'a>(mut fields: impl Iterator<Item = &'a str>) -> u16 {
    let named = |field: &'a str| {
        let (name, value) = field.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    };
    let Some(value) = fields.find_map(named) else {
        return 1_000;
    };
    // What is no weight asks for nothing.
    let weight: f32 = value.parse().unwrap_or(0.0);
    let thousandths = weight.clamp(0.0, 1.0) * 1_000.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 1000"
    )]
    let thousandths = thousandths as u16;
    thousandths
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_coding_with_the_highest_weight_is_chosen() {
        use Coding::{Brotli, Gzip, Identity};
        for (value, coding) in [
            ("", Identity),
            ("gzip", Gzip),
            ("gzip, deflate, br", Brotli),
            ("gzip;q=1.0, br;q=0.8", Gzip),
            ("br;q=0, gzip;q=0.001", Gzip),
            ("GZip;Q=0.5, Identity;q=0.6", Identity),
            ("gzip;q=0.5, identity;q=0.5", Gzip),
            ("identity", Identity),
            ("*", Brotli),
            ("*;q=0.1, br;q=0", Gzip),
            ("*;q=0", Identity),
            ("deflate, zstd", Identity),
            ("gzip;q=nonsense", Identity),
            ("gzip;q=NaN", Identity),
            ("x-gzip", Gzip),
        ] {
            let value = HeaderValue::from_str(value).unwrap();
            assert_eq!(Coding::wanted(&value), coding, "{value:?}");
        }
    }

    #[test]
    fn what_was_compressed_can_be_read_again() {
        let body = "{\"price\":1.10},".repeat(1_000).into_bytes();
        let gzip = Coding::Gzip.compress(&body).unwrap();
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..])
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, body);
        let coded = Coding::Brotli.compress(&body).unwrap();
        let mut read = Vec::new();
        brotli::BrotliDecompress(&mut &coded[..], &mut read).unwrap();
        assert_eq!(read, body);
        assert!(coded.len() < gzip.len() && gzip.len() < body.len() / 10);
        assert_eq!(Coding::Gzip.compress(b"x"), None, "it would grow");
    }
}
