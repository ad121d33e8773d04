# What the CI scripts share: where things are kept, how a fault is reported, how a server is started and awaited.
# shellcheck shell=bash disable=SC2034,SC2154 # sourced: shares names with its caller

cache=${VISIONSCALE_CI_CACHE:-$HOME/.cache/visionscale-ci}
address=${VISIONSCALE_CI_ADDRESS:-127.0.0.1} # what servers listen on; another one only inside a network namespace

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

need() { # need COMMAND PACKAGE
  command -v "$1" >/dev/null || die "$1 is missing; install it (Debian: $2)"
}

apt_install() { # apt_install PACKAGE...: the package lists are brought up to date once an hour
  [ "$(id -u)" = 0 ] || die "these packages are missing and only root can install them: apt-get install $*"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120)
  mkdir -p "$cache"
  if [ -z "$(find "$cache/apt-updated" -mmin -60 2>/dev/null)" ]; then
    "${apt[@]}" update >&2
    touch "$cache/apt-updated"
  fi
  "${apt[@]}" install --no-install-recommends "$@" >&2
}

# Runs `FUNCTION DIR` on an empty directory and moves the result to cache/KEY, so that a killed fetch leaves no half of one.
# Two fetches of one key wait for each other.
cached() { # cached KEY FUNCTION
  local key=$1 fill=$2 began=$SECONDS lock work
  mkdir -p "$cache"
  exec {lock}>"$cache/$key.lock"
  flock "$lock"
  if [ ! -d "$cache/$key" ]; then
    rm -rf "$cache/.$key".*
    work=$(mktemp -d "$cache/.$key.XXXXXX")
    chmod 755 "$work"
    "$fill" "$work" >&2
    mv -T "$work" "$cache/$key"
    say "$key fetched in $((SECONDS - began)) s"
  fi
  exec {lock}>&-
}

# N spare ports, below the range the kernel gives to outgoing connections and to `listen(0)`.
spare_ports() { # spare_ports N
  node -e '
    const net = require("node:net");
    const free = (port) => new Promise((resolve) => {
      const server = net.createServer().once("error", () => resolve(false));
      server.listen(port, process.argv[2], () => server.close(() => resolve(true)));
    });
    (async () => {
      const found = new Set();
      while (found.size < Number(process.argv[1])) {
        const port = 20000 + Math.floor(Math.random() * 12000);
        if (await free(port)) found.add(port);
      }
      console.log([...found].join(" "));
    })();' "$1" "$address"
}

random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Starts a server in its own session with DIR as working directory (by which `owned` knows it); its pid is in `launched`.
# The command is kept beside its data (for `relaunch`), readable by its owner alone: it may hold a password.
launch() { # launch DIR LOG COMMAND...
  local dir=$1 log=$2
  shift 2
  (umask 077 && printf '%s\0' "$@" >"$dir/command")
  (cd "$dir" && exec setsid "$@") </dev/null >>"$log" 2>&1 &
  launched=$!
  disown "$launched"
  echo "$launched" >"$dir/pid"
}

relaunch() { # relaunch DIR: the same server again, on the same data
  local words=()
  mapfile -d '' words <"$1/command"
  launch "$1" "$1/log" "${words[@]}"
}

# Waits until PROBE succeeds; shows the end of the log when the server ends or does not answer in time.
await() { # await NAME PID LOG PROBE...
  local name=$1 pid=$2 log=$3 deadline=$((SECONDS + ${VISIONSCALE_CI_START_SECONDS:-60})) fault=''
  shift 3
  until "$@" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || fault='ended at start'
    [ "$SECONDS" -lt "$deadline" ] || fault='does not answer'
    if [ -n "$fault" ]; then
      say "--- end of $log"
      tail -n 40 "$log" >&2 || true
      say '---'
      die "$name $fault"
    fi
    sleep 0.1
  done
}
