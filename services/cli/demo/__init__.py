"""The demo: real sales of a year, replayed against the whole stack, and checked afterwards."""
