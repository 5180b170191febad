"""The process around the services: start, watch, serve health, drain, end."""
