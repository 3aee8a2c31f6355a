//! Blobs that are too large for a message: `ByteStream`, which goes on where it
//! was cut.

use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use bazel_remote_apis::google::bytestream as api;
use tokio::task::block_in_place;
use tonic::codegen::tokio_stream;

use crate::digest::Digest;
use crate::remote::action::ANSWER_SIZE_MAX;
use crate::remote::action::Name;
use crate::remote::execute::Content;
use crate::remote::fault::Fault;
use crate::remote::grpc::GrpcWire;
use crate::remote::grpc::found;
use crate::remote::grpc::status::fault;
use crate::remote::grpc::status::is_missing;
use crate::remote::pace::Pace;
use crate::remote::packing::Sink;
use crate::remote::packing::packed;
use crate::remote::web::Web;

type Client = api::byte_stream_client::ByteStreamClient<Web>;

/// Bytes of a message of a stream.
const PIECE: u64 = 1 << 20;

/// How often in a row a stream may be cut without a byte that came through.
const CUTS_MAX: u32 = 3;

impl GrpcWire {
    /// Returns the bytes of a blob, if they are there.
    pub(super) async fn read_stream(
        &self,
        name: Name,
        packs: bool,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let mut bytes = Vec::new();
        let mut cuts = 0;
        // Of all streams together: each may be cut after a byte.
        let mut pace = Pace::new(self.timeout);
        loop {
            let before = bytes.len();
            let (now, end) = self.read_on(name, packs, bytes, &mut pace).await;
            bytes = now;
            match end {
                Ok(true) if bytes.len() as u64 == name.size => return Ok(Some(bytes)),
                Ok(false) => return Ok(None),
                Ok(true) if bytes.len() > before => cuts = 0,
                Ok(true) => {
                    let text = format!("{} bytes came of {}", bytes.len(), name.size);
                    return Err(Fault::Wrong(text));
                }
                Err(fault) if !fault.may_pass() => return Err(fault),
                Err(_) if bytes.len() > before => cuts = 0,
                Err(fault) => {
                    cuts += 1;
                    if cuts >= CUTS_MAX {
                        return Err(fault);
                    }
                }
            }
        }
    }

    /// Reads on after `bytes`. Returns what there is then, and whether the blob is
    /// there at all.
    async fn read_on(
        &self,
        name: Name,
        packs: bool,
        bytes: Vec<u8>,
        pace: &mut Pace,
    ) -> (Vec<u8>, Result<bool, Fault>) {
        let offset = bytes.len();
        let mut sink = match Sink::new(bytes, name.size, packs) {
            Ok(sink) => sink,
            Err(fault) => return (Vec::new(), Err(fault)),
        };
        let end = self.fill(name, packs, offset, &mut sink, pace).await;
        (sink.into_bytes(), end)
    }

    async fn fill(
        &self,
        name: Name,
        packs: bool,
        offset: usize,
        sink: &mut Sink,
        pace: &mut Pace,
    ) -> Result<bool, Fault> {
        let request = self.request(api::ReadRequest {
            resource_name: format!("{}{}", self.prefix(), resource(name, packs)),
            read_offset: offset as i64,
            read_limit: 0,
        });
        let mut client = self.byte_stream();
        let Some(mut stream) = found(pace.step(client.read(request)).await?)? else {
            return Ok(false);
        };
        loop {
            match pace.step(stream.message()).await? {
                Ok(Some(message)) => {
                    pace.came(message.data.len())?;
                    sink.take(&message.data)?;
                }
                Ok(None) => return Ok(true),
                Err(status) if is_missing(status.code()) => return Ok(false),
                Err(status) => return Err(fault(&status)),
            }
        }
    }

    /// Stores the bytes of a blob, a piece at a time.
    pub(super) async fn write_stream(&self, name: Name, content: &Content) -> Result<(), Fault> {
        let packs = self.capabilities().await?.streams_zstd;
        let smaller = if packs {
            block_in_place(|| smaller(content, name.size))
        } else {
            None
        };
        let target = format!(
            "{}uploads/{}/{}",
            self.prefix(),
            unique(name),
            resource(name, smaller.is_some())
        );
        let sent = match smaller {
            Some(packed) => Sent {
                size: packed.len() as u64,
                content: Content::Held(Arc::new(packed)),
            },
            None => Sent {
                size: name.size,
                content: content.clone(),
            },
        };
        let mut from = 0;
        let mut cuts = 0;
        loop {
            let fault = match self.write_from(&target, &sent, from).await {
                // -1 or all of it: somebody else has stored it meanwhile.
                Ok(size) if size == -1 || size as u64 == name.size => return Ok(()),
                Ok(size) if size as u64 == sent.size => return Ok(()),
                Ok(size) => Fault::Passing(format!("{size} bytes of {} were taken", sent.size)),
                Err(fault) => fault,
            };
            cuts += 1;
            if !fault.may_pass() || cuts >= CUTS_MAX {
                return Err(fault);
            }
            let before = from;
            from = match self.committed(&target).await? {
                (_, true) => return Ok(()),
                (size, false) => u64::try_from(size).unwrap_or(0).min(sent.size),
            };
            if from > before {
                cuts = 0;
            }
        }
    }

