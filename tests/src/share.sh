#!/usr/bin/env bash
# A private Samba server, and machines that mount its share through FUSE. `share.rs` starts this file as the first
# process of new network, mount and process namespaces and writes one command per line; each is answered by one line.
# When standard input ends this process ends, and the kernel takes everything else in its namespaces with it.
#
#   share.sh FOLDER server READ_ONLY BYTES SERVICES
#       READ_ONLY: yes, no; BYTES: room on the server's disk, 0 for that of FOLDER; SERVICES: yes, no
#   share.sh FOLDER machine NAME
#       (started by the above)
#
# Everything is kept below FOLDER; `proc` in it is the /proc of the test.
set -euo pipefail
cd "$1"
folder=$PWD
server=
# A library that the server is started with.
preload=

# Writes this process's number, as the test knows it, into a file.
tell_number() { # FILE
  local number rest
  read -r number rest <proc/self/stat
  echo "$number" >"$1"
}

# Waits until a command succeeds; gives up after about ten seconds.
poll() {
  local _
  for _ in $(seq 1000); do
    "$@" 2>/dev/null && return 0
    sleep 0.01
  done
  echo "in vain: $*"
  return 1
}

answers() { bash -c 'exec 3<>/dev/tcp/127.0.0.1/445'; }
is_silent() { ! answers; }

configure() { # READ_ONLY SERVICES
  mkdir -p server/{private,lock,state,cache,ncalrpc,run,log} services
  cat >server/smb.conf <<END
[global]
  workgroup = SITE
  netbios name = SMSSITE
  server role = standalone server
  smb ports = 445
  interfaces = 127.0.0.1/8
  bind interfaces only = yes
  disable netbios = yes
  disable spoolss = yes
  load printers = no
  printing = bsd
  printcap name = /dev/null
  rpc start on demand helpers = $2
  svcctl list = $(find services -mindepth 1 -maxdepth 1 -printf '%f ')
  private dir = $folder/server/private
  lock directory = $folder/server/lock
  state directory = $folder/server/state
  cache directory = $folder/server/cache
  pid directory = $folder/server/run
  ncalrpc dir = $folder/server/ncalrpc
  passdb backend = tdbsam:$folder/server/private/passdb.tdb
  map to guest = never
  # The test counts requests by it.
  log level = 0 smb2:10
  max log size = 0
[sms]
  path = $folder/disk
  read only = $1
  store dos attributes = yes
  map readonly = permissions
END
  printf 'secret\nsecret\n' | smbpasswd -c "$folder/server/smb.conf" -s -a root
}

add_service() { # NAME STATE START NEEDS
  mkdir "services/$1"
  echo "$2" >"services/$1/state"
  echo "$3" >"services/$1/start"
  echo "$4" >"services/$1/needs"
  echo prompt >"services/$1/conduct"
}

# What a Windows has besides: services, which `svcctl.c` plays, a registry, and a user who is no admin. START is 2 for
# automatic and 3 for manual.
furnish() {
  # The server looks at what users ask for by their own rights.
  chmod 755 .
  mkdir -p services
  add_service SMS_EXECUTIVE running 2 WinMgmt
  add_service SMS_SITE_COMPONENT_MANAGER running 2 ''
  add_service SMS_SQL_MONITOR stopped 3 ''
  add_service WinMgmt running 2 ''
  gcc -shared -fPIC -O1 -o svcctl.so svcctl.c -ldl
}

# Fills the registry, which belongs to a server that is configured and does not run yet.
fill_registry() {
  # Its last value would be ignored if no line came after it.
  cat >setup.reg <<'END'
Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SMS\Setup]
"Full Version"="2.00.1380.1000"
"Type"=dword:00000001

[HKEY_LOCAL_MACHINE\SOFTWARE\Kinds]
"Empty"=""
"Nothing"=hex(1):
"Quotes"="a\"=\"b"
"Lines"=hex(1):61,00,0a,00,22,00,62,00,00,00
"Names"="Gerät 日"
"Largest"=dword:ffffffff
"Path"=hex(2):25,00,41,00,25,00,00,00
"List"=hex(7):61,00,00,00,62,00,00,00,00,00
"Bytes"=hex:00,01,02,03,04,05,06,07,08,09,0a,0b,0c,0d,0e,0f,10,11,12,13,14,15,16,17,18,19,1a,1b,1c,1d,1e,ff
"Long"=hex(b):01,02,03,04,05,06,07,08

