#!/bin/sh
# udhcpc runs this with what a lease gives in variables.
case $1 in
    bound | renew)
        ifconfig "$interface" "$ip" netmask "${subnet:-255.255.255.0}" up
        [ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
        for gateway in $router; do
            route add default gw "$gateway" dev "$interface" 2> /dev/null
            break
        done
        for server in $dns; do echo "nameserver $server"; done > /etc/resolv.conf
        ;;
esac
