"""`python -m deploy [compose|kubernetes|alerts]…`: prints what is wrong, and fails if anything is."""

import importlib
import sys

SUBJECTS = ("compose", "kubernetes", "alerts")


def main():
    found = 0
    for subject in sys.argv[1:] or SUBJECTS:
        module = importlib.import_module(f"deploy.{subject}")
        faults = sorted(set(module.findings()))
        for fault in faults:
            print(fault)
        print(f"{subject}: {len(faults)} findings")
        found += len(faults)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