    /// Sends the bytes from `from` on; returns how many the server has then.
    async fn write_from(&self, target: &str, sent: &Sent, from: u64) -> Result<i64, Fault> {
        let pieces = pieces(target.to_owned(), sent.clone(), from);
        let request = self.request(tokio_stream::iter(pieces));
        let mut client = self.byte_stream();
        let answer = self.timed(sent.size - from, client.write(request)).await?;
        let answer = answer.map_err(|status| fault(&status))?;
        Ok(answer.into_inner().committed_size)
    }

    /// Returns how many bytes of an upload the server has, and whether that is all.
    async fn committed(&self, target: &str) -> Result<(i64, bool), Fault> {
        let request = self.request(api::QueryWriteStatusRequest {
            resource_name: target.to_owned(),
        });
        let mut client = self.byte_stream();
        match self.timed(0, client.query_write_status(request)).await? {
            Ok(answer) => {
                let answer = answer.into_inner();
                Ok((answer.committed_size, answer.complete))
            }
            // It knows nothing of it, or cannot tell: all is sent again.
            Err(_) => Ok((0, false)),
        }
    }

    /// What stands before the name of every resource.
    fn prefix(&self) -> String {
        match self.instance.as_str() {
            "" => String::new(),
            instance => format!("{instance}/"),
        }
    }

    fn byte_stream(&self) -> Client {
        Client::with_origin(self.web.clone(), self.origin.clone())
            .max_decoding_message_size(2 * ANSWER_SIZE_MAX)
    }
}

/// Returns how a stream names a blob.
fn resource(name: Name, packs: bool) -> String {
    let folder = if packs {
        "compressed-blobs/zstd"
    } else {
        "blobs"
    };
    format!("{folder}/{}/{}", name.sha256, name.size)
}

/// What goes over the line: a blob, or the same packed.
#[derive(Clone)]
struct Sent {
    content: Content,
    size: u64,
}

/// Larger blobs on the disk are not packed: that would need them in memory.
const PACKED_MAX: u64 = 16 << 20;

/// Returns the bytes of a blob packed, if that is worth it.
fn smaller(content: &Content, size: u64) -> Option<Vec<u8>> {
    match content {
        Content::Held(bytes) => packed(bytes),
        _ if size > PACKED_MAX => None,
        _ => packed(&content.piece(0, size as usize).ok()?),
    }
}

/// Cuts bytes into messages; there is at least one. A piece that cannot be read is the
/// end, which the server notices by the length.
fn pieces(
    target: String,
    sent: Sent,
    from: u64,
) -> impl Iterator<Item = api::WriteRequest> + Send + 'static {
    let count = (sent.size - from).div_ceil(PIECE).max(1);
    (0..count).map_while(move |index| {
        let start = from + index * PIECE;
        let end = (start + PIECE).min(sent.size);
        Some(api::WriteRequest {
            resource_name: if index == 0 {
                target.clone()
            } else {
                String::new()
            },
            write_offset: start as i64,
            finish_write: end == sent.size,
            data: sent.content.piece(start, (end - start) as usize).ok()?,
        })
    })
}

static UPLOADS: AtomicU64 = AtomicU64::new(0);

/// Returns a UUID that no other upload has.
fn unique(name: Name) -> String {
    let count = UPLOADS.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    let text = format!("{} {count} {nanos} {}", process::id(), name.sha256);
    let hex = Digest::of(text.as_bytes()).to_string();
    // Version 4 and variant 1, as a random one has.
    format!(
        "{}-{}-4{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..15],
        &hex[15..18],
        &hex[18..30]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_of_the_bytes_from_where_they_start() {
        let bytes: Vec<u8> = (0..2 * PIECE + 5).map(|index| index as u8).collect();
        let sent = Sent {
            size: bytes.len() as u64,
            content: Content::Held(Arc::new(bytes.clone())),
        };
        for from in [0, 7, PIECE, sent.size] {
            let all: Vec<_> = pieces("t".to_owned(), sent.clone(), from).collect();
            let joined: Vec<u8> = all.iter().flat_map(|piece| piece.data.clone()).collect();
            assert_eq!(joined, bytes[from as usize..]);
            assert_eq!(all[0].resource_name, "t");
            let finished = all.iter().filter(|piece| piece.finish_write).count();
            assert!(finished == 1 && all[all.len() - 1].finish_write);
        }
    }

    #[test]
    fn uploads_have_names_of_their_own() {
        let name = Name::of(b"");
        let (one, other) = (unique(name), unique(name));
        assert_eq!(one.len(), 36);
        assert_ne!(one, other);
    }
}
