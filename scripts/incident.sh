#!/usr/bin/env bash
# Records an incident: three real MCP servers behind caponier, driven by a real client. docs/INVESTIGATION.md investigates it.
#
#   scripts/incident.sh [FOLDER]      FOLDER: a new folder for all of it; default: one below $TMPDIR
#
# What happens, in order:
#   1. notes    server-filesystem lists and reads notes                      honest
#   2. git      mcp-server-git shows a project's status and history          honest
#   3. weather  a poisoned package of ours (tests/incident/weather): two honest answers; in the third call it looks for
#               ~/.ssh, ~/.aws and the settings of an MCP client, a second host, a shell, and ~/.bashrc
#   4. git      the project again, after an archive was unpacked over it whose .git/config includes the private key:
#               the same honest question makes git read a key outside of its repository
#   5. notes    the notes again, and a note is to be written                 honest
#
# The home is made for it, its secrets are decoys; nothing outside of FOLDER is touched and no host but loopback is
# called. Needs the peers of peers.sh ($CAPONIER_PEERS) and caponier ($CAPONIER_BIN, or on PATH). Prints where the log
# is, and the variables that make `caponier audit` look there.
set -euo pipefail
umask 077

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
peers=${CAPONIER_PEERS:-$here/.peers}
caponier=${CAPONIER_BIN:-$(command -v caponier || true)}
die() { printf 'incident: %s\n' "$*" >&2; exit 1; }
[ -x "$caponier" ] || die "caponier is neither \$CAPONIER_BIN nor on PATH"
[ -f "$peers/stamp" ] || die "$peers is not there: run scripts/peers.sh first"
node=$(command -v node) || die "node is missing"

if [ $# -gt 0 ]; then
    root=$1
    mkdir -- "$root" || die "$root must be new"
else
    root=$(mktemp -d "${TMPDIR:-/tmp}/incident-XXXXXX")
fi
root=$(cd -- "$root" && pwd -P)
home=$root/home
mkdir -p "$home"/{.ssh,.aws,.config/Claude,mcp,notes,project}

# ---- decoys: nothing here opens anything
printf -- '-----BEGIN OPENSSH PRIVATE KEY-----\ndecoy of scripts/incident.sh\n-----END OPENSSH PRIVATE KEY-----\n' >"$home/.ssh/id_ed25519"
printf '[default]\naws_access_key_id = decoy\naws_secret_access_key = decoy of scripts/incident.sh\n' >"$home/.aws/credentials"
printf '{"mcpServers":{"decoy":{"command":"true","env":{"TOKEN":"decoy of scripts/incident.sh"}}}}\n' \
    >"$home/.config/Claude/claude_desktop_config.json"
printf '# a decoy\n' >"$home/.bashrc"
printf '# Shopping\n\n- bread\n' >"$home/notes/shopping.md"
printf '# Walls\n\nA caponier covers the ditch.\n' >"$home/notes/walls.md"

cp -R "$here/tests/incident/weather" "$home/mcp/weather"

clean() { env -i HOME="$home" PATH="$(dirname "$node"):/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 "$@"; }
git() {
    clean GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=Me GIT_AUTHOR_EMAIL=me@host.invalid GIT_COMMITTER_NAME=Me \
        GIT_COMMITTER_EMAIL=me@host.invalid GIT_AUTHOR_DATE='2026-01-02T03:04:05Z' GIT_COMMITTER_DATE='2026-01-02T03:04:05Z' \
        git -C "$home/project" -c init.defaultBranch=main "$@"
}
git init --quiet
printf 'stone\n' >"$home/project/wall.txt"
git add wall.txt
git commit --quiet --message 'A wall'

# ---- sessions
# session NAME PROFILE PLAN COMMAND...: one client, one server, the calls of PLAN.
session() {
    local name=$1 profile=$2 plan=$3
    shift 3
    printf '%s' "$plan" >"$root/plan.json"
    (cd "$home/project" && clean timeout --kill-after=10 120 "$peers/python/client/bin/python" \
        "$here/tests/interop/drivers/drive.py" legacy "$root/plan.json" -- \
        "$caponier" run --profile "$profile" --name "$name" -- "$@") \
        >>"$root/answers.json" 2>>"$root/stderr.log" || die "the session of $name failed; see $root/stderr.log"
}
plan() { printf '{"env":{},"roots":[],"resources":[],"prompts":[],"together":[],"calls":[%s]}' "$1"; }
call() { printf '{"tool":"%s","arguments":%s}' "$1" "$2"; }

python=$peers/python/servers/bin/python
filesystem=$peers/npm/servers/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js
look=$(call list_directory "{\"path\":\"$home/notes\"}"),$(call read_text_file "{\"path\":\"$home/notes/walls.md\"}")
status=$(call git_status "{\"repo_path\":\"$home/project\"}")
history=$(call git_log "{\"repo_path\":\"$home/project\"}")
weather=$(call get_forecast '{"city":"Skopje"}'),$(call get_forecast '{"city":"Lille"}'),$(call get_forecast '{"city":"Namur"}')

session notes filesystem "$(plan "$look")" "$node" "$filesystem" "$home/notes"
session git git "$(plan "$status,$history")" "$python" -m mcp_server_git --repository "$home/project"
session weather runtime/node "$(plan "$weather")" "$node" "$home/mcp/weather/index.js" "$home" 127.0.0.1:9

# An archive is unpacked over the project: a file that is meant to be there, and a line in .git/config that is not.
printf 'stone\nbrick\n' >"$home/project/wall.txt"
printf '[include]\n\tpath = ../../.ssh/id_ed25519\n' >>"$home/project/.git/config"
session git git "$(plan "$status")" "$python" -m mcp_server_git --repository "$home/project"
session notes filesystem "$(plan "$look,$(call write_file "{\"path\":\"$home/notes/new.md\",\"content\":\"new\"}")")" \
    "$node" "$filesystem" "$home/notes"
rm -f "$root/plan.json"

cat <<EOF
The log: $home/.local/state/caponier/audit
To look there: export HOME=$home; unset XDG_STATE_HOME XDG_CONFIG_HOME
EOF
