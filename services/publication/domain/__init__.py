"""What is wanted of each listing, what goes next and when, and what a channel's answer means."""
