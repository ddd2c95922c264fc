"""Records from messages and files, checked and kept; answers to what is asked of them."""