END
  net --configfile="$folder/server/smb.conf" registry import setup.reg
}

# Lets programs reach the server by a configuration of their own, and records how they call `net`.
prepare_clients() {
  mkdir client
  cat >client/smb.conf <<END
[global]
  workgroup = SITE
  private dir = $folder/client
  lock directory = $folder/client
  state directory = $folder/client
  cache directory = $folder/client
END
  mount --bind client/smb.conf /etc/samba/smb.conf
  mount --bind server/log /var/log/samba
  cp "$(command -v net)" client/net
  cat >client/recorder <<END
#!/bin/sh
{
  echo "call: \$*"
  env
} >>$folder/client/calls
exec $folder/client/net "\$@"
END
  chmod 755 client/recorder
  mount --bind client/recorder "$(command -v net)"
}

# Starts the server in a process namespace of its own: who kills its first process kills all of it.
serve() {
  unshare --pid --fork --kill-child bash -c "$(declare -f tell_number)
    tell_number server/number
    ${preload:+export LD_PRELOAD=$preload SERVICES=$folder/services}
    exec smbd --foreground --no-process-group --log-basename=$folder/server/log --configfile=$folder/server/smb.conf" \
    </dev/null >>server/log/out 2>&1 &
  server=$!
  poll answers
}

# Waits until a server that was killed is gone.
bury() {
  wait "$server" || :
  poll is_silent
}

# The first process of a machine: its own names, processes and mounts.
machine() { # NAME
  local home=$folder/machines/$1
  mkdir -p "$home/.smb"
  tell_number "$home/number.new"
  mount -t proc proc /proc
  hostname "$1"
  printf '%s' "$1" | md5sum | cut -c1-32 >"$home/machine-id"
  [ ! -e /etc/machine-id ] || mount --bind "$home/machine-id" /etc/machine-id
  cat >"$home/.smb/smb.conf" <<END
[global]
  workgroup = SITE
  client min protocol = SMB2
  private dir = $home
  lock directory = $home
  state directory = $home
  cache directory = $home
END
  # In smbnetfs 0.6.3 `neg_cache "false"` never returns.
  cat >"$home/smbnetfs.conf" <<END
host "127.0.0.1"
auth "root" "secret"
smb_query_browsers "false"
use_libsecret "false"
smb_timeout "2000"
reply_timeout "10"
neg_cache_timeout "1"
stat_workaround_enable_default_entries "false"
END
  chmod 600 "$home/smbnetfs.conf"
  HOME=$home smbnetfs -f "$folder/mnt" -o "config=$home/smbnetfs.conf" &
  poll test -d "$folder/mnt/127.0.0.1/sms"
  mv "$home/number.new" "$home/number"
  wait
}

if [ "$2" = machine ]; then
  machine "$3"
  exit
fi

mkdir -p disk mnt machines proc
mount --bind /proc proc
tell_number number
mount -t proc proc /proc
ip link set lo up
[ "$4" = 0 ] || mount -t tmpfs -o "size=$4" tmpfs disk
{
  [ "$5" = no ] || furnish
  configure "$3" "$5"
  if [ "$5" = yes ]; then
    printf 'plain\nplain\n' | smbpasswd -c "$folder/server/smb.conf" -s -a daemon
    fill_registry
    prepare_clients
    preload=$folder/svcctl.so
  fi
  serve
} >>log 2>&1
echo 'done'
while read -r word name; do
  {
    case $word in
      serve) serve ;;
      bury) bury ;;
      machine)
        unshare --uts --mount --pid --fork --kill-child bash share.sh "$folder" machine "$name" </dev/null &
        poll test -e "machines/$name/number"
        ;;
    esac
  } >>log 2>&1
  echo 'done'
done
