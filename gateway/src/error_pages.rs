//! The pages of docs/errors/, as titles and as HTML. They use three forms of Markdown: a heading,
//! paragraphs, and lists of one-line items, with `code` and **bold** inside.

include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// The Markdown of a reason's page.
pub fn page(word: &str) -> Option<&'static str> {
    let index = PAGES.binary_search_by(|(page, _)| (*page).cmp(word)).ok()?;
    Some(PAGES[index].1)
}

/// The heading of a reason's page.
pub(crate) fn title(word: &str) -> &'static str {
    page(word)
        .and_then(|page| page.lines().next()?.strip_prefix("# "))
        .unwrap_or("Something went wrong")
}

/// The page below its heading.
pub(crate) fn html(markdown: &str) -> String {
    let mut html = String::new();
    let mut in_list = false;
    for line in markdown.lines().skip(1).filter(|line| !line.is_empty()) {
        let item = line.strip_prefix("- ");
        if item.is_some() != in_list {
            html.push_str(if in_list { "</ul>\n" } else { "<ul>\n" });
            in_list = !in_list;
        }
        match item {
            Some(item) => html.push_str(&format!("<li>{}</li>\n", inline(item))),
            None => html.push_str(&format!("<p>{}</p>\n", inline(line))),
        }
    }
    if in_list {
        html.push_str("</ul>\n");
    }
    html
}

/// `code` and **bold** as HTML.
pub(crate) fn inline(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    paired(&paired(&escaped, "**", "strong"), "`", "code")
}

/// Puts every second piece between the marks into the tag.
fn paired(text: &str, mark: &str, tag: &str) -> String {
    let pieces = text.split(mark).enumerate();
    pieces
        .map(|(index, piece)| match index % 2 {
            0 => piece.to_owned(),
            _ => format!("<{tag}>{piece}</{tag}>"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms() {
        let page = "# Title\n\n`A<B` is **so**.\n\n- one\n- two\n";
        let expected = "<p><code>A&lt;B</code> is <strong>so</strong>.</p>\n\
                        <ul>\n<li>one</li>\n<li>two</li>\n</ul>\n";
        assert_eq!(html(page), expected);
    }
}
