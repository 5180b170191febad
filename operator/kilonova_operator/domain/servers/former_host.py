"""What a host that failed to build a guest has said of it since."""

from kilonova_api.instance import Instance

_OFF = "Shutdown"


def is_proven_idle(instance: Instance) -> bool:
    """Tell whether no domain of a failed build runs, nor will run, on its host.

    A fault alone does not say so: a hypervisor may end in the middle of a start.
    Its agent looks again and says that the guest is off; before it tries the
    build once more it takes that back, over the very version that it read. So
    what stands beside an order to end stays true.
    """
    status = instance.status
    return (
        instance.spec.destroy is not None
        and status.state == "ERROR"
        and status.fault is not None
        and status.built_at is None
        and status.power_state == _OFF
    )
