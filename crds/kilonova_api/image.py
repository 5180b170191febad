"""Image and ClusterImage: the disk a guest is built from."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kilonova_api.meta import (
    AGE_COLUMN,
    READY_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    Status,
    cel,
)

DiskFormat = Literal["qcow2", "raw"]

Properties = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=255)],
        Annotated[str, Field(max_length=255)],
    ],
    Field(
        description=(
            "Nova's image properties by key, for example hw_architecture. Keys "
            "that begin with hw_ or img_ and are not implemented stall the image."
        ),
        max_length=64,
    ),
]


class ImageFile(CrdModel):
    """Where an image's bytes are and what they must be; Instances keep a copy."""

    url: Annotated[
        str,
        Field(
            description=(
                "http:// or https:// address of the image file. Addresses of "
                "loopback, link-local, nodes, Pods and Services are refused "
                "unless the chart allows them."
            ),
            min_length=8,
            max_length=2048,
            pattern=r"^https?://[^\s@]+$",
        ),
    ]
    checksum: Annotated[
        str,
        Field(
            description=(
                "sha256:<64 hex digits> or sha512:<128 hex digits> of the file. "
                "A file with any other checksum never becomes a disk."
            ),
            max_length=135,
            pattern=r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$",
        ),
    ]
    format: Annotated[
        DiskFormat,
        Field(description="Disk format of the file: qcow2 or raw."),
    ]
    min_disk_gib: Annotated[
        int,
        Field(
            alias="minDiskGiB",
            description="Smallest root disk in GiB that a flavor must give.",
            ge=0,
            le=65536,
        ),
    ] = 0
    min_ram_mib: Annotated[
        int,
        Field(
            alias="minRamMiB",
            description="Least memory in MiB that a flavor must give.",
            ge=0,
            le=16777216,
        ),
    ] = 0
    properties: Properties = Field(default_factory=dict)


class ImageSpec(ImageFile):
    """What a person says of an image. Another file is another image."""


IMAGE_RULES = cel(
    ("self.url == oldSelf.url", "url is immutable: make a new image"),
    ("self.checksum == oldSelf.checksum", "checksum is immutable: make a new image"),
    ("self.format == oldSelf.format", "format is immutable: make a new image"),
)


class ImageStatus(Status):
    """What the operator says of an image."""


_COLUMNS = (
    Column("Format", ".spec.format", "Disk format of the file."),
    READY_COLUMN,
    Column("URL", ".spec.url", "Where the file is downloaded from.", wide=True),
    AGE_COLUMN,
)


class Image(KubeObject):
    """A disk image for the Servers of one namespace."""

    crd: ClassVar[Crd] = Crd(
        plural="images",
        short_names=("nimg",),
        namespaced=True,
        categories=("nova",),
        columns=_COLUMNS,
    )

    spec: Annotated[
        ImageSpec,
        Field(
            description="The file and what it must be.", json_schema_extra=IMAGE_RULES
        ),
    ]
    status: ImageStatus = ImageStatus()


class ClusterImage(KubeObject):
    """A disk image for the Servers of every namespace."""

    crd: ClassVar[Crd] = Crd(
        plural="clusterimages",
        short_names=("ncimg",),
        namespaced=False,
        columns=_COLUMNS,
    )

    spec: Annotated[
        ImageSpec,
        Field(
            description="The file and what it must be.", json_schema_extra=IMAGE_RULES
        ),
    ]
    status: ImageStatus = ImageStatus()
