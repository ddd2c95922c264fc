"""Grafana: its provisioning, and the dashboards as code and as JSON."""
