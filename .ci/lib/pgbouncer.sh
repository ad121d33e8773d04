# A pooler before PostgreSQL: PgBouncer from Debian's package, with its defaults but for addresses and logins.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

# Debian's package would also start one of its own.
fetch_pgbouncer() {
  ! pgbouncer_program >/dev/null || return 0
  local policy=/usr/sbin/policy-rc.d made=
  if [ "$(id -u)" = 0 ] && [ ! -e "$policy" ]; then
    made=1
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt_install pgbouncer || { [ -z "$made" ] || rm -f "$policy"; die 'installing pgbouncer failed'; }
  [ -z "$made" ] || rm -f "$policy"
  pgbouncer_program >/dev/null || die 'the package pgbouncer brought no /usr/sbin/pgbouncer'
}

pgbouncer_program() { # it is not in everybody's PATH
  PATH=$PATH:/usr/sbin command -v pgbouncer
}

# One a pool mode. Roles log in with the passwords that PostgreSQL has for them.
start_pgbouncer() { # start_pgbouncer RUN MODE; takes postgres_url, sets pgbouncer_url
  local dir=$1/pgbouncer-$2 port user password server as=()
  port=$(spare_ports 1)
  IFS=/:@ read -r _ _ _ user password server _ <<<"$postgres_url"
  mkdir "$dir"
  cat >"$dir/pgbouncer.ini" <<INI
[databases]
* = host=$address port=$(sed 's/.*:\([0-9]*\)\/.*/\1/' <<<"$postgres_url")
[pgbouncer]
listen_addr = $address
listen_port = $port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $dir/users
auth_user = $user
pool_mode = $2
INI
  (umask 077 && printf '"%s" "%s"\n' "$user" "$password" >"$dir/users")
  if [ "$(id -u)" = 0 ]; then # it refuses root
    chown -R postgres: "$dir"
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  fi
  launch "$dir" "$dir/log" "${as[@]}" "$(pgbouncer_program)" "$dir/pgbouncer.ini"
  pgbouncer_url=postgres://$user:$password@$address:$port/postgres
  await PgBouncer "$launched" "$dir/log" "$(postgres_bin)/pg_isready" -q -h "$address" -p "$port"
}
