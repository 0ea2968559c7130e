//! Gates between processes: workers forked from this very program, which has one thread for that
//! reason, and so no test harness but the loop in `main`.

use std::{
    fs,
    io::{PipeReader, Read, Write, pipe},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::exit,
    sync::atomic::Ordering::SeqCst,
    thread::yield_now,
    time::Duration,
};

use nix::{
    libc::{SYS_accept4, c_long},
    sys::{
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::{Pid, alarm},
};
use schema::{Accept, Style};
use servers::{
    accept::{
        gate::{Gate, SharedGate},
        gated,
        shared_words::SharedWords,
    },
    blocking::{self, Attention, Listening, Terms, turn::Turn},
    cluster::fork::{Forked, Sole, fork_worker},
    drain::Drain,
    end::End,
    listener::listen,
    orders::{Carrier, Chain, Orders},
    spin::Spin,
};

/// No test takes longer, on any machine.
const PATIENCE_S: u32 = 120;

const GATES: [Accept; 2] = [Accept::FileLock, Accept::Mutex];

/// What is claimed, and the test of it.
type Test = (&'static str, fn(Accept));

const TESTS: [Test; 5] = [
    (
        "one worker at a time is through",
        one_worker_at_a_time_is_through,
    ),
    (
        "a blocking worker killed while it is through leaves the way to others",
        a_blocking_worker_killed_while_it_is_through_leaves_the_way_to_others,
    ),
    (
        "an event loop killed while it is through leaves the way to others",
        an_event_loop_killed_while_it_is_through_leaves_the_way_to_others,
    ),
    (
        "a worker in line ends when told, and so does the one that is through",
        a_worker_in_line_ends_when_told_and_so_does_the_one_that_is_through,
    ),
    (
        "no moment is wrong for a signal to workers behind a gate",
        no_moment_is_wrong_for_a_signal_to_workers_behind_a_gate,
    ),
];

fn main() {
    for accept in GATES {
        for (name, test) in TESTS {
            // A test whose event never comes is ended by this, and its workers with it.
            alarm::set(PATIENCE_S);
            test(accept);
            println!("test {name} ({accept}) ... ok");
        }
    }
}

fn one_worker_at_a_time_is_through(accept: Accept) {
    let gate = SharedGate::of(accept).unwrap();
    let words = SharedWords::new().unwrap();
    let workers = [(); 3].map(|()| {
        fork(|| {
            let attention = Attention::to(Chain::Primary).unwrap();
            let turn = Turn::behind(gate.for_worker().unwrap(), &attention);
            for _ in 0..300 {
                assert!(turn.wait());
                assert_eq!(words.lock.swap(1, SeqCst), 0);
                yield_now();
                assert_eq!(words.lock.swap(0, SeqCst), 1);
                turn.end();
            }
        })
    });
    for worker in workers {
        assert_eq!(reap(worker), WaitStatus::Exited(worker, 0));
    }
}

fn a_blocking_worker_killed_while_it_is_through_leaves_the_way_to_others(accept: Accept) {
    let gate = SharedGate::of(accept).unwrap();
    let (listener, address) = listen(anywhere(), Style::Blocking).unwrap();
    let mut workers = vec![];
    for _ in 0..3 {
        workers.push(start_blocking(&listener, &gate));
    }
    for _ in 0..2 {
        let through = wait_for_one_in(&workers, SYS_accept4);
        let dead = workers.swap_remove(through);
        kill(dead, Signal::SIGKILL).unwrap();
        assert_eq!(
            reap(dead),
            WaitStatus::Signaled(dead, Signal::SIGKILL, false)
        );
        gate.free_of(dead);
    }
    assert_eq!(ask(address), workers[0]);
    end(workers[0]);
}

fn an_event_loop_killed_while_it_is_through_leaves_the_way_to_others(accept: Accept) {
    let gate = SharedGate::of(accept).unwrap();
    let (listener, address) = listen(anywhere(), Style::Evented).unwrap();
    let first = start_evented(&listener, &gate);
    // Alone, it is through again as soon as it has answered, or else it is about to be.
    assert_eq!(ask(address), first);
    let second = start_evented(&listener, &gate);
    kill(first, Signal::SIGKILL).unwrap();
    assert_eq!(
        reap(first),
        WaitStatus::Signaled(first, Signal::SIGKILL, false)
    );
    gate.free_of(first);
    for _ in 0..10 {
        assert_eq!(ask(address), second);
    }
    let third = start_evented(&listener, &gate);
    end(second);
    assert_eq!(ask(address), third);
    end(third);
}

fn a_worker_in_line_ends_when_told_and_so_does_the_one_that_is_through(accept: Accept) {
    let gate = SharedGate::of(accept).unwrap();
    let (listener, address) = listen(anywhere(), Style::Blocking).unwrap();
    let mut workers = vec![];
    for _ in 0..3 {
        workers.push(start_blocking(&listener, &gate));
    }
    let through = workers.remove(wait_for_one_in(&workers, SYS_accept4));
    end(workers[0]);
    assert_eq!(ask(address), through);
    end(through);
    assert_eq!(ask(address), workers[1]);
    end(workers[1]);
}

fn no_moment_is_wrong_for_a_signal_to_workers_behind_a_gate(accept: Accept) {
    type Start = fn(&TcpListener, &SharedGate) -> Pid;
    let starts: [(Style, Start); 2] = [
        (Style::Blocking, start_blocking),
        (Style::Evented, start_evented),
    ];
    for round in 0..100 {
        let (style, start) = starts[round % 2];
        let gate = SharedGate::of(accept).unwrap();
        let (listener, address) = listen(anywhere(), style).unwrap();
        let workers = [(); 3].map(|()| start(&listener, &gate));
        let clients = [(); 4].map(|()| send(address));
        // Where workers are by now differs from round to round.
        for _ in 0..round * 10 {
            yield_now();
        }
        for worker in workers {
            kill(worker, Signal::SIGTERM).unwrap();
        }
        for client in clients {
            assert!(receive(client).is_some(), "round {round}");
        }
        for worker in workers {
            assert_eq!(reap(worker), WaitStatus::Exited(worker, 0));
        }
    }
}

fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn fork(work: impl FnOnce()) -> Pid {
    match fork_worker(&Sole::check().unwrap()).unwrap() {
        Forked::Primary(worker) => worker,
        Forked::Worker => {
            work();
            exit(0);
        }
    }
}

fn start_blocking(listener: &TcpListener, gate: &SharedGate) -> Pid {
    start(|accepting| {
        let attention = Attention::to(Chain::Primary).unwrap();
        let terms = Terms {
            spin: Spin::default(),
            drain_timeout: Duration::from_hours(1),
            keep_alive_requests: 1000,
        };
        let listener = listener.try_clone().unwrap();
        let source = Listening::new(listener, gate.for_worker().unwrap(), &attention);
        blocking::run(source, &attention, terms, accepting).unwrap()
    })
}

fn start_evented(listener: &TcpListener, gate: &SharedGate) -> Pid {
    start(|accepting| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = listener.try_clone().unwrap();
        let gate = gate.for_worker().unwrap();
        runtime.block_on(serve(listener, gate, accepting))
    })
}

async fn serve(listener: TcpListener, gate: Gate, accepting: impl FnOnce()) -> End {
    let mut orders = Orders::by(Carrier::Signals(Chain::Primary)).unwrap();
    let (drain, watch) = Drain::new();
    let entry = gated::Entry::new(listener, gate).unwrap();
    let accepting_ended = tokio::spawn(gated::run(entry, Spin::default(), watch));
    accepting();
    orders.next().await;
    drain.begin();
    drain.finished().await;
    accepting_ended.await.unwrap();
    End::Drained
}

/// A worker that accepts, or is in line to.
fn start(serve: impl FnOnce(Box<dyn FnOnce()>) -> End) -> Pid {
    let (mut reader, mut writer): (PipeReader, _) = pipe().unwrap();
    let worker = fork(|| {
        let accepting = Box::new(move || writer.write_all(&[1]).unwrap());
        assert_eq!(serve(accepting), End::Drained);
    });
    reader.read_exact(&mut [0]).unwrap();
    worker
}

/// Have a worker drain.
fn end(worker: Pid) {
    kill(worker, Signal::SIGTERM).unwrap();
    assert_eq!(reap(worker), WaitStatus::Exited(worker, 0));
}

fn reap(worker: Pid) -> WaitStatus {
    waitpid(worker, None).unwrap()
}

/// Which of `workers` sleeps in a system call, waiting until exactly one does and the others sleep
/// elsewhere.
fn wait_for_one_in(workers: &[Pid], call: c_long) -> usize {
    let sleeps_in = |worker: &Pid| {
        let text = fs::read_to_string(format!("/proc/{worker}/syscall")).unwrap();
        text.split(' ').next().and_then(|call| call.parse().ok())
    };
    loop {
        let calls: Vec<Option<c_long>> = workers.iter().map(sleeps_in).collect();
        assert!(calls.iter().filter(|&&found| found == Some(call)).count() < 2);
        if calls.iter().all(Option::is_some)
            && let Some(one) = calls.iter().position(|&found| found == Some(call))
        {
            return one;
        }
        yield_now();
    }
}

fn send(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    stream
}

/// Who answers.
fn receive(mut stream: TcpStream) -> Option<Pid> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, id) = answer.split_once("Hello from worker ")?;
    id.trim().parse().ok().map(Pid::from_raw)
}

fn ask(address: SocketAddr) -> Pid {
    receive(send(address)).unwrap()
}
