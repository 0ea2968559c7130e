//! Messages between a primary and its workers, the same between processes and between threads.

use std::{
    io::{Read, Write, pipe},
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Instant,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use servers::{
    endpoint,
    ledger::SeatStats,
    messages::{
        Announcement, Answer, AskError, ChannelError, ClusterStats, PrimaryEnd, Question,
        ToPrimary, ToWorker, WorkerEnd, ask, between_processes, between_threads, colleagues,
        install, tell,
    },
    spin::Spin,
};
use tokio::runtime;

use crate::{
    http::get,
    launch::PATIENCE,
    workers::{Kind, Worker, between_both},
};

between_both! {
    a_question_gets_its_answer_and_what_was_announced_before_it
    a_worker_that_never_reads_neither_stops_its_primary_nor_fills_its_memory
    a_primary_hears_the_last_word_of_a_worker_and_then_of_its_end
    a_worker_whose_primary_is_gone_is_told_at_once
    a_late_answer_is_not_taken_for_that_to_the_next_question
    a_worker_that_is_not_heard_is_told_so_and_can_speak_again_later
    an_event_loop_asks_many_questions_at_once_in_whatever_order_they_are_answered
    an_event_loop_whose_primary_is_gone_is_told_at_once
}

/// Some answer, recognised by its number.
fn numbered(number: u64) -> Answer {
    Answer::ClusterStats(ClusterStats {
        requests: number,
        ..ClusterStats::default()
    })
}

fn told(ids: &[u32]) -> ToWorker {
    ToWorker::Told(Announcement::Colleagues(ids.to_vec()))
}

/// The next message of a worker, as a primary waits for it, sending meanwhile what is left to send.
fn hear(primary: &mut PrimaryEnd) -> Result<ToPrimary, ChannelError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(message) = primary.receive()? {
            return Ok(message);
        }
        let mut events = PollFlags::POLLIN;
        events.set(PollFlags::POLLOUT, primary.wants_to_write());
        let mut waits = [PollFd::new(primary.fd(), events)];
        let left = deadline.saturating_duration_since(Instant::now());
        let woken = poll(&mut waits, PollTimeout::try_from(left).unwrap()).unwrap();
        assert_eq!(woken, 1, "nothing came");
        let can_write = waits[0].revents().unwrap().contains(PollFlags::POLLOUT);
        if can_write {
            primary.flush()?;
        }
    }
}

fn hear_question(primary: &mut PrimaryEnd) -> u64 {
    match hear(primary) {
        Ok(ToPrimary::Ask {
            id,
            question: Question::ClusterStats,
        }) => id,
        other => panic!("{other:?}"),
    }
}

/// Run this in an event loop that reaches its primary by `end`.
fn in_event_loop<F: Future>(end: WorkerEnd, work: impl FnOnce() -> F) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (end, dispatcher) = end.evented();
        install(end);
        tokio::spawn(dispatcher.run());
        work().await;
    });
}

fn a_question_gets_its_answer_and_what_was_announced_before_it(kind: Kind) {
    let (mut primary, worker) = Worker::with_channel(kind, |mut end| {
        end.tell(ToPrimary::Online).unwrap();
        let answer = end.ask(Question::ClusterStats).unwrap();
        assert_eq!(answer, numbered(7));
        assert_eq!(end.colleagues(), [4, 5]);
    });
    assert_eq!(hear(&mut primary).unwrap(), ToPrimary::Online);
    primary.send(told(&[1, 2, 3])).unwrap();
    primary.send(told(&[4, 5])).unwrap();
    let id = hear_question(&mut primary);
    let answer = numbered(7);
    primary.send(ToWorker::Answer { id, answer }).unwrap();
    worker.end();
}

