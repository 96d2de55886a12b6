//! Figures of who may come in: TLS, and the files that say who calls.

use super::family::families;
use crate::app::doors::Doors;
use crate::grpc::TlsKeys;
use crate::telemetry::metrics::Sheet;

families! {
    FILES: Counter "tieline_listen_files_read_total" ["file", "outcome"] "Times a file of listen.tls or listen.auth had changed and was read again";
    HANDSHAKES: Counter "tieline_listen_tls_handshakes_total" ["outcome"] "TLS handshakes of callers";
}

pub(super) fn put(sheet: &mut Sheet, doors: &Doors) {
    let stats = doors.stats();
    for (file, reads) in [
        ("keys", &stats.keys),
        ("tls", &stats.tls),
        ("tokens", &stats.tokens),
    ] {
        sheet.put(&FILES, &[file, "applied"], reads.applied.get());
        sheet.put(&FILES, &[file, "refused"], reads.refused.get());
    }
    let handshakes = doors.tls().map(TlsKeys::handshakes);
    let done = handshakes.map_or(0, |handshakes| handshakes.done.get());
    let failed = handshakes.map_or(0, |handshakes| handshakes.failed.get());
    sheet.put(&HANDSHAKES, &["done"], done);
    sheet.put(&HANDSHAKES, &["failed"], failed);
}
