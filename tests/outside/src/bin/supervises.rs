//! A supervisor to be killed: starts its argument from a thread that ends at once, says its number,
//! and waits.

use std::time::Duration;

use failfast_alloc::supervise::Command;

fn main() {
    let program = std::env::args_os().nth(1).unwrap();
    let starts = std::thread::spawn(move || Command::new(program).arg("sleep").spawn().unwrap());
    let mut running = starts.join().unwrap();
    println!("{}", running.pid());
    if let Some(verdict) = running.wait_timeout(Duration::from_secs(600)).unwrap() {
        println!("{verdict}");
    }
}
