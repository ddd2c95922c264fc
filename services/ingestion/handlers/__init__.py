"""What happens with an event, a delivery, a kept row, a reference record."""
