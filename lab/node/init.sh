#!/bin/sh
# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Process 1 of the node. It runs in mount, process, network and host name namespaces of its own, sees this machine's files
# except for the folders bound over below, and becomes the supervisor of containerd, kubelet and kube-proxy.
#
# Usage: init.sh STATE PYTHON HOSTNAME
set -eu
state="$1" python="$2" name="$3"

echo "$name" > /proc/sys/kernel/hostname

# Fixed paths of Kubernetes, containerd and CNI; $state/node/folders lists them, one a line.
while read -r folder; do
    mkdir -p "$state/node$folder"
    mount --bind "$state/node$folder" "$folder"
done < "$state/node/folders"

# /sys shows the network of the namespace it was mounted in.
mkdir -p "$state/node/cgroup"
mount --rbind /sys/fs/cgroup "$state/node/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$state/node/cgroup" /sys/fs/cgroup
umount -R "$state/node/cgroup"

# node-exporter and local volumes ask for mount propagation; here it stays within the namespace.
mount --make-rshared /

ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward

# The host moves its end of the cable in as soon as it knows this process.
exec "$python" -m supervisor.supervisord --nodaemon --configuration "$state/node/supervisord.conf"
