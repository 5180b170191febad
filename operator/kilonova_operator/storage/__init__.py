"""What is kept elsewhere: Kubernetes objects and SQL databases."""