fn a_worker_that_never_reads_neither_stops_its_primary_nor_fills_its_memory(kind: Kind) {
    let (mut may_read, mut allows) = pipe().unwrap();
    let (mut primary, worker) = Worker::with_channel(kind, move |mut end| {
        may_read.read_exact(&mut [0]).unwrap();
        assert_eq!(end.ask(Question::ClusterStats).unwrap(), numbered(7));
        assert_eq!(end.colleagues(), [9999; 1024]);
    });
    for number in 0..10_000 {
        primary.send(told(&[number; 1024])).unwrap();
        let answer = numbered(number.into());
        let id = u64::MAX;
        primary.send(ToWorker::Answer { id, answer }).unwrap();
    }
    allows.write_all(&[1]).unwrap();
    let id = hear_question(&mut primary);
    let answer = numbered(7);
    primary.send(ToWorker::Answer { id, answer }).unwrap();
    assert!(matches!(hear(&mut primary), Err(ChannelError::Closed)));
    worker.end();
}

fn a_primary_hears_the_last_word_of_a_worker_and_then_of_its_end(kind: Kind) {
    let (mut has_sent, mut sent) = pipe().unwrap();
    let (mut primary, worker) = Worker::with_channel(kind, move |mut end| {
        has_sent.read_exact(&mut [0]).unwrap();
        end.tell(ToPrimary::Leaving).unwrap();
        // It ends with news unread.
    });
    primary.send(told(&[1])).unwrap();
    sent.write_all(&[1]).unwrap();
    worker.end();
    assert_eq!(hear(&mut primary).unwrap(), ToPrimary::Leaving);
    for _ in 0..2 {
        assert!(matches!(hear(&mut primary), Err(ChannelError::Closed)));
        let sent = primary.send(told(&[1]));
        assert!(matches!(sent, Err(ChannelError::Closed)));
        assert!(!primary.wants_to_write());
    }
}

fn a_worker_whose_primary_is_gone_is_told_at_once(kind: Kind) {
    let (primary, worker) = Worker::with_channel(kind, |mut end| {
        let asked = end.ask(Question::ClusterStats);
        assert!(
            matches!(asked, Err(AskError::Channel(ChannelError::Closed))),
            "{asked:?}"
        );
    });
    drop(primary);
    worker.end();
}

fn a_late_answer_is_not_taken_for_that_to_the_next_question(kind: Kind) {
    let (mut primary, worker) = Worker::with_channel(kind, |mut end| {
        let unanswered = end.ask(Question::ClusterStats);
        assert!(matches!(unanswered, Err(AskError::Silence)));
        let answered = end.ask(Question::ClusterStats).unwrap();
        assert_eq!(answered, numbered(2));
    });
    let asked = [hear_question(&mut primary), hear_question(&mut primary)];
    for (id, number) in asked.into_iter().zip([1, 2]) {
        let answer = numbered(number);
        primary.send(ToWorker::Answer { id, answer }).unwrap();
    }
    worker.end();
}

fn a_worker_that_is_not_heard_is_told_so_and_can_speak_again_later(kind: Kind) {
    let (mut may_go_on, mut allows) = pipe().unwrap();
    let (mut is_full, mut tells) = pipe().unwrap();
    let (mut primary, worker) = Worker::with_channel(kind, move |mut end| {
        let full = loop {
            if let Err(error) = end.tell(ToPrimary::Online) {
                break error;
            }
        };
        assert!(matches!(full, ChannelError::Full));
        tells.write_all(&[1]).unwrap();
        may_go_on.read_exact(&mut [0]).unwrap();
        end.tell(ToPrimary::Leaving).unwrap();
    });
    is_full.read_exact(&mut [0]).unwrap();
    while let Some(message) = primary.receive().unwrap() {
        assert_eq!(message, ToPrimary::Online);
    }
    allows.write_all(&[1]).unwrap();
    assert_eq!(hear(&mut primary).unwrap(), ToPrimary::Leaving);
    worker.end();
}

