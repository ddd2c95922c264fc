"""What is kept of a stranger's message, and who really sent it: pure rules."""
