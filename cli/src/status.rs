//! `stepwright status`: how an installation is.

use aws_sdk_sqs::types::QueueAttributeName;

use crate::args::{StatusArgs, When};
use crate::exit::Exit;
use crate::stack::{self, Cloud, Failure, told};
use crate::terminal::printable_line;

/// Outputs that are queues, what waits in them, and whether it should.
const QUEUES: [(&str, &str, bool); 3] = [
    ("QueueUrl", "messages about executions", true),
    ("DeadLettersUrl", "dead letters", false),
    ("UndeliveredUrl", "undelivered events", false),
];

/// Runs the command.
pub fn status(args: &StatusArgs, color: When) -> Exit {
    stack::command(color, async |style| {
        let cloud = Cloud::new(&args.stack, style).await?;
        let stack = cloud.existing().await?;
        let shown = if stack.is_good() { style.success(&stack.status) } else { style.error(&stack.status) };
        let changed = stack.changed.as_deref().map(|time| format!(", since {time}")).unwrap_or_default();
        println!("stack {} in {}: {shown}{changed}", cloud.name, cloud.region());
        if let Some(reason) = &stack.reason {
            println!("{}", printable_line(reason));
        }
        println!();
        cloud.print_outputs(&stack);
        let sqs = aws_sdk_sqs::Client::new(&cloud.sdk);
        let mut heading = Some(style.bold("queues"));
        for (output, what, usual) in QUEUES {
            let Some(url) = stack.output(output) else { continue };
            if let Some(heading) = heading.take() {
                println!("\n{heading}");
            }
            let depth = Depth::of(&sqs, url).await?;
            let text = format!("{what}: {depth}");
            println!("{}", if usual || depth.is_empty() { text } else { style.warning(&text) });
        }
        Ok(if stack.is_good() || stack.is_busy() { Exit::Success } else { Exit::Failed })
    })
}

/// How many messages a queue has; SQS counts them about.
struct Depth {
    waiting: u64,
    in_flight: u64,
    delayed: u64,
}

impl Depth {
    async fn of(sqs: &aws_sdk_sqs::Client, url: &str) -> Result<Depth, Failure> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed,
            ApproximateNumberOfMessagesNotVisible,
        };
        let names = [
            ApproximateNumberOfMessages,
            ApproximateNumberOfMessagesNotVisible,
            ApproximateNumberOfMessagesDelayed,
        ];
        let asked = sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
        let found =
            asked.send().await.map_err(|error| told(&format!("the queue {url} cannot be read"), &error))?;
        let found = found.attributes.unwrap_or_default();
        let [waiting, in_flight, delayed] =
            names.map(|name| found.get(&name).and_then(|count| count.parse().ok()).unwrap_or_default());
        Ok(Depth { waiting, in_flight, delayed })
    }

    fn is_empty(&self) -> bool {
        self.waiting + self.in_flight + self.delayed == 0
    }
}

impl std::fmt::Display for Depth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting, {} in work, {} delayed", self.waiting, self.in_flight, self.delayed)
    }
}
