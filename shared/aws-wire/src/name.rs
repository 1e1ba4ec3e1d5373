//! Names as Step Functions spells them: services, exceptions and members after the rules of the AWS
//! SDK for Java 2, whose names its definitions, results and errors show.

use std::borrow::Cow;

/// The words of a name: `DBInstanceNotFound` has three.
fn words(name: &str) -> Vec<String> {
    let mut chars: Vec<char> =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
    chars = apart_from_version(&chars, 'v', |c| !c.is_ascii_lowercase());
    chars = apart_from_version(&chars, 'V', |c| !c.is_ascii_uppercase());
    let mut text = String::with_capacity(chars.len() + 8);
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1).copied();
        let begins = match before {
            Some(before) if before.is_ascii_lowercase() => {
                c.is_ascii_uppercase() && after.is_some_and(|c| c.is_ascii_alphanumeric())
            }
            Some(before) if before.is_ascii_uppercase() => {
                c.is_ascii_uppercase() && after.is_some_and(|c| c.is_ascii_lowercase())
            }
            Some(before) if before.is_ascii_digit() => c.is_ascii_alphabetic(),
            _ => false,
        };
        if begins {
            text.push(' ');
        }
        text.push(c);
    }
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Spaces around a version number that follows at least two characters of which each `may_precede`.
fn apart_from_version(chars: &[char], v: char, may_precede: fn(char) -> bool) -> Vec<char> {
    let mut apart = Vec::with_capacity(chars.len() + 4);
    let (mut at, mut since) = (0, 0);
    while at < chars.len() {
        let digits = chars[at + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
        if chars[at] == v && digits > 0 && at - since >= 2 {
            apart.push(' ');
            apart.extend(&chars[at..=at + digits]);
            apart.push(' ');
            at += digits + 1;
            since = at;
            continue;
        }
        if !may_precede(chars[at]) {
            since = at + 1;
        }
        apart.push(chars[at]);
        at += 1;
    }
    apart
}

/// `DBInstanceNotFound` becomes `DbInstanceNotFound`.
pub fn pascal(name: &str) -> String {
    let mut pascal = String::with_capacity(name.len());
    for word in words(name) {
        let mut chars = word.chars();
        pascal.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        pascal.extend(chars.map(|c| c.to_ascii_lowercase()));
    }
    pascal
}

/// What errors of a service begin with, from its `serviceId`: `DynamoDb`, `Sfn`, `CloudWatchLogs`.
/// In lower case it is what ARNs call the service.
pub fn service_prefix(service_id: &str) -> String {
    let pascal = pascal(service_id);
    let name = pascal.strip_prefix("Amazon").or_else(|| pascal.strip_prefix("Aws")).unwrap_or(&pascal);
    name.strip_suffix("Service").unwrap_or(name).to_owned()
}

/// What Step Functions calls an error, without the service's prefix, from the name of its shape.
pub fn exception(shape: &str) -> String {
    let name = shape.strip_suffix("Fault").unwrap_or(shape);
    let mut exception = pascal(name);
    if !name.ends_with("Exception") {
        exception.push_str("Exception");
    }
    exception
}

/// What Step Functions calls a member of a structure: `DBInstance` is `DbInstance`, and what cannot
/// be the name of a method gets `Value` behind it.
pub fn member(name: &str) -> Cow<'_, str> {
    let bytes = name.as_bytes();
    // How many letters at the left become lower case: all of a run of capitals but for the one that
    // begins the next word.
    let mut lowered = 0;
    while bytes.get(lowered).is_some_and(u8::is_ascii_uppercase) {
        let next = bytes.get(lowered + 1);
        let ends = lowered > 0 && next.is_some_and(u8::is_ascii_lowercase);
        if ends {
            break;
        }
        lowered += 1;
    }
    let getter_is_reserved = reserved(name, lowered);
    if lowered <= 1 && !getter_is_reserved && !bytes.first().is_some_and(u8::is_ascii_lowercase) {
        return Cow::Borrowed(name);
    }
    let mut member = String::with_capacity(name.len() + 5);
    for (at, c) in name.chars().enumerate() {
        member.push(match at {
            0 => c.to_ascii_uppercase(),
            _ if at < lowered => c.to_ascii_lowercase(),
            _ => c,
        });
    }
    if getter_is_reserved {
        member.push_str("Value");
    }
    Cow::Owned(member)
}

