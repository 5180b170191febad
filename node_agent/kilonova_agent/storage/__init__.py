"""Files of the host: orders, disks, images, config drives."""
