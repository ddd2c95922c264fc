"""Grafana's dashboards as code; `make docs` builds them into `deploy/grafana/dashboards/`."""
