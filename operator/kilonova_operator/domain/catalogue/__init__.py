"""What is decided about flavors and images, without I/O."""
