use model::json::Text;

/// What a Task calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `arn:aws:lambda:…:function:name[:qualifier]`.
    Lambda {
        /// The function's ARN as written.
        arn: Text,
    },
    /// `arn:aws:states:…:activity:name`.
    Activity {
        /// The activity's ARN as written.
        arn: Text,
    },
    /// `arn:aws:states:::service:action[.pattern]`, also `aws-sdk:service:action` and `http:invoke`.
    Integration {
        /// The ARN as written.
        arn: Text,
        /// `lambda`, `dynamodb`, `aws-sdk:s3`, `http`: what the history calls `resourceType`.
        service: Text,
        /// `invoke`, `putItem`: without the pattern.
        action: Text,
        /// How the call ends.
        pattern: Pattern,
    },
}

/// Service integration patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pattern {
    /// The response is the result.
    #[default]
    RequestResponse,
    /// `.sync`: waits for the job.
    Sync,
    /// `.sync:2`: the same with JSON output.
    Sync2,
    /// `.waitForTaskToken`: waits for SendTaskSuccess or SendTaskFailure.
    WaitForTaskToken,
}

impl Pattern {
    /// The suffix after the action: empty, `.sync`, `.sync:2` or `.waitForTaskToken`.
    pub fn suffix(self) -> &'static str {
        match self {
            Pattern::RequestResponse => "",
            Pattern::Sync => ".sync",
            Pattern::Sync2 => ".sync:2",
            Pattern::WaitForTaskToken => ".waitForTaskToken",
        }
    }
}

impl Resource {
    /// The resource that an ARN names by its form. Whether a service offers it is a question for
    /// [`crate::parse()`]; a resource that was stored when it did is read here for ever.
    pub fn from_arn(arn: &Text) -> Option<Resource> {
        crate::resource::by_form(arn).ok()
    }

    /// Whether a Task waits for the job that its call starts: `.sync` and `.sync:2`.
    pub fn starts_job(&self) -> bool {
        matches!(self, Resource::Integration { pattern: Pattern::Sync | Pattern::Sync2, .. })
    }

    /// The text of `Resource` in the definition.
    pub fn arn(&self) -> &Text {
        match self {
            Resource::Lambda { arn } | Resource::Activity { arn } | Resource::Integration { arn, .. } => arn,
        }
    }
}
