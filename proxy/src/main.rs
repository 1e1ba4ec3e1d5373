//! `stepwright-proxy`: the proxy as a program of its own, for containers and as a Lambda extension.
//!
//! Reading order: `options` (what it is told), [`main`], [`plain`] and [`as_extension`].

mod options;

use std::process::ExitCode;

use aws_config::Region;
use front::signals::Signals;
use options::{Given, Options};
use proxy::extension::{DRAIN_TIMEOUT, Extensions, RUNTIME_API};
use proxy::{Proxy, Settings};
use tokio::sync::watch;

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let options = match Options::read(std::env::args().skip(1), &variable) {
        Ok(Given::Options(options)) => Ok(*options),
        Ok(Given::Text(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(message) => Err(message),
    };
    let level = options.as_ref().ok().and_then(|options| options.log);
    // Lambda and containers put the time in front of each line.
    let log = tracing_subscriber::fmt().compact().without_time().with_ansi(false).with_target(false);
    log.with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::from(level))
        .init();
    // A function's processes share its core.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string(), 1),
    };
    match variable(RUNTIME_API).filter(|api| !api.is_empty()) {
        Some(api) => runtime.block_on(as_extension(&api, options)),
        None => match options {
            Ok(options) => runtime.block_on(plain(options)),
            Err(message) => failed(&message, 2),
        },
    }
}

fn failed(message: &str, code: u8) -> ExitCode {
    eprintln!("stepwright-proxy: {message}");
    ExitCode::from(code)
}

/// Serves until it is told to end by a signal.
async fn plain(options: Options) -> ExitCode {
    let (stop, stopping) = watch::channel(false);
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("signals cannot be received: {error}"), 1),
    };
    let (proxy, settings) = match open(options, stopping, None).await {
        Ok(opened) => opened,
        Err(message) => return failed(&message, 2),
    };
    println!(
        "http://{} leads to {}, signed for {} in {}",
        proxy.address,
        settings.target.url(),
        settings.target.sign_as.service(),
        settings.target.region
    );
    let serving = proxy.serve();
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        biased;
        () = signals.next() => {}
        () = &mut serving => return failed("it could not go on", 1),
    }
    stop.send_replace(true);
    tokio::select! {
        biased;
        // Asked twice, it waits for nothing.
        () = signals.next() => ExitCode::from(5),
        () = serving => ExitCode::SUCCESS,
    }
}

/// Serves from before the function starts until Lambda ends it.
async fn as_extension(api: &str, options: Result<Options, String>) -> ExitCode {
    let (stop, stopping) = watch::channel(false);
    // Listens before Lambda knows of it: from then on the function may call.
    let opened = match options {
        Ok(options) => open(options, stopping, Some(DRAIN_TIMEOUT)).await,
        Err(message) => Err(message),
    };
    let (serving, refused) = match opened {
        Ok((proxy, _)) => (Some(tokio::spawn(proxy.serve())), None),
        Err(message) => (None, Some(message)),
    };
    let ended = async {
        let extensions = Extensions::new(api)?;
        let registered = extensions.register(&name()).await?;
        match refused {
            None => registered.shutdown().await,
            Some(message) => {
                registered.init_error(&message).await?;
                Err(message)
            }
        }
    };
    let ended = ended.await;
    stop.send_replace(true);
    if let Some(serving) = serving {
        // A panic in it was written to the log; there is nothing left to wait for.
        let _ = serving.await;
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message, 1),
    }
}

/// The name that Lambda knows an extension by: that of its file.
fn name() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(std::path::Path::file_name).and_then(|name| name.to_str());
    name.unwrap_or(env!("CARGO_BIN_NAME")).to_owned()
}

async fn open(
    options: Options,
    stopping: watch::Receiver<bool>,
    drain_timeout: Option<std::time::Duration>,
) -> Result<(Proxy, Settings), String> {
    let mut loader = proxy::sdk::loader();
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let sdk = loader.load().await;
    let settings = options.settings(sdk.region().map(Region::as_ref), drain_timeout)?;
    let proxy = Proxy::open(settings.clone(), &sdk, stopping).await?;
    Ok((proxy, settings))
}
