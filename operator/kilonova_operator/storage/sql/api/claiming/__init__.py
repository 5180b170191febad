"""Claims: many Servers in one transaction, each judged by itself. Blocking.

::

    read    standings, usage, groups, hosts' room, networks   one statement each
            what guests hold of NUMA cells, if one of the requests asks for some
    judge   request after request, each seeing what the former were given
    write   compare-and-swap of groups and providers, then bulk inserts

Nothing is locked but usage and networks, whose rows are read for update. Host
and group rows are proved unchanged by their generations: a faster writer makes
the whole transaction run again.
"""
