//! A single query, answered with a page or a line of JSON.

use std::io::{IsTerminal, Write};

use lqd_requestor::Query;

use crate::command_line::{Color, Options};
use crate::error::Error;
use crate::exit::Exit;
use crate::human::Page;
use crate::setup::Setup;
use crate::{json, trace};

/// Sends the query, prints the answer, and returns the exit status.
pub(crate) async fn run(query: &Query, options: &Options) -> Result<Exit, Error> {
    let setup = Setup::new(options, trace::observer(&options.output)).await?;
    let lookup = tokio::select! {
        lookup = setup.requestor.ask(query, &setup.plan) => lookup,
        _ = tokio::signal::ctrl_c() => return Err(Error::Interrupted),
    };
    let exit = Exit::of(&lookup);
    let output = &options.output;
    let mut text = if output.json {
        json::line(query, &lookup, output.hex, None)
    } else {
        Page { color: is_colored(output.color), hex: output.hex }.lookup(&lookup?)
    };
    if output.json {
        text.push('\n');
    }
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(Error::Output)?;
    // The likeliest cause: the user did not mean the server on this host.
    if exit == Exit::NoReply && options.servers.servers.is_empty() && options.servers.interface.is_none() {
        trace::say(format_args!("lq: without -s the server on this host is queried; name one with -s\n"));
    }
    Ok(exit)
}

/// Whether to color standard output.
pub(crate) fn is_colored(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}
