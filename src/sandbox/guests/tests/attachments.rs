//! Attachments: addresses, files, and messages that refer to them.

use super::*;

async fn ask_address(socket: &mut Ws, name: &str, kind: &str, size: u64) -> Value {
    let frame = json!({
        "action": "onAttachment", "token": TOKEN, "tracingId": "a", "attachmentId": name,
        "fileName": name, "fileType": kind, "fileSize": size, "errorsAsJson": true,
    });
    ask(socket, &frame).await;
    next(socket).await
}

#[tokio::test]
async fn a_file_is_put_to_a_presigned_address_sent_fetched_and_deleted() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let answer = ask_address(&mut socket, "cat.png", "image/png", 3).await;
    assert_eq!(answer["class"], "PresignedUrlResponse", "{answer}");
    let refer = || {
        let content = json!([{ "contentType": "Attachment", "attachment": { "id": "cat.png" } }]);
        json!({
            "action": "onMessage", "token": TOKEN, "tracingId": "m",
            "message": { "type": "Text", "text": "", "content": content },
        })
    };
    ask(&mut socket, &refer()).await;
    assert_eq!(error(&mut socket).await.0, 4010, "it was not uploaded");
    let url = answer["body"]["url"].as_str().unwrap();
    let mut put = visit.http.put(url).body("cat");
    for (name, value) in answer["body"]["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    assert_eq!(read(put).await.status, 200);
    let uploaded = next(&mut socket).await;
    assert_eq!(uploaded["class"], "UploadSuccessEvent");
    assert_eq!(uploaded["body"]["attachmentId"], "cat.png");
    let again = read(visit.http.put(url).body("dog")).await;
    assert_eq!(again.status, 403, "an address is good for one file");
    ask(&mut socket, &refer()).await;
    assert_eq!(next(&mut socket).await["tracingId"], "m");
    let get = json!({ "action": "getAttachment", "token": TOKEN, "attachmentId": "cat.png" });
    ask(&mut socket, &get).await;
    let answer = next(&mut socket).await;
    let got = read(visit.http.get(answer["body"]["url"].as_str().unwrap())).await;
    assert_eq!((got.status, got.body.as_str()), (200, "cat"));
    let forged = url.replace("signature=", "signature=0");
    assert_eq!(read(visit.http.get(&forged)).await.status, 404);
    assert_eq!(read(visit.http.put(&forged).body("x")).await.status, 403);
    let delete = json!({ "action": "deleteAttachment", "token": TOKEN, "attachmentId": "cat.png" });
    ask(&mut socket, &delete).await;
    assert_eq!(
        next(&mut socket).await["class"],
        "AttachmentDeletedResponse"
    );
    ask(&mut socket, &delete).await;
    assert_eq!(error(&mut socket).await.0, 4009);
}

#[tokio::test]
async fn files_that_are_not_allowed_get_no_address() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let long = format!("{}.png", "x".repeat(300));
    for (name, kind, size, code) in [
        ("a.exe", "image/png", 1, 4001),
        ("a.mp4", "video/mp4", 1, 4001),
        ("a.png", "image/png", 11 << 20, 4002),
        ("a/b.png", "image/png", 1, 4004),
        (long.as_str(), "image/png", 1, 4005),
        ("", "image/png", 1, 4020),
    ] {
        let answer = ask_address(&mut socket, name, kind, size).await;
        assert_eq!(answer["class"], "GenerateUrlError", "{name}");
        assert_eq!(answer["body"]["errorCode"], code, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_is_larger_than_it_said_is_refused() {
    let visit = Visit::new(messaging()).await;
    let (mut socket, _) = visit.join(TOKEN).await;
    let answer = ask_address(&mut socket, "big.png", "image/png", 1).await;
    let url = answer["body"]["url"].as_str().unwrap();
    let got = read(visit.http.put(url).body(vec![0_u8; (10 << 20) + 1])).await;
    assert_eq!(got.status, 413);
    let failed = next(&mut socket).await;
    assert_eq!(failed["class"], "UploadFailureEvent");
    assert_eq!(failed["body"]["errorCode"], 4002);
}
