//! What a refusal must not tell: services that find a signature wrong repeat what they have been sent.

use aws_credential_types::Credentials;
use aws_wire::protocol::Refusal;

/// What stands in place of a secret.
const REMOVED: &str = "***";
/// Bytes that a secret has at least: those of tests and emulators are words.
const SECRET_BYTES_MIN: usize = 16;
/// What stands before a signature.
const SIGNATURES: [&str; 2] = ["Signature=", "signature="];

/// Takes credentials and signatures out of what a service says.
pub fn remove(refusal: &mut Refusal, credentials: &Credentials) {
    let secrets = [Some(credentials.secret_access_key()), credentials.session_token()];
    for text in refusal.message.iter_mut().chain([&mut refusal.code]) {
        for secret in secrets.into_iter().flatten().filter(|secret| secret.len() >= SECRET_BYTES_MIN) {
            if text.contains(secret) {
                *text = text.replace(secret, REMOVED);
            }
        }
        for before in SIGNATURES {
            remove_hexadecimal(text, before);
        }
    }
}

/// Removes the digits behind each `before`.
fn remove_hexadecimal(text: &mut String, before: &str) {
    let mut from = 0;
    while let Some(at) = text[from..].find(before) {
        let begin = from + at + before.len();
        let digits = text[begin..].bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 0 {
            text.replace_range(begin..begin + digits, REMOVED);
        }
        from = begin;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_repeated() {
        let check = |message: &str, expected: &str| {
            let mut refusal = Refusal {
                code: "planted/token/+=".to_owned(),
                modelled: None,
                message: Some(message.to_owned()),
                status: 403,
                request_id: None,
                extended_request_id: None,
            };
            let credentials =
                Credentials::new("AKID", "hunter2-and-more", Some("planted/token/+=".into()), None, "test");
            remove(&mut refusal, &credentials);
            assert_eq!(refusal.message.as_deref(), Some(expected));
            assert_eq!(refusal.code, "***");
        };
        check(
            "should have been\n'POST\nx-amz-security-token:planted/token/+=\n'",
            "should have been\n'POST\nx-amz-security-token:***\n'",
        );
        check("hunter2-and-more, Signature=0aF, Signature=é", "***, Signature=***, Signature=é");
        check("Signature=", "Signature=");
    }
}
