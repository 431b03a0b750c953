//! The status page in a real browser.

use std::fs;
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use super::{Monitored, fixture};
use crate::support::Requestor;
use crate::support::need::chromium;
use crate::support::octets::octets;

pub fn trials() -> Vec<Trial> {
    tests! {
        healthy_server_is_shown_ready needs Chromium,
        stale_leases_are_shown needs Chromium,
        lost_server_is_shown needs Chromium,
        large_numbers_fit needs Chromium,
        page_loads_nothing_from_other_hosts,
    }
}

/// Returns the page as the browser shows it after some polls, and the browser's console.
fn browse(url: &str) -> Result<(String, String), Failed> {
    browse_in(1100, url)
}

/// [`browse`] in a window of this width, in pixels.
fn browse_in(width: u32, url: &str) -> Result<(String, String), Failed> {
    let profile = TempDir::new()?;
    // A browser that hangs must not outlive the test.
    let output = Command::new("timeout")
        .args(["60", chromium().ok_or("a browser")?])
        // Flags that keep the browser from the network and from its sandbox, which containers lack.
        .args("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run".split(' '))
        .args("--disable-background-networking --disable-component-update --disable-sync".split(' '))
        // Virtual time lets the page poll several times without waiting.
        .args(["--enable-logging=stderr", "--virtual-time-budget=15000", "--dump-dom"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdin(Stdio::null())
        .output()?;
    let console = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?}\n{console}", output.status);
    // Lines of the browser itself are of no interest.
    let console = console.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
    Ok((String::from_utf8(output.stdout)?, console))
}

/// Returns the text inside the element with this id, without tags.
fn text_of(document: &str, id: &str) -> String {
    // Looked up by id, so that the layout may change.
    let (_, rest) =
        document.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no #{id}\n{document}"));
    let tag = rest.split_once('>').expect("the tag ends").1;
    // The first of these end tags ends the text.
    let end = ["</p>", "</b>", "</table>", "</span>"].iter().filter_map(|end| tag.find(end)).min();
    let mut text = String::new();
    let mut inside = false;
    for c in tag[..end.unwrap_or(tag.len())].chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn healthy_server_is_shown_ready() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--workers", "1"]);
    let requestor = Requestor::new(monitored.lqd.address);
    let query = octets("0e f10001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::1 $zero");
    for _ in 0..1234 {
        requestor.ask(&query).ok_or("it is answered")?;
    }
    monitored.await_metrics("the count of leases", |scrape| scrape.has("lqd_leases"));
    let (document, console) = browse(&format!("http://{}/", monitored.admin))?;
    // A script error would leave the page half filled.
    assert_eq!(console, "");
    let shows = |id, wanted: &str| {
        let text = text_of(&document, id);
        assert!(text.contains(wanted), "#{id} shows {text:?} instead of {wanted:?}");
    };
    shows("state", "✓ Ready");
    shows("about", &format!("version {}", env!("CARGO_PKG_VERSION")));
    shows("about", &monitored.lqd.address.to_string());
    shows("leases", "4");
    shows("outcomes", "answered 1,234");
    shows("requestors", "::1 1,234");
    shows("queries", "by_address 1,234");
    shows("queries", "Success 1,234");
    shows("links", "2001:db8:1:: 2 1");
    shows("workers", "0 1,234");
    shows("feed", "✓ followed");
    shows("feed", &fixture.leases().display().to_string());
    shows("rate", "0");
    shows("chart-text", "The last");
    Ok(())
}

fn stale_leases_are_shown() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--max-feed-age", "1"]);
    fs::remove_file(fixture.leases())?;
    monitored.lqd.await_line(0, |line| line.contains("leases are stale"));
    let (document, console) = browse(&format!("http://{}/", monitored.admin))?;
    assert_eq!(console, "");
    let state = text_of(&document, "state");
    assert!(state.starts_with("✗ Not ready: leases are stale"), "{state}");
    assert!(text_of(&document, "age").ends_with("(stale)"));
    assert!(text_of(&document, "feed").contains("✗ the lease file is gone"));
    assert!(document.contains("<title>Not ready · lqd</title>"));
    Ok(())
}

/// A page that loses its server says so: opened from a file, it finds no server.
fn lost_server_is_shown() -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let page = folder.path().join("page.html");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/crates/lqd/observe/admin/page.html"), &page)?;
    let (document, _) = browse(&format!("file://{}", page.display()))?;
    let state = text_of(&document, "state");
    assert!(state.starts_with("✗ No contact with lqd"), "{state}");
    Ok(())
}

/// After months of uptime every number fits its card; a narrow window scrolls a card, not the page.
fn large_numbers_fit() -> Result<(), Failed> {
    const MEASURE: &str = r#"<p id="too-wide"></p><script>
        for (const table of document.querySelectorAll("table")) {
            const row = table.tBodies[0].insertRow();
            const columns = table.tHead ? [...table.tHead.rows[0].cells].map(cell => cell.textContent) : ["", ""];
            const content = { "/s": "9,999,999" };
            columns.forEach((column, i) =>
                row.insertCell().textContent = i ? content[column] ?? "999,999,999,999" : "2001:db8:ffff:ffff::/64");
        }
        const wide = e => e.scrollWidth > e.clientWidth;
        const cards = [...document.querySelectorAll(".card")].filter(wide);
        const names = cards.map(card => card.querySelector("h2").textContent);
        if (wide(document.documentElement)) names.push("page");
        document.getElementById("too-wide").textContent = `too wide: ${names.join(" ")}`;
    </script>"#;
    let folder = TempDir::new()?;
    let file = folder.path().join("page.html");
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/crates/lqd/observe/admin/page.html"))?;
    fs::write(&file, page.replace("</body>", &format!("{MEASURE}</body>")))?;
    // Narrow windows may scroll the widest table, and only that.
    for (width, too_wide) in [(1100, "too wide:"), (800, "too wide:"), (500, "too wide: Workers")] {
        let (document, _) = browse_in(width, &format!("file://{}", file.display()))?;
        assert_eq!(text_of(&document, "too-wide"), too_wide, "{width} pixels");
    }
    Ok(())
}

/// The page loads nothing from other hosts, and its content security policy forbids it.
fn page_loads_nothing_from_other_hosts() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &[]);
    let response = crate::support::http::get(monitored.admin, "/");
    for part in ["http:", "https:", "src=", "@import", "url(", "innerHTML", "eval("] {
        assert!(!response.body.contains(part), "the page holds {part}");
    }
    // The policy holds even where the page itself errs.
    let policy = response.field("content-security-policy").ok_or("a policy")?;
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains('*'), "{policy}");
    Ok(())
}
