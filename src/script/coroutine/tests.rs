use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::stacks::{STACK_SIZE, STACKS};
use super::*;

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = crate::runtime::current_thread().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

fn coroutine<T: 'static>(function: impl FnOnce() -> T + 'static) -> Coroutine<T> {
    Coroutine::new(Rc::new(()), function).unwrap()
}

/// Counts the values of this type that are alive.
struct Alive(Rc<Cell<i32>>);

impl Alive {
    fn new(count: &Rc<Cell<i32>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn a_call_that_waits_suspends_only_its_own_coroutine() {
    run(async {
        let (call, called) = tokio::sync::oneshot::channel();
        let waits = coroutine(move || wait(called).unwrap());
        let calls = coroutine(move || call.send(7));
        assert_eq!(tokio::join!(waits, calls), (Ok(7), Ok(())));
    });
}

#[test]
fn dropping_a_suspended_coroutine_drops_what_lives_on_its_stack() {
    run(async {
        let count = Rc::new(Cell::new(0));
        let inside = Rc::clone(&count);
        let suspended = coroutine(move || {
            let _alive = Alive::new(&inside);
            wait(std::future::pending::<()>())
        });
        assert!(tokio::time::timeout(Duration::from_millis(10), suspended).await.is_err());
        assert_eq!((count.get(), Rc::strong_count(&count)), (0, 1));
    });
}

#[test]
fn a_coroutine_that_never_ran_can_be_dropped() {
    let count = Rc::new(Cell::new(0));
    let alive = Alive::new(&count);
    drop(coroutine(move || drop(alive)));
    assert_eq!(count.get(), 0);
}

#[test]
fn a_panic_reaches_the_poller_and_the_next_coroutine_works() {
    run(async {
        let joined = tokio::task::spawn_local(coroutine(|| {
            wait(tokio::task::yield_now()).unwrap();
            panic!("inside")
        }));
        assert!(joined.await.unwrap_err().is_panic());
        assert!(CURRENT.with_borrow(Option::is_none));
        assert_eq!(coroutine(|| wait(async { 7 })).await, Ok(7));
    });
}

#[test]
fn a_wait_inside_of_a_wait_is_refused() {
    run(async {
        let waiting = coroutine(|| wait(async { wait(async {}).is_ok() }));
        assert!(tokio::task::spawn_local(waiting).await.unwrap_err().is_panic());
        assert_eq!(coroutine(|| wait(async { 7 })).await, Ok(7));
    });
}

#[test]
fn a_future_that_is_waited_for_runs_on_the_stack_of_the_thread() {
    fn is_on_stack_of(base: usize) -> bool {
        let here = 0_u8;
        (base - STACK_SIZE..base).contains(&(&raw const here).addr())
    }
    run(async {
        let places = coroutine(|| {
            let base = CURRENT.with_borrow(|frame| frame.as_ref().unwrap().base);
            (is_on_stack_of(base), wait(async move { is_on_stack_of(base) }))
        });
        assert_eq!(places.await, (true, Ok(false)));
    });
}

#[test]
fn others_have_their_turn_beside_waits_that_are_over_at_once() {
    run(async {
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        tokio::task::spawn_local(async move {
            loop {
                counted.set(counted.get() + 1);
                tokio::task::yield_now().await;
            }
        });
        let waiting = coroutine(move || while turns.get() < 3 && wait(async {}).is_ok() {});
        tokio::task::spawn_local(waiting).await.unwrap();
    });
}

#[test]
fn a_stop_ends_the_wait_under_way() {
    run(async {
        let mut waiting =
            pin!(coroutine(|| (wait(std::future::pending::<()>()), halt(usize::MAX), halt(0))));
        assert!(tokio::time::timeout(Duration::from_millis(10), waiting.as_mut()).await.is_err());
        waiting.stop(Stop::Deadline);
        let stopped = Some(Halt::Stopped(Stop::Deadline));
        assert_eq!(waiting.await, (Err(Stop::Deadline), stopped, Some(Halt::StackShort)));
    });
}

/// Works until the turn of the running coroutine is over.
fn turn() {
    while !is_turn_over() {
        std::hint::spin_loop();
    }
}

#[test]
fn long_work_finds_out_that_the_script_has_to_end() {
    run(async {
        let work = || {
            turn();
            has_to_end()
        };
        // In a future, by the clock: nobody else has a turn before it is ready.
        let awaited = move || wait(async move { work() });
        let ended = coroutine(awaited).until(Instant::now()).await;
        assert_eq!(ended, Ok(Some(Stop::Deadline)));
        let later = Instant::now() + Duration::from_hours(1);
        assert_eq!(coroutine(awaited).until(later).await, Ok(None));
        let cleaning_up = coroutine(move || {
            pardon();
            awaited()
        });
        assert_eq!(cleaning_up.until(Instant::now()).await, Ok(None));
        // In the script itself, by whoever had a turn meanwhile.
        let mut working = pin!(coroutine(move || (work(), work())));
        assert!(
            std::future::poll_fn(|cx| Poll::Ready(working.as_mut().poll(cx).is_pending())).await
        );
        working.stop(Stop::Interrupt);
        assert_eq!(working.await, (Some(Stop::Interrupt), Some(Stop::Interrupt)));
    });
}

#[test]
fn coroutines_nest_and_each_sees_its_own_context() {
    run(async {
        let inner = Coroutine::new(Rc::new(2), || context::<i32>().map(|n| *n)).unwrap();
        let outer = Coroutine::new(Rc::new(1), move || {
            let inner = wait(inner).unwrap();
            (context::<i32>().map(|n| *n), inner)
        });
        assert_eq!(outer.unwrap().await, (Some(1), Some(2)));
        assert!(context::<i32>().is_none());
    });
}

#[test]
fn the_end_of_the_stack_is_seen_before_it_is_reached() {
    fn deeper(levels: u32) -> u32 {
        let pad = std::hint::black_box([0_u8; 4096]);
        let short = halt(CALLS_SIZE).is_some();
        if short { levels } else { deeper(levels + 1) + u32::from(pad[0]) }
    }
    let levels = run(coroutine(|| deeper(0)));
    assert!(levels > 100, "{levels} levels");
}

/// Waits when it is dropped, and stores the error of that wait.
struct Waiting(Rc<Cell<Option<Stop>>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.set(wait(tokio::task::yield_now()).err());
    }
}

#[test]
fn a_destructor_cannot_wait_while_its_stack_is_unwound() {
    run(async {
        let refused = Rc::new(Cell::new(None));
        let inside = Rc::clone(&refused);
        let panicking = coroutine(move || {
            let _waiting = Waiting(inside);
            panic!("inside")
        });
        assert!(tokio::task::spawn_local(panicking).await.unwrap_err().is_panic());
        assert_eq!(refused.take(), Some(Stop::Interrupt), "after a panic");

        let inside = Rc::clone(&refused);
        let dropped = coroutine(move || {
            let _waiting = Waiting(inside);
            wait(std::future::pending::<()>())
        });
        assert!(tokio::time::timeout(Duration::from_millis(10), dropped).await.is_err());
        assert_eq!(refused.take(), Some(Stop::Interrupt), "after a drop");
    });
}

#[test]
fn a_panic_leaves_no_yielder() {
    run(async {
        let mut panicking = Box::pin(coroutine(|| panic!("inside")));
        let frame = Rc::clone(&panicking.frame);
        let polled = poll_fn(|cx| {
            let poll = || panicking.as_mut().poll(cx).map(|(): ()| ());
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll));
            Poll::Ready(caught.is_err())
        });
        assert!(polled.await);
        assert!(frame.yielder.get().is_null());
    });
}

#[test]
fn others_use_the_thread_locals_while_a_script_waits() {
    run(async {
        let waiting = coroutine(|| {
            let free = || CURRENT.with(|c| c.try_borrow_mut().is_ok());
            wait(async move { free() && STACKS.with(|s| s.try_borrow_mut().is_ok()) })
        });
        assert_eq!(waiting.await, Ok(true));
    });
}

#[test]
fn stacks_are_used_again() {
    run(async {
        coroutine(|| ()).await;
        let idle = STACKS.with_borrow(Vec::len);
        for _ in 0..10 {
            coroutine(|| wait(tokio::task::yield_now())).await.unwrap();
        }
        assert_eq!(STACKS.with_borrow(Vec::len), idle);
    });
}

#[test]
fn what_other_threads_hold_for_a_script_counts_as_its_own() {
    let bytes = Arc::<AtomicUsize>::default();
    let halted = coroutine(move || {
        hold_elsewhere(Arc::clone(&bytes));
        let before = halt(usize::MAX);
        bytes.store(2 << 20, Ordering::Relaxed);
        (before, halt(usize::MAX))
    });
    let halted = run(halted.allow(1 << 20));
    assert_eq!(halted, (None, Some(Halt::Stopped(Stop::Memory))));
}
