// 50, 30 and 20 % of the work by one inner loop, told apart by how it was reached: through a trait object of a generic
// type, in a `Drop` while a panic is caught behind several frames, and in a closure that a thread of its own runs.
// Usage: shares SECONDS (of CPU time)
use std::fmt::Debug;
use std::panic::{catch_unwind, resume_unwind};

/// A value that the compiler knows nothing of (`black_box` is younger than the oldest compiler here).
fn keep<T>(value: T) -> T {
    let kept = unsafe { std::ptr::read_volatile(&value) };
    std::mem::forget(value);
    kept
}

#[inline(never)]
fn burn(units: u64) -> u64 {
    let mut x = keep(1u64);
    for _ in 0..units * 1000 {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    }
    keep(x)
}

mod shop {
    use super::*;

    pub trait Rule {
        fn apply(&self, units: u64) -> u64;
    }

    pub struct Discount<T> {
        pub factor: T,
    }

    impl<T: Copy + Into<u64> + Debug> Rule for Discount<T> {
        #[inline(never)]
        fn apply(&self, units: u64) -> u64 {
            let burned = burn(units / self.factor.into());
            keep(burned) & 1
        }
    }

    #[inline(never)]
    pub fn price(rule: &dyn Rule, units: u64) -> u64 {
        keep(rule.apply(units)) + 1
    }

    pub struct Guard {
        pub units: u64,
    }

    impl Drop for Guard {
        #[inline(never)]
        fn drop(&mut self) {
            let burned = burn(self.units);
            keep(burned);
        }
    }

    #[inline(never)]
    pub fn refuse(depth: u64, units: u64) -> u64 {
        let guard = Guard { units: if depth == 2 { units } else { 0 } };
        if depth == 0 {
            resume_unwind(Box::new(depth));
        }
        let below = refuse(depth - 1, units);
        keep(&guard);
        below + 1
    }

    #[inline(never)]
    pub fn checkout(units: u64) -> bool {
        let refused = catch_unwind(|| refuse(4, units)).is_err();
        keep(refused)
    }

    #[inline(never)]
    pub fn each<F: Fn(u64) -> u64>(items: &[u64], work: F) -> u64 {
        let mut sum = 0;
        for item in items {
            sum += keep(work(*item));
        }
        sum
    }
}

#[inline(never)]
fn round_of_work(rule: &dyn shop::Rule) -> u64 {
    let mut sum = shop::price(rule, 500 * 2);
    sum += shop::checkout(300) as u64;
    let closure = |units| keep(burn(units)) & 1;
    sum += shop::each(keep(&[50, 150]), closure);
    keep(sum)
}

fn main() {
    let seconds: f64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let rule: Box<dyn shop::Rule> = Box::new(shop::Discount { factor: 2u8 });
    let start = cpu_seconds();
    while cpu_seconds() - start < seconds {
        some_rounds(&*rule);
        // Half of it in a thread of its own.
        let other = std::thread::spawn(|| {
            let rule: Box<dyn shop::Rule> = Box::new(shop::Discount { factor: 2u8 });
            some_rounds(&*rule);
        });
        other.join().unwrap();
    }
}

#[inline(never)]
fn some_rounds(rule: &dyn shop::Rule) {
    for _ in 0..8 {
        let sum = round_of_work(rule);
        keep(sum);
    }
}

/// Of the process.
fn cpu_seconds() -> f64 {
    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: i64,
    }
    extern "C" {
        fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
    }
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(2, &mut time) };
    time.seconds as f64 + time.nanoseconds as f64 / 1e9
}
