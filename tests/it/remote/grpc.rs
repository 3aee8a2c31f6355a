//! The Remote Execution API in detail: limits, streams, zstd, statuses.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use tabella::data::Remote;
use tabella::digest::Digest;
use tabella::remote::RemoteCache;
use tabella::remote::Uploaded;
use tabella::store::Offer;
use tabella::store::OutputRef;
use tabella::store::RemoteBlob;
use tabella::store::RemoteResult;
use tabella::store::RemoteStore;
use tabella::store::Sha256;

use crate::remote::Machine;
use crate::remote::proxy::Fault;
use crate::remote::proxy::Proxy;
use crate::remote::reading;
use crate::remote::reapi::Counts;
use crate::remote::reapi::Habits;
use crate::remote::reapi::Reapi;
use crate::remote::servers::CASD;
use crate::remote::servers::Server;
use crate::remote::writing;

fn cache(remote: &Remote) -> RemoteCache {
    RemoteCache::new(remote, &|_| None, || false).unwrap()
}

/// Bytes that no two sizes share; every other byte is noise.
fn bytes(size: usize) -> Vec<u8> {
    let mut reader = blake3::Hasher::new()
        .update(&size.to_le_bytes())
        .finalize_xof();
    let mut noise = vec![0; size];
    reader.fill(&mut noise);
    noise.iter_mut().step_by(2).for_each(|byte| *byte = 7);
    noise
}

/// A result with outputs of these sizes.
fn offer(sizes: &[usize]) -> Offer {
    let mut all = HashMap::new();
    let mut outputs = BTreeMap::new();
    for size in sizes {
        let bytes = bytes(*size);
        let output = OutputRef::of(&bytes);
        let sha256 = Sha256::of(&bytes);
        outputs.insert(format!("of {size}"), RemoteBlob { output, sha256 });
        all.insert(output.digest, Arc::new(bytes));
    }
    Offer {
        key: Digest::of_value(sizes),
        kind: "test",
        result: RemoteResult {
            outputs,
            manifest: BTreeMap::new(),
            cost_ms: 1_234,
        },
        bytes: all,
    }
}

/// Uploads a result; returns what became of it.
fn upload(remote: &Remote, offer: &Offer) -> Uploaded {
    let cache = cache(remote);
    cache.offer(offer.clone());
    let uploaded = cache.finish();
    let warnings = cache.take_warnings();
    assert!(uploaded.left == 0 || !warnings.is_empty());
    uploaded
}

/// Looks up a result and fetches its bytes, which must be those that were offered.
#[track_caller]
fn fetch(remote: &Remote, offer: &Offer) {
    let cache = cache(remote);
    let found = cache.look_up(&[offer.key]).remove(&offer.key);
    assert_eq!(
        found.as_ref(),
        Some(&offer.result),
        "{:?}",
        cache.take_warnings()
    );
    let blobs = offer.result.blobs();
    let fetched = cache
        .fetch(&blobs)
        .unwrap_or_else(|| panic!("{:?}", cache.take_warnings()));
    for (blob, bytes) in blobs.iter().zip(fetched) {
        assert!(
            bytes == *offer.bytes[&blob.output.digest],
            "of {}",
            bytes.len()
        );
    }
    assert_eq!(cache.take_warnings(), []);
}

/// Small ones and an empty one, some that fit into no message together, and one
/// that fits into none alone.
const SIZES: [usize; 6] = [0, 1, 10_000, 2_500_000, 3_000_000, 9_000_000];

#[test]
fn blobs_of_all_sizes_come_back_from_real_servers() {
    let servers = CASD.map(Server::casd).into_iter().chain([Server::nginx()]);
    for server in servers.flatten() {
        let offer = offer(&SIZES);
        let uploaded = upload(&writing(&server.url), &offer);
        assert_eq!((uploaded.results, uploaded.left), (1, 0));
        assert!(uploaded.bytes > 14_000_000);
        fetch(&reading(&server.url), &offer);
        // All of it is there.
        assert_eq!(upload(&writing(&server.url), &offer).bytes, 0);
    }
}

