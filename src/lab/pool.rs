//! Work on several threads, results in order.
//!
//! Runs share nothing, so each thread takes the next number and works on it alone. A result is handed on as soon as
//! all results before it were: whoever prints them prints the same with any number of threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// Does `work` for the numbers below `count` on `jobs` threads and hands the results to `take` in order. No new work
/// begins once `stop` is set; results of work that began before a gap are dropped.
pub(super) fn in_order<T: Send>(
    jobs: usize,
    count: usize,
    stop: &AtomicBool,
    work: &(dyn Fn(usize) -> T + Sync),
    take: &mut dyn FnMut(T),
) {
    let next = AtomicUsize::new(0);
    // A thread that is far ahead waits here, so that few finished results are ever kept.
    let (sender, results) = mpsc::sync_channel(jobs);
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count || sender.send((number, work(number))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let (mut early, mut wanted) = (BTreeMap::new(), 0);
        for (number, result) in results {
            early.insert(number, result);
            while let Some(result) = early.remove(&wanted) {
                take(result);
                wanted += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        for jobs in [1, 2, 7, 100] {
            let mut taken = Vec::new();
            let work = |number: usize| {
                std::thread::sleep(std::time::Duration::from_micros((number as u64 * 7919) % 200));
                number * number
            };
            in_order(jobs, 40, &AtomicBool::new(false), &work, &mut |result| taken.push(result));
            assert_eq!(taken, (0..40).map(|number| number * number).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_begins_after_a_stop() {
        let stop = AtomicBool::new(false);
        let mut taken = Vec::new();
        let work = |number| {
            if number == 3 {
                stop.store(true, Ordering::Relaxed);
            }
            number
        };
        in_order(1, 1000, &stop, &work, &mut |number| taken.push(number));
        assert_eq!(taken, [0, 1, 2, 3]);
    }
}
