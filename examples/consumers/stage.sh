# shellcheck shell=bash
# What the consumers are shown with: a simulated contact centre and a sidecar, on loopback, in a folder
# that goes with them. Sourced by the `run` of each.

# shellcheck disable=SC2034 # the scripts that source this use them
stage_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
stage_for=
stage_rate=10
stage_running=()
stage_folder=
stage_target=
stage_control=

# stage_options "$@": reads --for DURATION and --rate N, which every `run` takes.
stage_options() {
  while (($# > 0)); do
    case $1 in
      --for) stage_for=${2-} && shift 2 ;;
      --rate) stage_rate=${2-} && shift 2 ;;
      *)
        echo "usage: $0 [--for 30s] [--rate CHANGES-PER-SECOND]" >&2
        exit 64
        ;;
    esac
  done
  [[ -z $stage_for || $stage_for =~ ^[0-9]+(s|m|h)$ ]] || {
    echo "--for $stage_for: a number with s, m or h, such as 30s" >&2
    exit 64
  }
  [[ $stage_rate =~ ^[0-9]+(\.[0-9]+)?$ ]] || {
    echo "--rate $stage_rate: a number, such as 10" >&2
    exit 64
  }
}

# stage_start NAME COMMAND…: runs it beside this script; what it says goes to NAME.log.
stage_start() {
  local name=$1
  shift
  "$@" >"$stage_folder/$name.log" 2>&1 </dev/null &
  stage_running+=($!)
}

# Ends what was started, the newest first, and waits for each.
stage_end() {
  local status=$? pid
  trap '' INT TERM
  while ((${#stage_running[@]} > 0)); do
    pid=${stage_running[-1]}
    unset 'stage_running[-1]'
    kill -TERM "$pid" 2>/dev/null || continue
    timeout 20s tail --pid="$pid" --sleep-interval=0.1 --follow /dev/null || kill -KILL "$pid"
    wait "$pid" || true
  done
  if ((status != 0)); then
    tail -n 20 "$stage_folder"/*.log >&2 || true
  fi
  rm -rf "$stage_folder"
}

# A port that is free, and the one behind it.
stage_ports() {
  python3 "$stage_root/tests/clients/python/ports.py" 2
}

# stage_open: starts the contact centre and the sidecar. TIELINE names a binary; else it is built.
stage_open() {
  local announced
  # Many have a proxy in their environment; nothing on this machine is asked through it.
  unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
  if [[ -z ${TIELINE-} ]]; then
    echo 'building tieline'
    (cd "$stage_root" && cargo build --locked --quiet --bin tieline --example chat_bridge)
    TIELINE=${CARGO_TARGET_DIR:-$stage_root/target}/debug/tieline
  fi
  stage_folder=$(mktemp -d)
  trap stage_end EXIT
  trap 'exit 0' INT TERM

  # The first line of the sandbox says where it is and who may ask it, as JSON.
  mkfifo "$stage_folder/told"
  exec 3<>"$stage_folder/told"
  "$TIELINE" sandbox --platform genesys-notifications --listen 127.0.0.1:0 --control 127.0.0.1:0 \
    --rate "$stage_rate" --json >"$stage_folder/told" 2>"$stage_folder/sandbox.log" </dev/null 3>&- &
  stage_running+=($!)
  read -r -t 20 -u 3 announced || {
    echo 'the sandbox did not say where it is' >&2
    return 1
  }
  stage_control=$(stage_told control)
  stage_target=unix:$stage_folder/tieline.sock
  CLIENT_ID=$(stage_told client_id)
  CLIENT_SECRET=$(stage_told client_secret)
  export CLIENT_ID CLIENT_SECRET
  cat >"$stage_folder/tieline.yaml" <<END
listen: { grpc: ["$stage_target"], health: "", admin: ["unix:$stage_folder/admin.sock"] }
journals: [{ name: default, path: $stage_folder/journal }]
sessions:
  - name: contact-centre
    platform: genesys-notifications
    endpoint: $(stage_told endpoint)
    auth: { grant: client_credentials, client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET }
    topics:
      - v2.users.{id}?presence&routingStatus: all
      - v2.routing.queues.{id}.conversations: all
END
  stage_start sidecar "$TIELINE" run --config "$stage_folder/tieline.yaml"
  "$TIELINE" wait --address "$stage_target" --timeout 30s
}

# stage_told NAME: a value of what the sandbox announced.
stage_told() {
  # shellcheck disable=SC2154 # of the function that calls this
  sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p" <<<"$announced"
}

# stage_play COMMAND…: runs the consumer until it ends, Ctrl-C, or the time is over.
stage_play() {
  local consumer sleeper status=0
  "$@" </dev/null &
  consumer=$!
  stage_running+=("$consumer")
  if [[ -n $stage_for ]]; then
    sleep "$stage_for" &
    sleeper=$!
    stage_running+=("$sleeper")
    wait -n "$consumer" "$sleeper" || status=$?
    kill -0 "$consumer" 2>/dev/null || return "$status"
    kill -TERM "$consumer"
    wait "$consumer" || status=$?
    # Ended before it listened for that, it ends by the signal.
    ((status == 0 || status == 143)) && return
    return "$status"
  fi
  wait "$consumer"
}
