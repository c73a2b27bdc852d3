"""The papers' experiments: which runs make up a study, and how to run them."""
