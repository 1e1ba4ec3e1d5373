//! Taking ARNs apart.

use super::{Arn, ArnError, Home, Resource};
use crate::json::Text;
use crate::limits::ARN_CHARS_MAX;
use crate::name::{NameError, check_alias_name, check_label, check_name};

/// See [`Arn::parse`].
pub(super) fn arn(text: &str) -> Result<Arn, ArnError> {
    let chars = text.chars().count();
    if chars > ARN_CHARS_MAX {
        return Err(ArnError::TooLong { chars, chars_max: ARN_CHARS_MAX });
    }
    let mut parts = text.splitn(6, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (prefix, partition, service) = (part(), part(), part());
    if prefix != "arn" || !is_partition(partition) || service != "states" {
        return Err(ArnError::Prefix(text.into()));
    }
    let (region, account, resource) = (part(), part(), part());
    if region.is_empty() || !region.bytes().all(is_label_byte) {
        return Err(ArnError::Region { arn: text.into(), region: region.into() });
    }
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ArnError::Account { arn: text.into(), account: account.into() });
    }
    let resource = Reader { arn: text }.resource(resource)?;
    Ok(Arn { home: Home::new(partition, region, account), resource })
}

fn is_partition(text: &str) -> bool {
    text.starts_with("aws") && text.bytes().all(is_label_byte)
}

fn is_label_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

struct Reader<'a> {
    /// The whole text, for messages.
    arn: &'a str,
}

impl Reader<'_> {
    fn resource(&self, resource: &str) -> Result<Resource, ArnError> {
        let (kind, rest) = resource.split_once(':').unwrap_or((resource, ""));
        // No kind has more than three parts; the fourth tells that there are more.
        let mut places = [""; 4];
        let mut count = 0;
        for (place, part) in places.iter_mut().zip(rest.split(':')) {
            (*place, count) = (part, count + 1);
        }
        let parts = &places[..count];
        match kind {
            "stateMachine" => self.state_machine(parts),
            "execution" => self.execution(parts),
            "express" => self.express(parts),
            "mapRun" => self.map_run(parts),
            "activity" => match *parts {
                [name] => Ok(Resource::Activity { name: self.name("name", name)? }),
                _ => Err(self.form("activity:<name>")),
            },
            _ => Err(ArnError::Kind(kind.into())),
        }
    }

    fn state_machine(&self, parts: &[&str]) -> Result<Resource, ArnError> {
        match *parts {
            [name] => Ok(match self.machine(name)? {
                (name, None) => Resource::StateMachine { name },
                (state_machine, Some(label)) => Resource::MapStateMachine { state_machine, label },
            }),
            [name, qualifier] if !name.contains('/') => {
                let state_machine = self.name("state machine name", name)?;
                // An alias is never digits alone, so there is no doubt which one is meant.
                if !qualifier.is_empty() && qualifier.bytes().all(|b| b.is_ascii_digit()) {
                    Ok(Resource::Version { state_machine, version: self.version(qualifier)? })
                } else {
                    let alias = self.checked("alias", qualifier, check_alias_name)?;
                    Ok(Resource::Alias { state_machine, alias })
                }
            }
            _ => Err(self.form(
                "stateMachine:<name>, stateMachine:<name>:<version or alias> or stateMachine:<name>/<label>",
            )),
        }
    }

    fn execution(&self, parts: &[&str]) -> Result<Resource, ArnError> {
        let [machine, name] = *parts else {
            return Err(
                self.form("execution:<state machine>:<name> or execution:<state machine>/<label>:<name>")
            );
        };
        let (state_machine, label) = self.machine(machine)?;
        let name = self.name("name", name)?;
        Ok(match label {
            None => Resource::Execution { state_machine, name },
            Some(label) => Resource::MapExecution { state_machine, label, name },
        })
    }

    fn express(&self, parts: &[&str]) -> Result<Resource, ArnError> {
        let [machine, name, id] = *parts else {
            return Err(self.form("express:<state machine>:<name>:<id>"));
        };
        let (state_machine, label) = self.machine(machine)?;
        let (name, id) = (self.name("name", name)?, self.name("id", id)?);
        Ok(Resource::ExpressExecution { state_machine, label, name, id })
    }

    fn map_run(&self, parts: &[&str]) -> Result<Resource, ArnError> {
        let form = "mapRun:<state machine>/<label>:<id>";
        let [machine, id] = *parts else { return Err(self.form(form)) };
        let (state_machine, Some(label)) = self.machine(machine)? else { return Err(self.form(form)) };
        Ok(Resource::MapRun { state_machine, label, id: self.name("id", id)? })
    }

    /// `<name>` or `<name>/<label>`
    fn machine(&self, text: &str) -> Result<(Text, Option<Text>), ArnError> {
        match text.split_once('/') {
            None => Ok((self.name("state machine name", text)?, None)),
            Some((name, label)) => {
                let label = self.checked("label", label, check_label)?;
                Ok((self.name("state machine name", name)?, Some(label)))
            }
        }
    }

    fn version(&self, digits: &str) -> Result<u64, ArnError> {
        match digits.parse() {
            Ok(version) if !digits.starts_with('0') => Ok(version),
            _ => Err(ArnError::Version { arn: self.arn.into(), version: digits.into() }),
        }
    }

    fn name(&self, part: &'static str, name: &str) -> Result<Text, ArnError> {
        self.checked(part, name, check_name)
    }

    fn checked(
        &self,
        part: &'static str,
        name: &str,
        check: impl Fn(&str) -> Result<(), NameError>,
    ) -> Result<Text, ArnError> {
        match check(name) {
            Ok(()) => Ok(name.into()),
            Err(reason) => Err(ArnError::Name { arn: self.arn.into(), part, name: name.into(), reason }),
        }
    }

    fn form(&self, form: &'static str) -> ArnError {
        ArnError::Form { arn: self.arn.into(), form }
    }
}