#[test]
fn messages_keep_to_the_limit_of_the_server() {
    let server = Reapi::new(Habits {
        batch: 20_000,
        ..Habits::default()
    });
    let offer = offer(&[5_000, 6_000, 7_000, 8_000, 30_000]);
    assert_eq!(upload(&writing(&server.url), &offer).left, 0);
    let largest = Counts::of(&server.counts.largest_batch);
    assert!(largest <= 20_000 && largest > 10_000, "{largest}");
    assert_eq!(Counts::of(&server.counts.streams), 1);
    fetch(&reading(&server.url), &offer);
    assert_eq!(Counts::of(&server.counts.streams), 2);
    assert_eq!(Counts::of(&server.counts.capabilities), 2, "once for each");
}

#[test]
fn zstd_is_used_where_it_is_offered() {
    let [plain, zstd] = [false, true].map(|zstd| {
        let server = Reapi::new(Habits {
            zstd,
            ..Habits::default()
        });
        let offer = offer(&SIZES);
        assert_eq!(upload(&writing(&server.url), &offer).left, 0);
        fetch(&reading(&server.url), &offer);
        server
    });
    assert_eq!(Counts::of(&plain.counts.packed), 0);
    assert!(Counts::of(&zstd.counts.packed) > 5);
    let bytes = |server: &Reapi| Counts::of(&server.counts.stream_bytes);
    assert!(bytes(&zstd) * 4 < bytes(&plain) * 3, "{}", bytes(&zstd));
}

#[test]
fn a_stream_that_is_cut_goes_on_where_it_was() {
    for zstd in [false, true] {
        let server = Reapi::new(Habits {
            zstd,
            cuts: 5,
            ..Habits::default()
        });
        let size = 9_000_000;
        let offer = offer(&[size]);
        // Each cut comes after something was carried.
        assert_eq!(upload(&writing(&server.url), &offer).left, 0);
        fetch(&reading(&server.url), &offer);
        assert_eq!(Counts::of(&server.counts.write_cuts), 5);
        assert_eq!(Counts::of(&server.counts.read_cuts), 5);
        let sent = Counts::of(&server.counts.stream_bytes);
        assert!(
            sent <= 2 * size + 1_000_000,
            "{sent} bytes for twice {size}"
        );
    }
}

#[test]
fn a_line_to_a_real_server_that_is_cut_loses_little() {
    for version in CASD {
        let Some(server) = Server::casd(version) else {
            return;
        };
        let offer = offer(&[20_000_000]);
        assert_eq!(upload(&writing(&server.url), &offer).left, 0);
        let proxy = Proxy::before(
            server.port(),
            Fault::Cut {
                after: 6_000_000,
                connections: 2,
            },
        );
        fetch(&reading(format!("grpc://127.0.0.1:{}", proxy.port)), &offer);
        assert!(proxy.bytes() < 30_000_000, "{}", proxy.bytes());
        assert!(proxy.connections() >= 3);
    }
}

#[test]
fn a_server_that_takes_no_results_is_found_out_before_blobs_are_sent() {
    let server = Reapi::new(Habits {
        is_read_only: true,
        ..Habits::default()
    });
    let machine = Machine::new();
    machine.train(&writing(&server.url));
    let warnings = machine.warnings();
    assert!(
        warnings[0].contains("its action cache cannot be updated"),
        "{warnings:?}"
    );
    assert_eq!(Counts::of(&server.counts.batches), 0);
}

#[test]
fn the_status_of_every_blob_is_read() {
    let server = Reapi::new(Habits {
        refuses_blobs: true,
        ..Habits::default()
    });
    let cache = cache(&writing(&server.url));
    let offer = offer(&[10, 20]);
    cache.offer(offer.clone());
    assert_eq!(cache.finish().left, 1);
    assert_eq!(cache.take_warnings().len(), 1);
    assert!(cache.look_up(&[offer.key]).is_empty());
}

#[test]
fn the_name_of_an_instance_stands_before_those_of_streams() {
    let server = Reapi::new(Habits::default());
    let remote = Remote {
        instance: "bots/main".to_owned(),
        ..writing(&server.url)
    };
    let offer = offer(&[5, 9_000_000]);
    assert_eq!(upload(&remote, &offer).left, 0);
    fetch(&remote, &offer);
}
