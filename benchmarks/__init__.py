"""What the speed claims are made with: P1 (drain) and P2 (latency), each beside its peers."""
