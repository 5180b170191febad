"""``kubectl nova``: what people ask of Kilonova beside ``kubectl get``."""
