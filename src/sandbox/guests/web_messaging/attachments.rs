//! Attachments: an address to put a file to, the file, and what refers to it. Pure.

use bytes::Bytes;
use serde_json::{Value, json};

use super::frames::{Kind, envelope};
use super::hear::Request;
use crate::domain::WallTime;
use crate::runtime::MonoTime;
use crate::sandbox::guests::json::put;
use crate::sandbox::guests::state::{State, error};
use crate::sandbox::platform::{Answer, decimals};

/// Bytes of a file at most.
pub(super) const LARGEST_FILE: usize = 10 << 20;
/// Bytes of all files at most, and how many may be there.
const LARGEST_STORE: usize = 256 << 20;
const MOST_FILES: usize = 10_000;
const LONGEST_NAME: usize = 255;
/// How long an address is good for.
const ADDRESS_LIVES: std::time::Duration = std::time::Duration::from_secs(600);
pub(super) const FILE_TYPES: [&str; 5] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "application/pdf",
    "text/plain",
];
pub(super) const BLOCKED_EXTENSIONS: [&str; 3] = [".exe", ".bat", ".js"];

/// A file, or the promise of one.
#[derive(Debug)]
pub(in crate::sandbox::guests) struct Attachment {
    session: String,
    connection: u64,
    name: String,
    kind: String,
    /// In the address, so that nobody guesses it.
    signature: String,
    until: MonoTime,
    bytes: Option<Bytes>,
}

/// A file as it was put or is fetched: which, and what the address was signed with.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox::guests) struct Upload<'a> {
    pub(in crate::sandbox::guests) id: &'a str,
    pub(in crate::sandbox::guests) signature: &'a str,
}

impl State {
    /// `onAttachment`: a presigned address, or why there is none.
    pub(super) fn on_attachment(&mut self, request: Request<'_>) {
        let Request {
            connection,
            token,
            now,
            tracing_id,
            ..
        } = request;
        let id = match request.text("attachmentId") {
            Some(id) => id.to_owned(),
            None => self.uuid(),
        };
        let name = request.text("fileName").unwrap_or_default();
        let kind = request.text("fileType").unwrap_or_default();
        let size = request
            .frame
            .get("fileSize")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let blocked = |end: &&str| name.to_lowercase().ends_with(*end);
        let problem = if name.is_empty() || kind.is_empty() {
            Some((4020, "missing parameter: fileName, fileType"))
        } else if name.len() > LONGEST_NAME {
            Some((4005, "the file name is too long"))
        } else if name.contains(['/', '\\']) || name.chars().any(char::is_control) {
            Some((4004, "the file name is invalid"))
        } else if !FILE_TYPES.contains(&kind) || BLOCKED_EXTENSIONS.iter().any(blocked) {
            Some((4001, "the file type is not allowed"))
        } else if size > LARGEST_FILE as u64 {
            Some((4002, "the file is too large"))
        } else if self.desk.attachments.len() >= MOST_FILES
            || self.desk.attachments.contains_key(&id)
        {
            Some((400, "Request failed."))
        } else {
            None
        };
        if let Some((code, why)) = problem {
            let body = json!({ "attachmentId": id, "errorCode": code, "errorMessage": why });
            let text = envelope(Kind::Message, "GenerateUrlError", 200, &body, tracing_id);
            return self.tell(connection, text, now.0);
        }
        let signature = format!("{:016x}", self.rng.bits());
        let body = json!({
            "attachmentId": id,
            "fileName": name,
            "fileType": kind,
            "fileSize": size,
            "headers": { "x-amz-tagging": "tenant=sandbox" },
            "url": address(request.base, &id, &signature),
        });
        let attachment = Attachment {
            session: token.to_owned(),
            connection,
            name: name.to_owned(),
            kind: kind.to_owned(),
            signature,
            until: now.0 + ADDRESS_LIVES,
            bytes: None,
        };
        self.desk.attachments.insert(id, attachment);
        self.respond(connection, "PresignedUrlResponse", &body, tracing_id, now.0);
    }

