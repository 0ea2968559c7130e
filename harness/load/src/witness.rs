//! Who answered: the worker id in the body.

const PREFIX: &[u8] = b"Hello from worker ";

/// The first bytes of a body, as many as the longest greeting has, its whole length, and whether the rest
/// of it is filler.
#[derive(Clone, Copy, Debug)]
pub struct BodyStart {
    bytes: [u8; Self::CAPACITY],
    kept: u8,
    length: u64,
    /// Those that were not kept are dots, every one.
    dotted: bool,
}

impl Default for BodyStart {
    fn default() -> Self {
        Self {
            bytes: [0; Self::CAPACITY],
            kept: 0,
            length: 0,
            dotted: true,
        }
    }
}

impl BodyStart {
    const CAPACITY: usize = 40;

    /// Of a body that came in one piece.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let mut start = Self::default();
        start.extend(body);
        start
    }

    /// Takes the next bytes of the body.
    pub fn extend(&mut self, bytes: &[u8]) {
        let start = usize::from(self.kept);
        let taken = bytes.len().min(Self::CAPACITY - start);
        self.bytes[start..start + taken].copy_from_slice(&bytes[..taken]);
        // At most CAPACITY, which fits.
        #[allow(clippy::cast_possible_truncation)]
        {
            self.kept = (start + taken) as u8;
        }
        self.length += bytes.len() as u64;
        let rest = &bytes[taken..];
        if self.dotted && !rest.is_empty() {
            // Without a way out of the loop it is made of vector instructions.
            self.dotted = rest.iter().fold(0, |other, byte| other | (byte ^ b'.')) == 0;
        }
    }

    /// What was kept of the body.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        &self.bytes[..usize::from(self.kept)]
    }

    /// The length of the whole body, in bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The whole body, where it was short enough to be kept.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        (u64::from(self.kept) == self.length).then(|| self.kept())
    }

    /// The id in a body of this length that is `Hello from worker <id>\n` and dots behind it, nothing else.
    #[must_use]
    pub fn worker_before_dots(&self, length: u64) -> Option<u64> {
        let kept = self.kept();
        let end = kept.iter().position(|&byte| byte == b'\n')? + 1;
        let (greeting, dots) = kept.split_at(end);
        let dotted = self.dotted && dots.iter().all(|&byte| byte == b'.');
        (dotted && self.length == length)
            .then(|| worker_id(greeting))
            .flatten()
    }
}

/// The id in `Hello from worker <id>\n`: decimal digits, one newline, nothing else.
#[must_use]
pub fn worker_id(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(PREFIX)?.strip_suffix(b"\n")?;
    // 19 digits always fit in 64 bits.
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |id, digit| {
        digit
            .is_ascii_digit()
            .then(|| id * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_read_from_a_correct_body_only() {
        assert_eq!(worker_id(b"Hello from worker 4711\n"), Some(4711));
        for wrong in [
            &b"Hello from worker \n"[..],
            b"Hello from worker 4711",
            b"Hello from worker 47a1\n",
            b"Hello from worker -1\n",
            b"Hello from worker 1\n\n",
            b"hello from worker 1\n",
            b"Hello from worker 99999999999999999999\n",
            b"",
        ] {
            assert_eq!(
                worker_id(wrong),
                None,
                "{:?}",
                String::from_utf8_lossy(wrong)
            );
        }
    }

    #[test]
    fn a_body_longer_than_what_is_kept_is_never_whole() {
        let mut body = BodyStart::default();
        body.extend(b"Hello from worker 1");
        body.extend(b"\n");
        assert_eq!(body.whole().and_then(worker_id), Some(1));
        body.extend(&[b'x'; 100]);
        assert_eq!(body.whole(), None);
        assert_eq!(body.length(), 120);
    }
    #[test]
    fn the_id_before_dots_is_read_only_where_length_and_filler_are_right() {
        let filled = |greeting: &str, length: usize| {
            let mut body = greeting.as_bytes().to_vec();
            body.resize(length, b'.');
            body
        };
        for (greeting, id) in [
            ("Hello from worker 7\n", 7),
            (
                "Hello from worker 9223372036854775807\n",
                9_223_372_036_854_775_807,
            ),
        ] {
            for length in [greeting.len(), 39, 40, 41, 4_000] {
                let body = filled(greeting, length);
                let expected = length as u64;
                assert_eq!(BodyStart::of(&body).worker_before_dots(expected), Some(id));
                for wrong in [expected - 1, expected + 1] {
                    assert_eq!(BodyStart::of(&body).worker_before_dots(wrong), None);
                }
                let mut in_pieces = BodyStart::default();
                body.chunks(7).for_each(|piece| in_pieces.extend(piece));
                assert_eq!(in_pieces.worker_before_dots(expected), Some(id));
            }
        }
        for spoilt in [21, 39, 40, 2_000, 3_999] {
            let mut body = filled("Hello from worker 7\n", 4_000);
            body[spoilt] = b'x';
            assert_eq!(BodyStart::of(&body).worker_before_dots(4_000), None);
        }
        assert_eq!(BodyStart::of(&[b'.'; 50]).worker_before_dots(50), None);
    }
}
