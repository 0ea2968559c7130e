//! What the two sides say to each other, over whatever carries it. The sides take turns, so neither ever writes
//! to somebody who writes himself, and full buffers hold nobody up for ever.

use anyhow::ensure;
use benches::tools::cpus::stay_on;
use serde::{Deserialize, Serialize};

/// Bytes of the answer to a batch.
const ACKNOWLEDGEMENT: usize = 16;

/// What messages are filled with. Memory that was never written would be one page of zeros, however long it is.
const FILLING: u8 = 0x5a;

/// One end of what carries messages.
pub trait Way {
    /// Send a message. Where vectors themselves are carried it is gone after that, and `message` is empty.
    ///
    /// # Errors
    /// The other side has ended.
    fn send(&mut self, message: &mut Vec<u8>) -> anyhow::Result<()>;

    /// Wait for a message, which takes the place of what is in `message`. What carries bytes without ends reads
    /// as many as are there already. Nothing comes, and `false`, once the other side has dropped its end.
    ///
    /// # Errors
    /// Something else came.
    fn receive(&mut self, message: &mut Vec<u8>) -> anyhow::Result<bool>;
}

impl Way for Box<dyn Way> {
    fn send(&mut self, message: &mut Vec<u8>) -> anyhow::Result<()> {
        (**self).send(message)
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> anyhow::Result<bool> {
        (**self).receive(message)
    }
}

/// What is asked of the other side.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Pattern {
    /// To send each message back.
    RoundTrip,
    /// To take so many, and say so in one short message.
    Batch(u64),
}

/// Messages of one length, asked for and answered by one pattern.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Exchange {
    /// How it goes.
    pub pattern: Pattern,
    /// Length of a message.
    pub bytes: usize,
}

impl Exchange {
    /// The side that answers, on its CPU until the other end is dropped.
    ///
    /// # Errors
    /// What came is not what was sent.
    pub fn answer(self, mut way: impl Way, cpu: usize) -> anyhow::Result<()> {
        stay_on(cpu)?;
        let mut number = Number(0);
        let mut message = vec![FILLING; self.bytes];
        let mut answer = vec![FILLING; ACKNOWLEDGEMENT];
        while way.receive(&mut message)? {
            check(&message, self.bytes, number.next())?;
            let answer = match self.pattern {
                Pattern::RoundTrip => &mut message,
                Pattern::Batch(count) => {
                    for _ in 1..count {
                        let more = way.receive(&mut message)?;
                        ensure!(more, "the bench has ended within a batch");
                        check(&message, self.bytes, number.next())?;
                    }
                    answer.resize(ACKNOWLEDGEMENT, FILLING);
                    &mut answer
                }
            };
            stamp(answer, number.next());
            way.send(answer)?;
        }
        Ok(())
    }
}

/// The side that asks.
pub struct Asking<W> {
    way: W,
    exchange: Exchange,
    /// What vectors that are carried off are copied from.
    original: Vec<u8>,
    message: Vec<u8>,
    answer: Vec<u8>,
    number: Number,
}

impl<W: Way> Asking<W> {
    /// Over `way`.
    pub fn new(way: W, exchange: Exchange) -> Self {
        Self {
            way,
            exchange,
            original: vec![FILLING; exchange.bytes],
            message: vec![FILLING; exchange.bytes],
            answer: vec![FILLING; ACKNOWLEDGEMENT],
            number: Number(0),
        }
    }

    /// Ask, and wait for the answer.
    ///
    /// # Errors
    /// The other side has ended, or answered something else.
    pub fn ask(&mut self) -> anyhow::Result<()> {
        let (count, answer, bytes) = match self.exchange.pattern {
            Pattern::RoundTrip => (1, None, self.exchange.bytes),
            Pattern::Batch(count) => (count, Some(&mut self.answer), ACKNOWLEDGEMENT),
        };
        for _ in 0..count {
            if self.message.is_empty() {
                self.message.clone_from(&self.original);
            }
            stamp(&mut self.message, self.number.next());
            self.way.send(&mut self.message)?;
        }
        let answer = answer.unwrap_or(&mut self.message);
        let answered = self.way.receive(answer)?;
        ensure!(answered, "the worker has ended; see what it said");
        check(answer, bytes, self.number.next())
    }
}

/// The messages of both sides, counted.
#[derive(Clone, Copy, Debug)]
struct Number(u8);

impl Number {
    const fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// Make it known by its ends. Who loses or adds a byte shifts what follows, and is found out.
fn stamp(message: &mut [u8], number: u8) {
    if let [first, .., last] = message {
        (*first, *last) = (number, !number);
    }
}

fn check(message: &[u8], bytes: usize, number: u8) -> anyhow::Result<()> {
    let whole = message.len() == bytes
        && message.first() == Some(&number)
        && message.last() == Some(&!number);
    ensure!(
        whole,
        "a message of {} bytes from {:?} to {:?} came, not one of {bytes} from {number} to {}",
        message.len(),
        message.first(),
        message.last(),
        !number
    );
    Ok(())
}