/// Whether a name with its first letters in lower case means something to Java already.
fn reserved(name: &str, lowered: usize) -> bool {
    RESERVED.iter().any(|reserved| {
        reserved.len() == name.len()
            && name
                .chars()
                .zip(reserved.chars())
                .enumerate()
                .all(|(at, (c, r))| if at < lowered { c.to_ascii_lowercase() == r } else { c == r })
    })
}

/// Java's keywords and literals, and the methods that every object has.
const RESERVED: [&str; 60] = [
    "abstract",
    "assert",
    "boolean",
    "break",
    "byte",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extends",
    "false",
    "final",
    "finally",
    "float",
    "for",
    "goto",
    "if",
    "implements",
    "import",
    "instanceof",
    "int",
    "interface",
    "long",
    "native",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "short",
    "static",
    "strictfp",
    "super",
    "switch",
    "synchronized",
    "this",
    "throw",
    "throws",
    "transient",
    "true",
    "try",
    "void",
    "volatile",
    "while",
    "equals",
    "hashCode",
    "getClass",
    "notify",
    "notifyAll",
    "wait",
    "toString",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_called_as_the_guide_calls_them() {
        for (service_id, prefix) in [
            ("DynamoDB", "DynamoDb"),
            ("SFN", "Sfn"),
            ("S3", "S3"),
            ("CloudWatch Logs", "CloudWatchLogs"),
            ("EventBridge", "EventBridge"),
            ("Cost Explorer", "CostExplorer"),
            ("Cognito Identity Provider", "CognitoIdentityProvider"),
            ("Database Migration Service", "DatabaseMigration"),
            ("WAFV2", "Wafv2"),
            ("FSx", "FSx"),
            ("b2bi", "B2Bi"),
            ("IoTSiteWise", "IoTSiteWise"),
            ("IoT", "Iot"),
            ("Elastic Load Balancing v2", "ElasticLoadBalancingV2"),
            ("Config Service", "Config"),
            ("Lex Runtime Service", "LexRuntime"),
            ("SESv2", "SesV2"),
        ] {
            assert_eq!(service_prefix(service_id), prefix, "{service_id}");
        }
    }

    #[test]
    fn errors_end_in_exception() {
        for (shape, name) in [
            ("DBInstanceAlreadyExistsFault", "DbInstanceAlreadyExistsException"),
            ("EC2ThrottledException", "Ec2ThrottledException"),
            ("NoSuchKey", "NoSuchKeyException"),
            ("InvalidToken", "InvalidTokenException"),
            ("ResourceNotFoundException", "ResourceNotFoundException"),
        ] {
            assert_eq!(exception(shape), name, "{shape}");
        }
    }

    #[test]
    fn members_are_called_after_their_getters() {
        for (name, called) in [
            ("stateMachineArn", "StateMachineArn"),
            ("ETag", "ETag"),
            ("ChecksumCRC32", "ChecksumCRC32"),
            ("BOOL", "Bool"),
            ("S", "S"),
            ("SS", "Ss"),
            ("DBInstanceIdentifier", "DbInstanceIdentifier"),
            ("ARN", "Arn"),
            ("SSEKMSKeyId", "SsekmsKeyId"),
            ("MD5OfBody", "Md5OfBody"),
            ("equals", "EqualsValue"),
            ("Equals", "EqualsValue"),
            ("Return", "ReturnValue"),
            ("Default", "DefaultValue"),
            ("package", "PackageValue"),
            ("", ""),
        ] {
            assert_eq!(member(name), called, "{name}");
        }
    }
}