fn an_event_loop_asks_many_questions_at_once_in_whatever_order_they_are_answered(kind: Kind) {
    const QUESTIONS: usize = 10;
    let (mut primary, worker) = Worker::with_channel(kind, |end| {
        in_event_loop(end, || async {
            tell(ToPrimary::Listening).unwrap();
            let asked: Vec<_> = (0..QUESTIONS)
                .map(|_| tokio::spawn(ask(Question::ClusterStats)))
                .collect();
            for (asked, number) in asked.into_iter().zip(1..) {
                assert_eq!(asked.await.unwrap().unwrap(), numbered(number));
            }
            assert_eq!(colleagues(), [1, 2, 3]);
        });
    });
    assert_eq!(hear(&mut primary).unwrap(), ToPrimary::Listening);
    primary.send(told(&[1, 2, 3])).unwrap();
    let asked = [(); QUESTIONS].map(|()| hear_question(&mut primary));
    for id in asked.into_iter().rev() {
        let answer = numbered(id);
        primary.send(ToWorker::Answer { id, answer }).unwrap();
    }
    worker.end();
}

fn an_event_loop_whose_primary_is_gone_is_told_at_once(kind: Kind) {
    let (mut primary, worker) = Worker::with_channel(kind, |end| {
        in_event_loop(end, || async {
            for _ in 0..2 {
                let asked = ask(Question::ClusterStats).await;
                assert!(
                    matches!(asked, Err(AskError::Channel(ChannelError::Closed))),
                    "{asked:?}"
                );
            }
        });
    });
    hear_question(&mut primary);
    drop(primary);
    worker.end();
}

#[test]
fn threads_that_steal_from_one_another_share_an_end() {
    let (mut primary, end) = between_threads().unwrap();
    let (end, dispatcher) = end.evented();
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(move || install(end.clone()))
        .enable_all()
        .build()
        .unwrap();
    runtime.spawn(dispatcher.run());
    let asked: Vec<_> = (0..10)
        .map(|_| runtime.spawn(ask(Question::ClusterStats)))
        .collect();
    for _ in &asked {
        let id = hear_question(&mut primary);
        let answer = numbered(7);
        primary.send(ToWorker::Answer { id, answer }).unwrap();
    }
    for asked in asked {
        assert_eq!(runtime.block_on(asked).unwrap().unwrap(), numbered(7));
    }
}

#[test]
fn what_is_too_long_for_a_packet_is_refused_and_the_next_message_is_not() {
    let (mut primary, mut worker) = between_processes().unwrap();
    let refused = primary.send(told(&vec![u32::MAX; 100_000])).unwrap_err();
    assert!(matches!(refused, ChannelError::TooLong { .. }));
    assert!(refused.to_string().contains("too long"), "{refused}");

    let longest = SeatStats {
        seat: usize::MAX,
        generation: u64::MAX,
        worker: u32::MAX,
        pid: u32::MAX,
        requests: u64::MAX,
        connections: u64::MAX,
        started_unix_ns: u64::MAX,
    };
    let stats = Answer::ClusterStats(ClusterStats {
        workers: vec![longest; 1024],
        ..ClusterStats::default()
    });
    primary.send(told(&[u32::MAX; 1024])).unwrap();
    thread::scope(|scope| {
        let asking = scope.spawn(|| worker.ask(Question::ClusterStats).unwrap());
        let id = hear_question(&mut primary);
        let answer = stats.clone();
        primary.send(ToWorker::Answer { id, answer }).unwrap();
        assert_eq!(asking.join().unwrap(), stats);
    });
    assert_eq!(worker.colleagues(), [u32::MAX; 1024]);
}

#[test]
fn a_request_whose_worker_waits_for_its_primary_in_vain_is_refused() {
    let (primary, end) = between_threads().unwrap();
    let (teller, told) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        in_event_loop(end, || async move {
            let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
            let listener = tokio::net::TcpListener::bind(any).await.unwrap();
            teller.send(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let answer = service_fn(|request| {
                endpoint::answer(request, schema::Style::Evented, Spin::default())
            });
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await
                .unwrap();
        });
    });
    let answer = get(told.recv().unwrap(), "/stats");
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.body,
        "cannot tell what the cluster has served: the primary gave no answer within 5s; ask again, \
         or look at what it is busy with\n"
    );
    server.join().unwrap();
    drop(primary);
}
