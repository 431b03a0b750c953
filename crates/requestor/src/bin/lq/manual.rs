//! The manual page and shell completions, generated from the flags.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::command_line::{AFTER_HELP, CommandLine};

/// Prints the completion script for a shell.
pub(crate) fn completions(shell: Shell) -> io::Result<()> {
    // `generate` panics if the output is a closed pipe, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "lq", &mut script);
    io::stdout().lock().write_all(&script)
}

/// Prints the manual page, with sections of its own for the commands and the exit status.
pub(crate) fn man_page() -> io::Result<()> {
    io::stdout().lock().write_all(&page()?)
}

fn page() -> io::Result<Vec<u8>> {
    let command = CommandLine::command().after_long_help(None::<&str>);
    let man = Man::new(command.clone()).manual("DHCPv6");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS")?;
    for one in command.get_subcommands() {
        writeln!(page, ".B lq\n[\\fIOPTIONS\\fR] {}\n.br", roff(&usage(one)))?;
    }
    writeln!(page, ".B lq\n[\\fIOPTIONS\\fR] \\-f \\fIFILE\\fR")?;
    man.render_description_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for one in command.get_subcommands() {
        let about = one.get_long_about().or(one.get_about()).map(ToString::to_string).unwrap_or_default();
        writeln!(page, ".TP\n.B {}\n{}", roff(&usage(one)), roff(&about))?;
        flags(one, &mut page)?;
    }
    man.render_options_section(&mut page)?;
    // Each paragraph of the help becomes a section.
    for section in AFTER_HELP.split("\n\n") {
        let (title, body) = section.split_once(":\n").unwrap_or(("NOTES", section));
        writeln!(page, ".SH {}\n.nf\n{}\n.fi", title.to_uppercase(), roff(body))?;
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Returns a command's name and arguments; `clap_mangen` would refer to a page of its own instead.
fn usage(command: &clap::Command) -> String {
    let arguments =
        command.get_positionals().map(|argument| format!(" {}", argument.get_id().as_str().to_uppercase()));
    let flags = if command.get_opts().next().is_some() { " FLAGS" } else { "" };
    format!("{}{}{flags}", command.get_name(), arguments.collect::<String>())
}

/// Writes the flags of a command, below it.
fn flags(command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".RS")?;
    for flag in command.get_opts() {
        let names = flag.get_value_names().unwrap_or_default();
        let value = if flag.get_action().takes_values() { names.join(" ") } else { String::new() };
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        let name = format!("--{} {value}", flag.get_long().unwrap_or_default());
        writeln!(page, ".TP\n.B {}\n{}", roff(name.trim_end()), roff(&help))?;
    }
    writeln!(page, ".RE")
}

/// Escapes text for roff.
fn roff(text: &str) -> String {
    let lines = text.lines().map(|line| line.replace('\\', r"\e").replace('-', r"\-"));
    // roff takes a leading dot or apostrophe for a request.
    let guarded = lines.map(|line| if line.starts_with(['.', '\'']) { format!(r"\&{line}") } else { line });
    guarded.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_flag_and_section() {
        let command = CommandLine::command();
        command.clone().debug_assert();
        let page = String::from_utf8(page().expect("written")).expect("text");
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(page.contains(&flag.replace('-', r"\-")), "--{flag} is not in the manual");
        }
        for title in [".SH EXIT STATUS", ".SH EXAMPLES", "addr ADDRESS", r"\-\-remote\-id REMOTE\-ID"] {
            assert!(page.contains(title), "no {title}");
        }
        assert!(command.get_arguments().all(|flag| flag.get_help().is_some()), "every flag has a help");
    }

    #[test]
    fn every_shell_has_completions() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut CommandLine::command(), "lq", &mut script);
            assert!(String::from_utf8_lossy(&script).contains("server-id"), "{shell}");
        }
    }
}
