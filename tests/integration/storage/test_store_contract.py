"""What every kind of database must do, on a real MariaDB."""

from support.store_contract.audits import *  # noqa: F403
from support.store_contract.batches import *  # noqa: F403
from support.store_contract.cell import *  # noqa: F403
from support.store_contract.claims import *  # noqa: F403
from support.store_contract.concurrency import *  # noqa: F403
from support.store_contract.crashes import *  # noqa: F403
from support.store_contract.deletes import *  # noqa: F403
from support.store_contract.epoch import *  # noqa: F403
from support.store_contract.groups import *  # noqa: F403
from support.store_contract.host_records import *  # noqa: F403
from support.store_contract.hosts import *  # noqa: F403
from support.store_contract.networks import *  # noqa: F403
from support.store_contract.numa import *  # noqa: F403
from support.store_contract.providers import *  # noqa: F403
from support.store_contract.quotas import *  # noqa: F403
from support.store_contract.schema import *  # noqa: F403
