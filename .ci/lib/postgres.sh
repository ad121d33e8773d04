# PostgreSQL from Debian's package, as a throw-away cluster of an unprivileged user (it refuses root).
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

# Debian's package would also make and start a cluster of its own; it is told not to.
fetch_postgres() {
  ! postgres_bin >/dev/null || return 0
  apt_install postgresql-common
  sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  apt_install postgresql
  postgres_bin >/dev/null || die 'the package postgresql brought no /usr/lib/postgresql/*/bin/postgres'
}

postgres_bin() { # prints the newest installed version's directory
  local found
  found=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
  [ -x "$found" ] && dirname "$found"
}

start_postgres() { # start_postgres RUN; sets postgres_url
  launch_postgres "$1/postgres"
}

launch_postgres() { # launch_postgres DIR OPTION...; sets postgres_url
  local dir=$1 bin port password as=()
  shift
  bin=$(postgres_bin) || die "PostgreSQL is missing; run $0 fetch"
  port=$(spare_ports 1)
  password=$(random_hex)
  mkdir -p "$dir"
  (umask 077 && echo "$password" >"$dir/password")
  if [ "$(id -u)" = 0 ]; then
    chown -R postgres: "$dir"
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  fi
  (
    cd "$dir"
    "${as[@]}" "$bin/initdb" -D "$dir/data" -U visionscale_ci --pwfile="$dir/password" --auth=scram-sha-256 \
      --encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1
  ) || die "initdb failed: $(tail -n 20 "$dir/initdb.log")"
  rm "$dir/password"
  [ "$address" = 127.0.0.1 ] || echo "host all all $address/24 scram-sha-256" >>"$dir/data/pg_hba.conf"
  launch "$dir" "$dir/log" "${as[@]}" "$bin/postgres" -D "$dir/data" -h "$address" -p "$port" -k '' -c max_connections=200 "$@"
  await PostgreSQL "$launched" "$dir/log" "$bin/pg_isready" -q -h "$address" -p "$port"
  postgres_url=postgres://visionscale_ci:$password@$address:$port/postgres
}
