//! The accounts of all clusters, as metrics.

use std::collections::BTreeMap;
use std::fmt;

use failfast_alloc::{Cluster, Usage};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Reads the accounts when it is asked.
#[derive(Debug)]
pub(crate) struct Clusters;

/// The clusters of one name within one parent. Names need not be unique, but a time series must be:
/// two with the same labels would make the whole page invalid.
#[derive(Default)]
struct Group {
    clusters: i64,
    over_soft_budget: i64,
    live: i64,
    /// The largest of any of them: the sum of peaks that were at different times means nothing.
    peak: i64,
    /// The sums, if each has one.
    budget: Option<i64>,
    soft_budget: Option<i64>,
}

type Groups = BTreeMap<String, (String, Group)>;

/// The groups by their paths, each with its name.
fn groups() -> Groups {
    let mut groups = Groups::new();
    for cluster in Cluster::list() {
        let (_, group) = groups.entry(path(&cluster)).or_insert_with(|| {
            let (budget, soft_budget) = (Some(0), Some(0));
            (cluster.name().to_string(), Group { budget, soft_budget, ..Group::default() })
        });
        group.add(cluster.usage(), cluster.over_soft_budget());
    }
    groups
}

/// `root/tenant-1/job`. A slash cannot be in a name.
fn path(cluster: &Cluster) -> String {
    match cluster.parent() {
        Some(parent) => path(&parent) + "/" + cluster.name(),
        None => cluster.name().to_string(),
    }
}

impl Group {
    fn add(&mut self, usage: Usage, is_over: bool) {
        self.clusters += 1;
        self.over_soft_budget += i64::from(is_over);
        self.live += usage.live as i64;
        self.peak = self.peak.max(usage.peak as i64);
        let add = |sum: Option<i64>, one: Option<usize>| Some(sum? + one? as i64);
        self.budget = add(self.budget, usage.budget);
        self.soft_budget = add(self.soft_budget, usage.soft_budget);
    }
}

impl Collector for Clusters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let groups = groups();
        let mut gauge = |name, help, unit: Option<&Unit>, of: fn(&Group) -> Option<i64>| {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (path, (name, group)) in &groups {
                if let Some(value) = of(group) {
                    let labels = [("cluster", name.as_str()), ("path", path.as_str())];
                    ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
                }
            }
            Ok(())
        };
        let bytes = Some(&Unit::Bytes);
        gauge("failfast_live", "Allocated and not yet freed", bytes, |group| Some(group.live))?;
        gauge("failfast_peak", "The most that one of them had live", bytes, |group| {
            Some(group.peak)
        })?;
        gauge("failfast_budget", "More ends the process; none without one", bytes, |group| {
            group.budget
        })?;
        gauge("failfast_soft_budget", "More is told; none without one", bytes, |group| {
            group.soft_budget
        })?;
        gauge("failfast_clusters", "Clusters of this path", None, |group| Some(group.clusters))?;
        gauge("failfast_over_soft_budget", "How many are over their soft budgets", None, |group| {
            Some(group.over_soft_budget)
        })
    }
}
