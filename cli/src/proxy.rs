//! `stepwright proxy`: the API of an installation on this computer.

use aws_config::Region;
use front::Credential;
use front::guard::is_loopback;
use front::listen::{self, Limits, demand_credential};
use front::signals::Signals;
use proxy::{Proxy, Settings, Target, TargetOptions};
use tokio::sync::watch;

use crate::args::{LogArg, ProxyArgs, When};
use crate::dev::log;
use crate::exit::Exit;
use crate::stack::{self, Cloud, Failure, configuration};
use crate::terminal::Style;

/// Runs the command.
pub fn proxy(args: &ProxyArgs, color: When) -> Exit {
    log::start(LogArg::default(), false, Style::of_stderr(color, &std::io::stderr()));
    stack::command(color, async |style| {
        let (host, port) = address(&args.listen)?;
        let credential = Credential::from_environment(&|name| std::env::var(name).ok());
        let credential = credential.map_err(Failure::usage)?;
        if credential.is_none() && !is_loopback(&host) {
            return Err(Failure::usage(demand_credential("--listen", &host)));
        }
        let url = match &args.url {
            Some(url) => url.clone(),
            None => url_of_stack(&Cloud::new(&args.stack, style).await?).await?,
        };
        let sdk = configuration(&args.stack).await;
        let target = Target::new(&TargetOptions {
            url: &url,
            sign_as: args.sign_as.map(Into::into),
            region: args.stack.region.as_deref(),
            region_default: sdk.region().map(Region::as_ref),
            connect: args.connect_to.as_deref(),
        });
        let target = target.map_err(Failure::usage)?;
        let region = target.region.clone();
        let told = format!("{}, signed for {} in {region}", target.url(), target.sign_as.service());
        let drain_timeout = Limits::default().drain_timeout;
        let settings = Settings { target, host, port, credential, drain_timeout };
        let (stop, stopping) = watch::channel(false);
        let mut signals = Signals::new().map_err(|error| format!("signals cannot be received: {error}"))?;
        let opened = Proxy::open(settings, &sdk, stopping).await.map_err(Failure::usage)?;
        let here = format!("http://{}", opened.address);
        println!("{} leads to {told}", style.bold(&here));
        println!("  AWS_ENDPOINT_URL_SFN={here} aws stepfunctions list-state-machines --region {region}");
        let mut serving = std::pin::pin!(opened.serve());
        tokio::select! {
            biased;
            () = signals.next() => {}
            () = &mut serving => return Ok(Exit::Failed),
        }
        stop.send_replace(true);
        Ok(tokio::select! {
            biased;
            () = signals.next() => Exit::Aborted,
            () = serving => Exit::Success,
        })
    })
}

/// What the stack's output says.
async fn url_of_stack(cloud: &Cloud) -> Result<String, Failure> {
    let stack = cloud.existing().await?;
    let url = stack.output("Url").map(str::to_owned);
    url.ok_or_else(|| {
        Failure::usage(format!("the stack {} has no output Url: is it an installation?", cloud.name))
    })
}

fn address(text: &str) -> Result<(String, u16), Failure> {
    let wrong =
        || Failure::usage(format!("--listen `{text}` is no address and port, such as 127.0.0.1:8083"));
    listen::address(text).ok_or_else(wrong)
}
