"""The officers' desk: writing rules, trying them, previewing a change, and signing the next release."""
