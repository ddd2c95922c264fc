"""What availability does with messages, and with what time or a change of policy makes due."""
