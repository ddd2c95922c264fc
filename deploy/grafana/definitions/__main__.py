"""`python -m deploy.grafana.definitions`: write the dashboards that Grafana is provisioned with."""

from deploy.grafana.definitions.building import write

write()
