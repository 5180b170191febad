"""The image cache: files from anywhere, made into disks that can be trusted.

``address_policy`` says where a file may come from, ``http_source`` opens it,
``download`` resumes it, ``image_file`` and ``qemu_img`` judge it, ``cache``
keeps it.
"""
