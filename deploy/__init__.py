"""What runs Stocktide: images, Prometheus, Grafana."""
