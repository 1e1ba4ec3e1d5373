//! Counts the allocations of the JSONPath chain and prints how many a transition makes.

use bench::workload;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn main() {
    let chain = workload::json_path_chain();
    let _profiler = dhat::Profiler::builder().testing().build();
    let before = dhat::HeapStats::get().total_blocks;
    workload::run(&chain);
    let blocks = dhat::HeapStats::get().total_blocks - before;
    println!("{:.3}", blocks as f64 / chain.transitions as f64);
}
