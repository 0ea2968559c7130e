//! A ring between two threads of one process.

use std::thread;

use proptest::prelude::*;

use super::*;

const SLEEPING: Waiting = Waiting::Sleeping(Duration::ZERO);
const SPINNING_FIRST: Waiting = Waiting::Sleeping(Duration::from_micros(20));

fn pair(waiting: Waiting) -> (End, End) {
    let (one, parts) = End::new(waiting).unwrap();
    (one, End::open(parts, waiting).unwrap())
}

fn message(number: usize, length: usize) -> Vec<u8> {
    (0..length)
        .map(|place| (number * 31 + place * 7 + place / 251).to_le_bytes()[0])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn messages_of_any_length_arrive_in_order_while_others_go_the_other_way(
        lengths in prop::collection::vec(
            prop_oneof![4 => 0..200_usize, 2 => 0..CAPACITY + 10, 1 => 0..3 * CAPACITY],
            1..40,
        ),
        waiting in prop_oneof![Just(SLEEPING), Just(SPINNING_FIRST)],
    ) {
        let (mut one, mut other) = pair(waiting);
        let expected = lengths.clone();
        let echoing = thread::spawn(move || {
            let mut received = Vec::new();
            for (number, length) in expected.into_iter().enumerate() {
                other.receive(&mut received).unwrap();
                assert!(received == message(number, length), "message {number} differs");
                other.send(&message(number + 1, length / 2)).unwrap();
            }
            assert_eq!(other.receive(&mut received), Err(Closed));
        });
        // Answers are left unread as long as they fit, so that both streams are full at times.
        let (mut unread, mut read) = (0, 0);
        let mut answer = Vec::new();
        let mut check = |one: &mut End, read: usize| {
            one.receive(&mut answer).unwrap();
            assert!(answer == message(read + 1, lengths[read] / 2), "answer {read} differs");
        };
        for (number, &length) in lengths.iter().enumerate() {
            while unread + length / 2 + 4 > CAPACITY / 2 && read < number {
                check(&mut one, read);
                unread -= lengths[read] / 2 + 4;
                read += 1;
            }
            one.send(&message(number, length)).unwrap();
            unread += length / 2 + 4;
        }
        for read in read..lengths.len() {
            check(&mut one, read);
        }
        drop(one);
        echoing.join().unwrap();
    }
}

#[test]
fn many_short_messages_by_turns_lose_no_wake_up() {
    for waiting in [SLEEPING, SPINNING_FIRST] {
        let (mut one, mut other) = pair(waiting);
        let echoing = thread::spawn(move || {
            let mut message = Vec::new();
            while other.receive(&mut message).is_ok() {
                other.send(&message).unwrap();
            }
        });
        let mut answer = Vec::new();
        for number in 0..20_000_u64 {
            one.send(&number.to_ne_bytes()).unwrap();
            one.receive(&mut answer).unwrap();
            assert_eq!(answer, number.to_ne_bytes());
        }
        drop(one);
        echoing.join().unwrap();
    }
}

#[test]
fn a_sender_that_is_ahead_waits_for_a_slot() {
    for waiting in [SLEEPING, SPINNING_FIRST, Waiting::Spinning] {
        let (mut one, mut other) = pair(waiting);
        let sending = thread::spawn(move || {
            for number in 0..10 * MOST_UNREAD {
                one.send(&message(number, number % 200)).unwrap();
            }
        });
        let mut received = Vec::new();
        for number in 0..10 * MOST_UNREAD {
            if number % 700 == 0 {
                // The sender runs ahead until all slots are full.
                let place = other.into.mark(other.taken + MOST_UNREAD as u64 - 1);
                let last = other.taken + MOST_UNREAD as u64 - 1;
                while length_by(other.shared.at(place).load(Acquire), last).is_none() {
                    thread::yield_now();
                }
            }
            other.receive(&mut received).unwrap();
            assert!(
                received == message(number, number % 200),
                "message {number} differs"
            );
        }
        assert_eq!(other.receive(&mut received), Err(Closed));
        sending.join().unwrap();
    }
}

#[test]
fn a_sender_that_waits_for_a_slot_is_told_that_nobody_reads_any_more() {
    let (mut one, other) = pair(SLEEPING);
    let sending = thread::spawn(move || {
        let sent = (0..=MOST_UNREAD).map(|_| one.send(b"short"));
        sent.collect::<Result<Vec<()>, Closed>>().map(drop)
    });
    drop(other);
    assert_eq!(sending.join().unwrap(), Err(Closed));
}

#[test]
fn what_was_sent_before_an_end_was_dropped_arrives_and_then_it_is_closed() {
    let (mut one, mut other) = pair(SLEEPING);
    one.send(b"last").unwrap();
    drop(one);
    let mut message = Vec::new();
    assert_eq!(other.receive(&mut message), Ok(()));
    assert_eq!(message, b"last");
    assert_eq!(other.receive(&mut message), Err(Closed));
}

#[test]
fn a_sender_that_waits_for_room_is_told_that_nobody_reads_any_more() {
    let (mut one, other) = pair(SLEEPING);
    let sending = thread::spawn(move || one.send(&vec![1; 2 * CAPACITY]));
    drop(other);
    assert_eq!(sending.join().unwrap(), Err(Closed));
}

#[test]
fn an_end_whose_other_process_ended_without_a_word_is_closed() {
    for waiting in [SLEEPING, Waiting::Spinning] {
        let (mut one, parts) = End::new(waiting).unwrap();
        // As the kernel does it: the descriptors are closed, and nothing is written anywhere.
        drop(parts);
        assert_eq!(one.receive(&mut Vec::new()), Err(Closed));
    }
}

#[test]
fn memory_that_is_no_ring_is_refused() {
    let (_, [_, lifeline]) = End::new(SLEEPING).unwrap();
    let memory = SharedMemory::new(4096).unwrap();
    let memory = memory.as_fd().try_clone_to_owned().unwrap();
    let error = End::open([memory, lifeline], SLEEPING).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}
