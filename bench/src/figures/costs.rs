//! What executions cost on AWS beside Step Functions: exact counts, priced.

use bench::costs::bill::Terms;
use bench::costs::comparison::{self, Comparison};
use bench::costs::idle::idle;
use bench::costs::waiting::parking;
use bench::costs::workload::Arrival;
use bench::report::{Figure, Report};

/// Units and dollars of the workloads, an idle month, and when parking pays.
pub fn costs(report: &mut Report) {
    let mut compared = None;
    report.measure(&["cost_w1", "cost_w2", "cost_w4", "cost_w6"], || {
        let comparison = Comparison::measure()?;
        let figures = workloads(&comparison);
        compared = Some(comparison);
        Ok(figures)
    });
    let names = ["cost_idle_dollars", "cost_idle_dollars_five_pollers"];
    report.measure(&names, || {
        let idle = idle(&Terms::of_template()?)?;
        let [two, five] = names;
        Ok(vec![
            Figure::at_most(1.0, two, idle.total(2), "$ a month"),
            Figure::given(five, idle.total(5), "$ a month"),
        ])
    });
    let names = ["cost_parking_pays_steady_seconds", "cost_parking_pays_trickle_seconds"];
    report.measure(&names, || {
        let terms = Terms::of_template()?;
        let [steady, trickle] = names;
        let pays = |arrival| parking(&terms, arrival).map(|parking| parking.pays_from_seconds());
        Ok(vec![
            Figure::given(steady, pays(Arrival::Steady)?, "s"),
            Figure::given(trickle, pays(Arrival::Trickle)?, "s"),
        ])
    });
    if let Some(comparison) = compared {
        println!("{}", comparison::table(&comparison));
    }
}

fn workloads(it: &Comparison) -> Vec<Figure> {
    let write_units =
        |counted: &bench::costs::workload::Counted| counted.each(|spent| spent.usage.write_units);
    let queue = |counted: &bench::costs::workload::Counted| counted.each(|spent| spent.usage.queue_requests);
    vec![
        Figure::at_most(2.0, "cost_w1_wru", write_units(&it.chain), "units"),
        Figure::at_most(0.0, "cost_w1_sqs_requests", queue(&it.chain), "requests"),
        Figure::at_least(100.0, "cost_w1_ratio_standard", it.ratio(&it.chain), "x"),
        Figure::at_most(10.0, "cost_w2_wru", write_units(&it.calls_steady), "units"),
        Figure::at_most(4.0, "cost_w2_sqs_requests", queue(&it.calls_trickle), "requests"),
        Figure::at_most(1.0, "cost_w2_serial_writes_per_task", it.serial_writes_per_task(), "writes"),
        Figure::at_most(5.0, "cost_w2_disturbed_percent", it.disturbed_percent(), "%"),
        Figure::at_least(15.0, "cost_w2_ratio_standard_steady", it.ratio(&it.calls_steady), "x"),
        Figure::at_least(12.0, "cost_w2_ratio_standard_trickle", it.ratio(&it.calls_trickle), "x"),
        Figure::given("cost_w2_10k_wru", write_units(&it.calls_10k), "units"),
        Figure::at_least(5.0, "cost_w2_10k_ratio_standard", it.ratio(&it.calls_10k), "x"),
        Figure::given("cost_w2_256k_ratio_standard", it.ratio(&it.calls_256k), "x"),
        Figure::given(
            "cost_w2_storage_dollars_month",
            it.bill(&it.calls_steady).storage_month,
            "$ a million",
        ),
        Figure::given("cost_w2_retention_wru", write_units(&it.calls_retention), "units"),
        Figure::given("cost_w2_retention_dollars", it.bill(&it.calls_retention).total(), "$ a million"),
        Figure::at_most(10.0, "cost_w4_wru", write_units(&it.callback), "units"),
        Figure::at_least(9.0, "cost_w4_ratio_standard", it.ratio(&it.callback), "x"),
        Figure::given("cost_w4_ratio_standard_with_ends", it.ratio_with_ends(&it.callback), "x"),
        Figure::given("cost_w6_wru", write_units(&it.slow_calls), "units"),
        Figure::given("cost_w6_ratio_standard", it.ratio(&it.slow_calls), "x"),
    ]
}
