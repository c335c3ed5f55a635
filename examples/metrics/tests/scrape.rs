//! The page, scraped as Prometheus does, and read by what its format says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

const MIB: u64 = 1 << 20;
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A server that stops after so many requests.
fn start(requests: usize) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metrics-example"));
    command.args(["--listen", "127.0.0.1:0", "--requests", &requests.to_string()]);
    command.env("FAILFAST_BUDGET", "256MiB").env_remove("FAILFAST_REPORT");
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let address = address.strip_suffix("/metrics").unwrap().to_string();
    (server, address)
}

/// The status line, the headers, and the body.
fn get(address: &str, path: &str) -> (String, BTreeMap<String, String>, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.lines().map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_string())
    });
    (status.to_string(), headers.collect(), body.to_string())
}

/// By name and path. Every line must be one that the format knows, and no series may come twice.
fn parse(page: &str) -> BTreeMap<(String, String), u64> {
    let lines = page.strip_suffix("# EOF\n").expect("it ends with an EOF");
    let (mut values, mut described) = (BTreeMap::new(), BTreeSet::new());
    for line in lines.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let (kind, rest) = comment.split_once(' ').unwrap();
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            described.insert((kind, rest.split(' ').next().unwrap()));
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.strip_suffix('}').unwrap().split_once('{').unwrap();
        let labels: BTreeMap<_, _> =
            labels.split(',').map(|label| label.split_once('=').unwrap()).collect();
        let [cluster, path] = ["cluster", "path"].map(|of| labels[of].trim_matches('"'));
        assert_eq!(Some(cluster), path.rsplit('/').next(), "{line}");
        assert!(described.contains(&("TYPE", name)), "{line} comes before its type");
        assert_eq!(name.ends_with("_bytes"), described.contains(&("UNIT", name)), "{line}");
        let key = (name.to_string(), path.to_string());
        assert!(values.insert(key, value.parse().unwrap()).is_none(), "twice: {line}");
    }
    values
}

#[test]
fn a_scrape_says_what_each_cluster_uses() {
    let (mut server, address) = start(3);
    let (status, headers, page) = get(&address, "/metrics");
    assert_eq!((&*status, &*headers["content-type"]), ("HTTP/1.1 200 OK", TYPE));
    let values = parse(&page);
    let value = |name: &str, path: &str| values.get(&(name.into(), path.into())).copied();

    for (path, live, budget, soft, clusters, over) in [
        ("root/tenant-1", 8 * MIB, Some(64 * MIB), None, 1, 0),
        ("root/tenant-1/job", 4 * MIB, Some(16 * MIB), None, 2, 0),
        ("root/tenant-2", 2 * MIB, None, Some(MIB), 1, 1),
        ("root/tenant-2/job", 2 * MIB, Some(8 * MIB), None, 1, 0),
    ] {
        assert_eq!(value("failfast_live_bytes", path), Some(live), "{path}");
        assert_eq!(value("failfast_budget_bytes", path), budget, "{path}");
        assert_eq!(value("failfast_soft_budget_bytes", path), soft, "{path}");
        assert_eq!(value("failfast_clusters", path), Some(clusters), "{path}");
        assert_eq!(value("failfast_over_soft_budget", path), Some(over), "{path}");
    }
    // Of two jobs the larger, and what it had leased for its next allocations.
    let peak = value("failfast_peak_bytes", "root/tenant-1/job").unwrap();
    assert!((3 * MIB..8 * MIB).contains(&peak), "{peak}");
    // The process holds what its clusters hold, and what the scrape needs.
    let live = value("failfast_live_bytes", "root").unwrap();
    assert!((10 * MIB..11 * MIB).contains(&live), "{live}");
    assert_eq!(value("failfast_budget_bytes", "root"), Some(256 * MIB));
    // One cluster has no budget; one alone has a soft one.
    assert_eq!(values.len(), 5 * 6 - 1 - 4, "{page}");

    assert!(get(&address, "/").0.contains(" 404 "));
    assert_eq!(parse(&get(&address, "/metrics").2).len(), values.len());
    assert!(server.wait().unwrap().success());
}
