"""The change log, made of notes."""

import importlib.machinery
import importlib.util
import pathlib
import unittest

PATH = pathlib.Path(__file__).resolve().parents[3] / ".ci/changelog"


def load():
    loader = importlib.machinery.SourceFileLoader("changelog", str(PATH))
    spec = importlib.util.spec_from_loader("changelog", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


changelog = load()


class Changelog(unittest.TestCase):
    NOTES = [
        ("1.md", "Added: one\nthing.\nFixed: another.\n"),
        ("2.md", "# Mails\n\n- They arrive.\n"),
        ("3.md", "Added: more.\n"),
    ]

    def test_notes_become_a_section(self):
        self.assertEqual(
            changelog.section(self.NOTES, "1.2.3", "2030-01-31"),
            "## 1.2.3 (2030-01-31)\n\n### Mails\n\n- They arrive.\n\n### Added\n\n- one\n  thing.\n- more.\n\n"
            "### Fixed\n\n- another.\n",
        )

    def test_a_note_of_no_shape_is_refused(self):
        for text in ("Something happened.", "# A title alone\n", "Oops: Added: x"):
            with self.assertRaises(SystemExit, msg=text):
                changelog.parts(text, "x.md")

    def test_the_newest_stands_first_and_is_found_again(self):
        text = "# Changelog\n\nNotable changes.\n"
        for version in ("1.0.0", "1.0.10"):
            text = changelog.with_section(text, changelog.section(self.NOTES, version, "2030-01-31"))
        self.assertLess(text.index("## 1.0.10"), text.index("## 1.0.0 "))
        self.assertTrue(text.startswith("# Changelog\n\nNotable changes.\n\n## 1.0.10"))
        self.assertTrue(changelog.released(text, "1.0.0").startswith("### Mails"))
        self.assertNotIn("## 1", changelog.released(text, "1.0.10"))
        self.assertIsNone(changelog.released(text, "1.0.1"))

    def test_the_notes_that_there_are_have_a_shape(self):
        folder = PATH.parents[1] / "docs/changes/unreleased"
        for path in folder.glob("*.md"):
            changelog.parts(path.read_text(encoding="utf-8"), path.name)


if __name__ == "__main__":
    unittest.main()
