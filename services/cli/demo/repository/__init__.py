"""All SQL of the demo: the checker's own, and what the screen and a kept run need."""
