"""What the checks of the conformance documents share: reading their tables, and what there is for these to name."""

import os
import re

# A test as the documents name it: "display name" (Suite, Target).
TEST = re.compile(r'"((?:[^"\\]|\\.)+)"\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)')
DISPLAY_NAME = re.compile(r'@Test\(\s*"((?:[^"\\]|\\.)*)"')
TYPE = re.compile(r"\b(?:struct|final\s+class|class|enum|actor|protocol|extension|typealias)\s+([A-Za-z_]\w*)")
COMMENT = re.compile(r"^[ \t]*//.*$", re.MULTILINE)


def files_below(root, folder, suffixes):
    for path, _, names in os.walk(os.path.join(root, folder)):
        for name in sorted(names):
            if name.endswith(suffixes):
                yield os.path.join(path, name)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(root, path, text):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def cells_of(text):
    """The cells of a row of a table, without the bars at its ends."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", text)]


class Project:
    """What there is to be named: types of Sources/, tests of Tests/."""

    def __init__(self, root):
        self.root = root
        self.types = set()
        for path in files_below(root, "Sources", (".swift",)):
            self.types.update(TYPE.findall(COMMENT.sub("", read(path))))
        # (display name, suite, target)
        self.tests = set()
        for path in files_below(root, "Tests", (".swift",)):
            target = os.path.relpath(path, os.path.join(root, "Tests")).split(os.sep)[0]
            text = COMMENT.sub("", read(path))
            types = [(found.start(), found.group(1)) for found in TYPE.finditer(text)]
            for found in DISPLAY_NAME.finditer(text):
                # The type that the test is in is one of those that begin before it in this file.
                for at, name in types:
                    if at < found.start():
                        self.tests.add((found.group(1), name, target))

    def missing_tests(self, text):
        """What to say about the tests that the text names and that do not exist."""
        missing = [test for test in TEST.findall(text) if test not in self.tests]
        return ['names a test that does not exist: "%s" (%s, %s)' % test for test in missing]