    /// `PUT` to a presigned address.
    pub(in crate::sandbox::guests) fn put_attachment(
        &mut self,
        upload: Upload<'_>,
        bytes: Bytes,
        (now, wall): (MonoTime, WallTime),
        base: &str,
    ) -> Answer {
        let room = LARGEST_STORE.saturating_sub(self.desk.bytes);
        let attachment = self.desk.attachments.get_mut(upload.id);
        let Some(attachment) = attachment.filter(|known| known.signature == upload.signature)
        else {
            return error(403, "the address is not signed", None);
        };
        let expired = attachment.until <= now;
        let too_large = bytes.len() > LARGEST_FILE.min(room);
        let again = attachment.bytes.is_some();
        let connection = attachment.connection;
        let body = json!({
            "attachmentId": upload.id,
            "downloadUrl": address(base, upload.id, upload.signature),
            "timestamp": decimals(wall),
        });
        let (class, body, status) = match (expired || again, too_large) {
            (true, _) => return error(403, "the address is used up", None),
            (false, true) => {
                let mut body = body;
                put(&mut body, "errorCode", 4002);
                put(&mut body, "errorMessage", "the file is too large");
                ("UploadFailureEvent", body, 413)
            }
            (false, false) => {
                self.desk.bytes += bytes.len();
                attachment.bytes = Some(bytes);
                ("UploadSuccessEvent", body, 200)
            }
        };
        let text = envelope(Kind::Message, class, 200, &body, None);
        self.tell(connection, text, now);
        match status {
            200 => Answer::empty(200),
            status => error(status, "the file is too large", None),
        }
    }

    /// `GET` of a presigned address: the file and its type.
    pub(in crate::sandbox::guests) fn file(&self, wanted: Upload<'_>) -> Option<(String, Bytes)> {
        let known = self.desk.attachments.get(wanted.id)?;
        let bytes = known.bytes.clone()?;
        (known.signature == wanted.signature).then(|| (known.kind.clone(), bytes))
    }

    /// `getAttachment`: an address to fetch it from.
    pub(super) fn get_attachment(&mut self, request: Request<'_>) {
        let id = request.text("attachmentId").unwrap_or_default();
        let known = self.desk.attachments.get(id);
        let own = known.filter(|known| known.session == request.token);
        let Some(known) = own else {
            return self.refuse_request(request, 4009, "the attachment was not found");
        };
        let body = json!({
            "attachmentId": id,
            "fileName": known.name,
            "fileType": known.kind,
            "headers": {},
            "url": address(request.base, id, &known.signature),
        });
        let Request {
            connection,
            tracing_id,
            now,
            ..
        } = request;
        self.respond(connection, "PresignedUrlResponse", &body, tracing_id, now.0);
    }

    /// `deleteAttachment`.
    pub(super) fn delete_attachment(&mut self, request: Request<'_>) {
        let id = request.text("attachmentId").unwrap_or_default();
        let known = self.desk.attachments.get(id);
        if known.is_none_or(|known| known.session != request.token) {
            return self.refuse_request(request, 4009, "the attachment was not found");
        }
        let gone = self.desk.attachments.remove(id).and_then(|gone| gone.bytes);
        self.desk.bytes -= gone.map_or(0, |bytes| bytes.len());
        let body = json!({ "attachmentId": id });
        let Request {
            connection,
            tracing_id,
            now,
            ..
        } = request;
        let class = "AttachmentDeletedResponse";
        let text = envelope(Kind::Message, class, 200, &body, tracing_id);
        self.tell(connection, text, now.0);
    }

    /// What is wrong with the attachments that a message refers to.
    pub(super) fn attachment_problem(
        &self,
        token: &str,
        content: &[Value],
    ) -> Option<(u16, &'static str)> {
        let referred = content
            .iter()
            .filter(|part| part.get("contentType").and_then(Value::as_str) == Some("Attachment"));
        referred.into_iter().find_map(|part| {
            let id = part.pointer("/attachment/id").and_then(Value::as_str);
            let known = id.and_then(|id| self.desk.attachments.get(id));
            match known.filter(|known| known.session == token) {
                None => Some((4009, "the attachment was not found")),
                Some(known) if known.bytes.is_none() => {
                    Some((4010, "the attachment was not uploaded"))
                }
                Some(_) => None,
            }
        })
    }
}

fn address(base: &str, id: &str, signature: &str) -> String {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("{base}/attachments/{id}?signature={signature}")
}
