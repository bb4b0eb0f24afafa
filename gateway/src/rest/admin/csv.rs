//! A table as RFC 4180 has it. A library would be longer than this.

/// Spreadsheets take a file without it for the letters of some old code page.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One line, cell by cell.
#[derive(Default)]
pub struct Line(String);

impl Line {
    /// What we made ourselves: numbers, times, words of a closed list.
    pub fn fact(&mut self, text: &str) {
        self.cell(text);
    }

    /// What a stranger may have typed. A spreadsheet takes a cell that begins with one of certain
    /// characters for a formula, and works it out; an apostrophe before it makes it a text.
    pub fn text(&mut self, text: &str) {
        if is_formula(text) {
            self.cell(&format!("'{text}"));
        } else {
            self.cell(text);
        }
    }

    pub fn end(mut self) -> String {
        self.0.push_str("\r\n");
        self.0
    }

    fn cell(&mut self, text: &str) {
        // Every cell but the first follows a comma; the first one is never empty.
        if !self.0.is_empty() {
            self.0.push(',');
        }
        if text.contains(['"', ',', '\r', '\n']) {
            self.0.push('"');
            self.0.push_str(&text.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(text);
        }
    }
}

/// Also in their full-width forms, and behind blanks, which some programs skip.
fn is_formula(text: &str) -> bool {
    text.starts_with(['\t', '\r', '\n'])
        || text
            .trim_start()
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_texts() {
        let line = |text: &str| {
            let mut line = Line::default();
            line.fact("1");
            line.text(text);
            line.end()
        };
        for formula in [
            "=1+1",
            "+4930123456",
            "-1",
            "@SUM(A1)",
            "＝1",
            "＋1",
            "－1",
            "＠a",
            " =1",
            "\u{3000}=1",
        ] {
            assert_eq!(line(formula), format!("1,'{formula}\r\n"));
        }
        assert_eq!(line("\t=1"), "1,'\t=1\r\n");
        assert_eq!(line("\r=1"), "1,\"'\r=1\"\r\n");
        assert_eq!(line("\nx"), "1,\"'\nx\"\r\n");
        assert_eq!(line("=A1,\"x\""), "1,\"'=A1,\"\"x\"\"\"\r\n");
        assert_eq!(line("Ada = Countess"), "1,Ada = Countess\r\n");
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let mut line = Line::default();
        line.fact("-5.00");
        line.text("");
        line.text("Lovelace, Ada \"Countess\"");
        line.text("two\nlines");
        assert_eq!(
            line.end(),
            "-5.00,,\"Lovelace, Ada \"\"Countess\"\"\",\"two\nlines\"\r\n"
        );
    }
}
